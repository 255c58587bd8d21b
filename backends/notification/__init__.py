"""The notification service: gRPC, ``python -m backends.notification``."""
