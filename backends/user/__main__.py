"""Run the user service."""

from __future__ import annotations

from backends.rest import run_rest
from backends.user.app import create_app

__all__ = ["main"]


def main() -> None:
    """Serve users until the process is told to stop."""
    run_rest("user", 4101, create_app)


if __name__ == "__main__":
    main()
