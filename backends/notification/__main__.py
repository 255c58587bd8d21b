"""Run the notification service."""

from __future__ import annotations

from backends.notification.service import create_service
from backends.rpc import run_rpc

__all__ = ["main"]


def main() -> None:
    """Serve notifications until the process is told to stop."""
    run_rpc("notification", 4104, create_service)


if __name__ == "__main__":
    main()
