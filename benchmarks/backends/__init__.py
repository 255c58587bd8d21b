"""Four backends that answer from memory, as cheaply as Python can."""
