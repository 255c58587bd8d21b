"""The usual way: Strawberry, DataLoader, httpx and grpc.aio."""
