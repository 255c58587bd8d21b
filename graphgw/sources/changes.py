"""How what passes a route is changed: settings of routes, and of services."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["BodyChanges", "HeaderChanges", "RequestChanges", "ResponseChanges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderChanges:
    """Changes of headers, made in this order: remove, rename, set, add."""

    remove: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    set: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    add: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyChanges:
    """Changes of a JSON object's fields, made in this order: drop, rename, defaults.

    Fields are named by dotted paths; renaming ``city`` to ``address.city`` nests. In
    lists every item is changed.
    """

    drop: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    defaults: tuple[tuple[str, str], ...] = ()
    """Values in JSON, for fields that are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges:
    """How a request is changed before it goes on."""

    headers: HeaderChanges = field(default_factory=HeaderChanges)
    claims: tuple[tuple[str, str], ...] = ()
    """Headers by name, and the claim of the principal's token that each holds."""
    query: tuple[tuple[str, str], ...] = ()
    """Query parameters that are set, whatever the client sent."""
    body: BodyChanges = field(default_factory=BodyChanges)
    hook: str | None = None
    """``module:function``, ``async def(request) -> RouteRequest | RouteResponse``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseChanges:
    """How an answer is changed before the client has it."""

    headers: HeaderChanges = field(default_factory=HeaderChanges)
    status: tuple[tuple[str, int], ...] = ()
    """Statuses by those they replace; ``5xx`` stands for a whole class."""
    body: BodyChanges = field(default_factory=BodyChanges)
    hook: str | None = None
    """``module:function``, ``async def(response, request) -> RouteResponse``."""
