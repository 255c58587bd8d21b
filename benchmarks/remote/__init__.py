"""Four GraphQL subgraphs that answer from memory, over the rows of the backends."""
