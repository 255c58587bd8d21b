"""The example graph's batch functions: how its rows come from REST and gRPC."""
