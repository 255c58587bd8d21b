"""Which headers a remote subgraph is sent, and which of its own come back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from graphgw.sources.headers import is_forwardable, select_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphgw.types import Headers

__all__ = ["HeaderPairs", "HeaderRules", "build_header_selector", "tells_identity"]

HeaderPairs: TypeAlias = tuple[tuple[str, str], ...]

_IDENTITY: Final = re.compile(
    "api-?key|auth|client-ip|cookie|credential|forwarded|jwt|real-ip|secret|session"
    "|signature|subject|token|user(?!-agent$)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRules:
    """Rules for headers; names are compared without case.

    A client's header goes on if it is named in ``forward`` or fits a pattern of
    ``forward_matching``, and is not in ``remove``; ``rename`` gives it another name
    on the way. A pattern does not reach headers that may tell who or where the client
    is, such as ``authorization``, ``cookie``, ``x-user-id`` or ``x-forwarded-for``:
    those must be named. ``insert`` is sent with every request and replaces what was
    forwarded under its name. Headers of a connection or a body never go on.
    """

    forward: tuple[str, ...] = ()
    forward_matching: tuple[str, ...] = ()
    """Regular expressions that fit the whole lower-case name."""
    rename: HeaderPairs = ()
    """The client's name, then the name that is sent."""
    insert: HeaderPairs = field(default=(), repr=False)
    remove: tuple[str, ...] = ()
    answer: tuple[str, ...] = ()
    """Headers of the subgraph's answer that are handed to the client's."""


def tells_identity(name: str) -> bool:
    """Tell whether a header, by its lower-case name, may say who or where one is."""
    return _IDENTITY.search(name) is not None


def build_header_selector(rules: HeaderRules) -> Callable[[Headers], HeaderPairs]:
    """Return the function from a client's headers to those that are sent."""
    inserted = tuple((name.lower(), value) for name, value in rules.insert)
    renamed = {old.lower(): new.lower() for old, new in rules.rename}
    blocked = {name.lower() for name in rules.remove}
    replaced = {name for name, _ in inserted}
    named = tuple(dict.fromkeys([*map(str.lower, rules.forward), *renamed]))
    patterns = [re.compile(pattern) for pattern in rules.forward_matching]
    if not named and not patterns:
        return lambda _headers: inserted

    def select(headers: Headers) -> HeaderPairs:
        names = dict.fromkeys(named)
        for name in headers if patterns else ():
            if not tells_identity(name) and any(p.fullmatch(name) for p in patterns):
                names[name] = None
        allowed = [n for n in names if n not in blocked and is_forwardable(n)]
        sent = (
            (renamed.get(name, name), value)
            for name, value in select_headers(headers, allowed)
        )
        return (*(pair for pair in sent if pair[0] not in replaced), *inserted)

    return select
