"""Key-value stores in memory and Redis."""
