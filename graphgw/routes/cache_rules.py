"""Which answers of routes are kept, how long, and for whom: HTTP caching, pure.

See https://www.rfc-editor.org/rfc/rfc9111.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphgw.routes.exchange import RequestHead
    from graphgw.routes.settings import RouteSettings
    from graphgw.sources.changes import RequestChanges, ResponseChanges
    from graphgw.types import Headers, Principal

__all__ = [
    "CacheKeys",
    "KeptAnswer",
    "find_lifetime",
    "is_unchanged",
    "may_know_caller",
    "read_varying",
]

_KEPT_STATUSES: Final = frozenset((200, 203, 301, 308, 404, 410))
_OK: Final = 200
_ALWAYS_VARIES: Final = (
    "accept-encoding",
    "x-forwarded-host",
    "x-forwarded-proto",
)
"""What services are sent and seldom name in ``vary``."""
_MOST_SECONDS: Final = 365 * 86_400.0
_SIZE_BYTES: Final = 4

RawPairs = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer that is kept; ``at`` is when it came, ``lifetime`` in seconds."""

    status: int
    headers: RawPairs = field(repr=False)
    body: bytes = field(repr=False)
    at: float = 0.0
    lifetime: float = 0.0

    def encode(self) -> bytes:
        """Return it as bytes."""
        pairs = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in self.headers]
        head = orjson.dumps((self.status, pairs, self.at, self.lifetime))
        return len(head).to_bytes(_SIZE_BYTES) + head + self.body

    @classmethod
    def decode(cls, data: bytes) -> KeptAnswer | None:
        """Return the answer of what ``encode`` gave; ``None`` if it is not that."""
        end = _SIZE_BYTES + int.from_bytes(data[:_SIZE_BYTES])
        try:
            status, pairs, at, lifetime = orjson.loads(data[_SIZE_BYTES:end])
            headers = tuple(
                (str(n).encode("latin-1"), str(v).encode("latin-1")) for n, v in pairs
            )
        except (ValueError, TypeError):
            return None
        return cls(int(status), headers, data[end:], float(at), float(lifetime))


def may_know_caller(request: RequestChanges, response: ResponseChanges) -> bool:
    """Tell whether answers may differ by who asks because of changes on the way."""
    return bool(request.claims or request.hook or response.hook)


class CacheKeys:
    """The keys that one route keeps answers under.

    Whatever the service is sent of who asks is in the key, and so is the principal
    unless the answers are for all.

    Args:
        route: Its settings.
        credentials: Names of the headers by which clients prove themselves.
        knows_caller: Whether what is not the route's own may tell who asks.
    """

    __slots__ = ("_credentials", "_is_private", "_name", "_vary")

    def __init__(
        self,
        route: RouteSettings,
        credentials: frozenset[str],
        *,
        knows_caller: bool = False,
    ) -> None:
        cache = route.cache
        sent = set(credentials) if route.forward_authorization else set()
        if route.forward_cookies:
            sent.add("cookie")
        self._name = route.name
        self._credentials = tuple(sorted(sent))
        knows_caller |= may_know_caller(route.request, route.response)
        self._is_private = cache is None or cache.scope == "PRIVATE" or knows_caller
        names = () if cache is None else cache.vary
        self._vary = tuple(sorted({*_ALWAYS_VARIES, *(name.lower() for name in names)}))

    @property
    def is_private(self) -> bool:
        """Tell whether answers are for one principal alone."""
        return self._is_private

    def base(self, head: RequestHead, principal: Principal) -> str:
        """Return the key of all answers to one request, however they vary."""
        headers = head.headers
        who: object = None
        if self._is_private:
            issuer = principal.claims.get("iss")
            who = [principal.subject, issuer, principal.api_key]
        return self._digest(
            [
                head.scheme,
                head.host,
                head.path,
                head.query,
                who,
                [headers.get(name) for name in self._credentials],
                [headers.get(name) for name in self._vary],
            ]
        )

    def variant(self, base: str, head: RequestHead, names: Sequence[str]) -> str:
        """Return the key of the answer to a request among those that vary."""
        return self._digest([base, [head.headers.get(name) for name in names]])

    def _digest(self, parts: object) -> str:
        text = orjson.dumps(parts, default=str)
        digest = hashlib.blake2b(text, digest_size=20).hexdigest()
        return f"route:{self._name}:{digest}"


def read_varying(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, ...] | None:
    """Return the request headers that an answer varies by; ``None`` if by anything."""
    names = {
        token.strip().decode("latin-1").lower()
        for name, value in headers
        if name == b"vary"
        for token in value.split(b",")
    } - {""}
    return None if "*" in names else tuple(sorted(names))


def find_lifetime(
    status: int,
    headers: Sequence[tuple[bytes, bytes]],
    *,
    default: float | None,
    is_private: bool,
) -> float:
    """Return how many seconds an answer may be kept; 0 for not at all.

    Args:
        status: Its status.
        headers: Its headers.
        default: Seconds for successes that do not say; ``None`` for none.
        is_private: Whether it is kept for one principal alone.
    """
    found = {name: value for name, value in headers if name != b"set-cookie"}
    if status not in _KEPT_STATUSES or len(found) < len({n for n, _ in headers}):
        return 0.0  # a cookie is meant for one client
    directives = _read_directives(
        value for name, value in headers if name == b"cache-control"
    )
    if "no-store" in directives or "no-cache" in directives:
        return 0.0
    if "private" in directives and not is_private:
        return 0.0
    given = None if is_private else _seconds(directives.get("s-maxage"))
    if given is None:
        given = _seconds(directives.get("max-age"))
    if given is None:
        given = default if status == _OK else None
    age = _seconds(found.get(b"age", b"0").decode("latin-1")) or 0.0
    return max(0.0, min(given or 0.0, _MOST_SECONDS) - age)


def _read_directives(values: Iterable[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        for part in value.decode("latin-1").split(","):
            name, _, text = part.strip().partition("=")
            found.setdefault(name.lower(), text.strip('"'))
    return found


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    return float(text[:10]) if text.isascii() and text.isdigit() else 0.0


def is_unchanged(headers: Headers, etag: bytes) -> bool:
    """Tell whether a client has this answer already; see RFC 9110, section 13.1.2."""
    given = headers.get("if-none-match")
    if given is None:
        return False
    wanted = _weak(etag.decode("latin-1"))
    return given.strip() == "*" or any(
        _weak(part.strip()) == wanted for part in given.split(",")
    )


def _weak(tag: str) -> str:
    return tag.removeprefix("W/")
