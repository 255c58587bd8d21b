"""Connections for bodies of any length: what a long exchange needs of its server."""

from __future__ import annotations

from typing import Final, Protocol

__all__ = ["STREAMING", "StreamingProtocol"]

STREAMING: Final = "graphgw.streaming"
"""The ASGI extension under which the application finds a ``StreamingProtocol``."""


class StreamingProtocol(Protocol):
    """What our own server's connections can do beside ASGI."""

    def pace_body(self, seconds: float) -> None:
        """Bound each silence of the client's body, instead of all of its time."""
        ...

    def break_off(self) -> None:
        """Close at once; what was begun is not completed."""
        ...
