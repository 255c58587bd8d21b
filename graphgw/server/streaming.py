"""Connections for bodies of any length: what a long exchange needs of its server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["STREAMING", "StreamingProtocol"]

STREAMING: Final = "graphgw.streaming"
"""The ASGI extension under which the application finds a ``StreamingProtocol``."""


class StreamingProtocol(Protocol):
    """What our own server's connections can do beside ASGI."""

    when_lost: Callable[[], object] | None
    when_late: Callable[[], object] | None
    """Called before whoever reads the body is woken to refuse it."""

    def answer_whole(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """Send a whole answer in one piece; tell whether that could be done."""
        ...

    def pace_body(self, seconds: float) -> None:
        """Bound each silence of the client's body, instead of all of its time."""
        ...

    def break_off(self) -> None:
        """Close at once; what was begun is not completed."""
        ...
