"""The four example services behind the example graph, as separate processes."""
