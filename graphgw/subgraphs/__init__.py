"""Who answers fetches: local Python subgraphs and remote GraphQL servers."""
