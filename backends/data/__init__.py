"""The services' database: SQLite, seeded with the same rows on every start."""
