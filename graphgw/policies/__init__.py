"""Who may ask for what, how often; decided before planning."""
