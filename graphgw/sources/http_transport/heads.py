"""Heads of answers that were read before: equal bytes need not be parsed again."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.sources.protocol import HTTPResponse

__all__ = ["END_OF_HEAD", "Head", "KnownHeads"]

END_OF_HEAD: Final = b"\r\n\r\n"
_MOST_HEADS: Final = 256
_MOST_BYTES: Final = 1024


@record
class Head:
    """What a head says: everything of an answer but its body."""

    status: int
    headers: Mapping[str, str]
    length: int
    """Of the body that must follow."""


class KnownHeads:
    """A few hundred heads of one origin's sound answers, by their bytes.

    A service's answers differ in little but their length and the second of their
    date. A head is learned from an answer that the parser took for sound, that named
    its length, and after which the connection was kept: so are all that begin alike.
    """

    __slots__ = ("_known", "find")

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}
        self.find = self._known.get

    def learn(self, data: bytes, response: HTTPResponse) -> None:
        """Remember the head of an answer that came in one piece, if it may be."""
        headers, length = response.headers, len(response.body)
        size = len(data) - length - len(END_OF_HEAD)
        if (
            headers.get("content-length") != str(length)
            or not 0 < size <= _MOST_BYTES
            or data.find(END_OF_HEAD) != size
        ):
            return
        known = self._known
        if len(known) >= _MOST_HEADS:
            del known[next(iter(known))]
        known[data[:size]] = Head(response.status, MappingProxyType(headers), length)
