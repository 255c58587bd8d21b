"""The product service: REST, ``python -m backends.product``."""
