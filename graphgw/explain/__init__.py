"""What an operation will do: each stage on its way, as text."""
