"""From subgraph schemas to one supergraph."""
