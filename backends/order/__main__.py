"""Run the order service."""

from __future__ import annotations

from backends.order.service import create_service
from backends.rpc import run_rpc

__all__ = ["main"]


def main() -> None:
    """Serve orders until the process is told to stop."""
    run_rpc("order", 4103, create_service)


if __name__ == "__main__":
    main()
