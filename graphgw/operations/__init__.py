"""From request text to a normalized, fingerprinted operation."""
