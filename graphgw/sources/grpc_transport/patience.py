"""How much a peer may send that is of no use to anybody."""

from __future__ import annotations

from typing import Final

from graphgw.sources.grpc_transport.frames import ENHANCE_YOUR_CALM, ProtocolError

__all__ = ["Patience"]

_MOST: Final = 10_000
_SECONDS: Final = 10.0


class Patience:
    """Counts useless frames; an answer, or ten seconds, restore it.

    Pings, settings, windows and empty frames are all right one by one, and cost the
    sender less than us: in floods they are an attack.
    """

    __slots__ = ("_count", "_restored_at")

    def __init__(self, now: float) -> None:
        self._count = 0
        self._restored_at = now

    def lose(self) -> None:
        """Count one frame.

        Raises:
            ProtocolError: That is one too many.
        """
        self._count += 1
        if self._count > _MOST:
            raise ProtocolError(ENHANCE_YOUR_CALM, "frames without use")

    def restore(self) -> None:
        """Begin anew: a call was answered."""
        self._count = 0

    def watch(self, now: float) -> None:
        """Begin anew from time to time."""
        if now - self._restored_at >= _SECONDS:
            self._restored_at = now
            self._count = 0
