"""Serve an ASGI application as the gateway serves its own: uvloop and httptools."""

from __future__ import annotations

import sys

import uvicorn

__all__ = ["main"]


def main() -> None:
    """Run ``python -m benchmarks.serve_asgi MODULE:NAME PORT``."""
    uvicorn.run(
        sys.argv[1],
        port=int(sys.argv[2]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    main()
