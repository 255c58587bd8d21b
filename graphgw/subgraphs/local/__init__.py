"""Local subgraphs: Strawberry types answered by compiled selection programs."""
