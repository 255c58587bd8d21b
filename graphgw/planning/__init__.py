"""From an operation to a query plan; pure and deterministic."""
