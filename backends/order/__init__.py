"""The order service: gRPC, ``python -m backends.order``."""
