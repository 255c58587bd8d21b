"""Run one backend: ``python -m benchmarks.backends user --port 9101 --calls FILE``."""

from __future__ import annotations

import argparse
from pathlib import Path

from backends.protos import notification_pb2, order_pb2
from benchmarks.backends import rows
from benchmarks.backends.counter import CallCounter
from benchmarks.backends.http import run_http
from benchmarks.backends.rpc import run_rpc

__all__ = ["main"]


def main() -> None:
    """Serve the backend that the command line names until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backends")
    parser.add_argument(
        "name", choices=["user", "product", "order", "notification"], help="which one"
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=Path, required=True, help="where to count")
    parser.add_argument("--rows", type=int, default=rows.COUNT, help="how many")
    given = parser.parse_args()
    counter = CallCounter(given.calls)
    match given.name:
        case "user":
            run_http("/users", rows.encode_users(given.rows), given.port, counter)
        case "product":
            run_http("/products", rows.encode_products(given.rows), given.port, counter)
        case "order":
            run_rpc(
                order_pb2.DESCRIPTOR.services_by_name["OrderService"].full_name,
                order_pb2.ListByUsersRequest,
                rows.encode_orders(given.rows),
                given.port,
                counter,
            )
        case _:
            services = notification_pb2.DESCRIPTOR.services_by_name
            run_rpc(
                services["NotificationService"].full_name,
                notification_pb2.ListByUsersRequest,
                rows.encode_notifications(given.rows),
                given.port,
                counter,
            )


if __name__ == "__main__":
    main()
