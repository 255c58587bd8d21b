"""The limit: the five answers written by hand, without GraphQL."""
