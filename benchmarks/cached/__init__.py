"""What the five operations need of the example graph, all of it kept for an hour."""
