"""HTTP: the ASGI front and the Starlette application."""
