"""Gateway routes: a path sent on to a service, a gRPC method or an operation."""
