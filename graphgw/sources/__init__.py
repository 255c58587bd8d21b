"""How backends are reached: HTTP, REST and gRPC."""
