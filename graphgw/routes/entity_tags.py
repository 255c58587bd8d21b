"""``ETag`` and ``304``: a client that has the answer is not sent it again.

See https://www.rfc-editor.org/rfc/rfc9110#name-conditional-requests.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from graphgw.types import Headers

    _Answer = tuple[int, list[tuple[bytes, bytes]], bytes]

__all__ = ["revalidate"]

_NOT_MODIFIED: Final = 304
_KEPT: Final = frozenset(
    (b"cache-control", b"vary", b"access-control-allow-origin", b"ratelimit",
     b"ratelimit-policy")
)  # fmt: skip


def revalidate(answer: _Answer, headers: Headers) -> _Answer:
    """Return a sound answer with its tag, or ``304`` if the client has it already.

    Args:
        answer: Status, headers and body of an answer without errors.
        headers: The request's.
    """
    status, raw, body = answer
    tag = f'W/"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    tagged = [*raw, (b"etag", tag.encode())]
    if not _names(headers.get("if-none-match"), tag):
        return status, tagged, body
    kept = [pair for pair in tagged if pair[0] in _KEPT or pair[0] == b"etag"]
    return _NOT_MODIFIED, kept, b""


def _names(given: str | None, tag: str) -> bool:
    """Compare weakly: a tag counts with and without its ``W/``."""
    if given is None:
        return False
    if given.strip() == "*":
        return True
    bare = tag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") == bare for part in given.split(","))
