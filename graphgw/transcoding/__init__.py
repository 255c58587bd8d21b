"""JSON over HTTP for gRPC services: requests become messages, messages answers."""
