"""Run the product service."""

from __future__ import annotations

from backends.product.app import create_app
from backends.rest import run_rest

__all__ = ["main"]


def main() -> None:
    """Serve products until the process is told to stop."""
    run_rest("product", 4102, create_app)


if __name__ == "__main__":
    main()
