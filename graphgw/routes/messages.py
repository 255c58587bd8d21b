"""What hooks of routes see and give: a request and an answer, whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphgw.types import ANONYMOUS, Principal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RouteRequest", "RouteResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRequest:
    """A request at a route, as its hook may change it.

    ``path`` and ``query`` are percent-encoded, ``parameters`` decoded. Header names are
    lower-case; a name may stand there twice. Change it with ``dataclasses.replace``;
    a change of ``path`` or ``parameters`` shows in what the service is asked, not in
    which route it is.
    """

    method: str
    path: str
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    principal: Principal = ANONYMOUS
    request_id: str = ""

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    def with_header(self, name: str, value: str) -> RouteRequest:
        """Return the request with this value of a header and no other."""
        return replace(self, headers=_with_header(self.headers, name, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteResponse:
    """An answer at a route, as a hook may change it; also a hook's own answer.

    ``content-length`` is added.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), None)

    def with_header(self, name: str, value: str) -> RouteResponse:
        """Return the answer with this value of a header and no other."""
        return replace(self, headers=_with_header(self.headers, name, value))


def _with_header(
    headers: tuple[tuple[str, str], ...], name: str, value: str
) -> tuple[tuple[str, str], ...]:
    lowered = name.lower()
    return (*(pair for pair in headers if pair[0] != lowered), (lowered, value))
