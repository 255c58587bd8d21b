"""graphgw: a GraphQL federation gateway."""
