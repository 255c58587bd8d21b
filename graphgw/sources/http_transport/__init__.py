"""A small HTTP/1.1 keep-alive client on httptools and asyncio transports."""
