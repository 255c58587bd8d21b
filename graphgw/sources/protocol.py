"""The transport protocol: one HTTP request in, one whole answer out."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from graphgw.telemetry.observer import NO_OBSERVER
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphgw.telemetry.observer import Observer
    from graphgw.types import Deadline

__all__ = ["HTTPRequest", "HTTPResponse", "Transport"]


@record
class HTTPRequest:
    """A request to a backend.

    ``url`` is absolute. ``source`` names the service in errors and metrics.
    ``is_idempotent`` allows one retry where no byte of an answer came. ``observer``
    is told of the call under the name ``endpoint``, which must not vary with keys.
    ``check`` reads an answer while the call is still guarded: the ``SourceError``
    that it raises counts against the service. A read that ``may_share`` joins an equal
    one that is in flight. Bare transports leave both alone. ``tried`` are the
    addresses of its earlier attempts, where a service has several.
    """

    method: str
    url: str
    deadline: Deadline
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    source: str = ""
    is_idempotent: bool = False
    endpoint: str = ""
    observer: Observer = field(default=NO_OBSERVER, repr=False)
    check: Callable[[HTTPResponse], object] | None = field(default=None, repr=False)
    may_share: bool = True
    tried: list[str] | None = field(default=None, compare=False, repr=False)


@record
class HTTPResponse:
    """A backend's whole answer, inflated; header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport(Protocol):
    """Sends HTTP requests and hands back whole answers."""

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send one request; any status is an answer.

        Raises:
            SourceTimeoutError: The deadline passed.
            SourceUnreachableError: No connection could be made.
            SourceBadAnswerError: The answer breaks HTTP or its encoding.
            SourceAnswerTooLargeError: The answer is larger than allowed.
            SourceError: The connection broke.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...
