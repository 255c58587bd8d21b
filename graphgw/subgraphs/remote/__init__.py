"""Remote subgraphs: any GraphQL server that speaks Apollo Federation."""
