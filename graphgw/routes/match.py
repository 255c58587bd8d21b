"""The table of routes: finds the most specific one for a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from graphgw.errors import Problem
from graphgw.operations.cache import BoundedCache
from graphgw.routes.paths import split_path
from graphgw.routes.templates import BELOW, ONE, parse_host, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphgw.routes.settings import RouteSettings
    from graphgw.routes.templates import Template

__all__ = ["Match", "NotAllowed", "Place", "RouteTable", "place_of"]

T = TypeVar("T")

_FOUND: Final = 2000
_LONGEST: Final = 500
"""Paths are remembered with what they match; longer ones are worth several."""


@dataclass(frozen=True, slots=True)
class Place:
    """What one route matches: a template, a host and methods (empty for all)."""

    name: str
    template: Template
    methods: frozenset[str] = frozenset()
    host: str | None = None


def place_of(route: RouteSettings) -> Place:
    """Return what a route matches.

    Raises:
        TemplateError: Its path or its host cannot be matched.
    """
    host = None if route.host is None else parse_host(route.host)
    template = parse_template(route.path)
    return Place(route.name, template, frozenset(route.methods), host)


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """The route that was found, with the parameters of its path."""

    route: T
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """There are routes for the path, but for other methods."""

    methods: tuple[str, ...]


class _Node(Generic[T]):
    """One step of a path: literals before one segment before all that is below."""

    __slots__ = ("any", "below", "here", "literals")

    def __init__(self) -> None:
        self.literals: dict[str, _Node[T]] = {}
        self.any: _Node[T] | None = None
        self.below: dict[str | None, _Leaf[T]] = {}
        self.here: dict[str | None, _Leaf[T]] = {}

    def leaves(self, template: Template) -> dict[str | None, _Leaf[T]]:
        node = self
        for segment in template.segments:
            if segment == BELOW:
                return node.below
            if segment == ONE:
                node.any = node = node.any or _Node()
            else:
                node = node.literals.setdefault(segment, _Node())
        return node.here

    def find(
        self, segments: tuple[str, ...], verb: str | None, at: int = 0
    ) -> Iterator[_Leaf[T]]:
        """Yield what matches, the most specific first."""
        if at == len(segments):
            if verb in self.here:
                yield self.here[verb]
            return
        literal = self.literals.get(segments[at])
        if literal is not None:
            yield from literal.find(segments, verb, at + 1)
        if self.any is not None and segments[at]:
            yield from self.any.find(segments, verb, at + 1)
        if verb in self.below:
            yield self.below[verb]


class _Leaf(Generic[T]):
    """Routes of one shape; ``methods`` has ``None`` for any method."""

    __slots__ = ("methods",)

    def __init__(self) -> None:
        self.methods: dict[str | None, tuple[Place, T]] = {}

    def add(self, place: Place, route: T) -> Place | None:
        """Take a route, unless another is there; return that one."""
        for method in (*sorted(place.methods),) or (None,):
            other = self.methods.setdefault(method, (place, route))
            if other[0] is not place:
                return other[0]
        return None

    def choose(self, method: str) -> tuple[Place, T] | None:
        methods = self.methods
        found = methods.get(method)
        if found is None and method == "HEAD":
            found = methods.get("GET")
        return found or methods.get(None)


class RouteTable(Generic[T]):
    """Finds the route of a request; the most specific one wins.

    A host wins over ``*.host`` and that over none, a literal segment over a parameter
    and that over ``/*``, from left to right; then a ``:verb`` over none and a named
    method over any. Two routes that this leaves equal are a problem.
    """

    __slots__ = ("_found", "_hosts", "_open", "_wildcards", "problems", "routes")

    def __init__(self, routes: Iterable[tuple[Place, T]] = ()) -> None:
        self._hosts: dict[str, _Node[T]] = {}
        self._open: _Node[T] = _Node()
        self.problems: list[Problem] = []
        given = tuple(routes)
        self._found: BoundedCache[tuple[str, str, str], Match[T]] = BoundedCache(
            max_entries=_FOUND, max_bytes=_FOUND * _LONGEST
        )
        self.routes = tuple(route for _, route in given)
        for place, route in given:
            self._add(place, route)
        self._wildcards = sorted(
            (
                (host[1:], node)
                for host, node in self._hosts.items()
                if host.startswith("*")
            ),
            key=lambda item: -len(item[0]),
        )

    def _add(self, place: Place, route: T) -> None:
        root = self._open
        if place.host is not None:
            root = self._hosts.setdefault(place.host, _Node())
        leaf = root.leaves(place.template).setdefault(place.template.verb, _Leaf())
        other = leaf.add(place, route)
        if other is not None:
            self.problems.append(
                Problem(
                    f'it matches the same requests as "{other.name}"',
                    where=f"routes.{place.name}",
                    mend="give one of them another path, host or method",
                )
            )

    def find(self, host: str, path: str, method: str) -> Match[T] | NotAllowed | None:
        """Return the route of a request, if there is one.

        Args:
            host: The host header, lower-case, with or without port.
            path: The normalized path.
            method: In capitals.

        Raises:
            BadRequestError: A parameter is not UTF-8.
        """
        key = (host, path, method)
        known = self._found.get(key)
        if known is not None:
            return known
        segments = split_path(path)
        allowed: dict[str, None] = {}
        for leaf, parts in self._leaves(host, segments):
            chosen = leaf.choose(method)
            if chosen is not None:
                place, route = chosen
                match = Match(route, place.template.read(parts))
                self._found.put(key, match, len(path) + len(host))
                return match
            allowed.update(dict.fromkeys(str(name) for name in leaf.methods))
        if not allowed:
            return None
        if "GET" in allowed:
            allowed["HEAD"] = None
        return NotAllowed(tuple(sorted(allowed)))

    def _leaves(
        self, host: str, segments: tuple[str, ...]
    ) -> Iterator[tuple[_Leaf[T], tuple[str, ...]]]:
        last, separator, verb = segments[-1].rpartition(":")
        for root in self._roots(host):
            if separator:
                plain = (*segments[:-1], last)
                for leaf in root.find(plain, verb):
                    yield leaf, plain
            for leaf in root.find(segments, None):
                yield leaf, segments

    def _roots(self, host: str) -> Iterator[_Node[T]]:
        if self._hosts:
            name = host.partition(":")[0] if "[" not in host else host
            exact = self._hosts.get(name)
            if exact is not None:
                yield exact
            for suffix, node in self._wildcards:
                if name.endswith(suffix):
                    yield node
        yield self._open
