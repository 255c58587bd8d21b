"""A small gRPC client for unary calls: HTTP/2 on asyncio transports."""
