"""The user service: REST, ``python -m backends.user``."""
