"""The example graph: one subgraph for each service of a shop."""
