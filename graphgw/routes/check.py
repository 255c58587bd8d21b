"""What an operator must mend in the settings of routes."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from graphgw.errors import Problem
from graphgw.policies.rate_rules import parse_duration
from graphgw.routes.match import Place, RouteTable, place_of
from graphgw.routes.settings import TARGETS
from graphgw.routes.templates import TemplateError, parse_host, parse_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.routes.settings import RouteSettings

__all__ = ["find_route_problems"]

_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
)


def find_route_problems(
    routes: Sequence[RouteSettings], services: Sequence[tuple[str, str]]
) -> Iterator[Problem]:
    """Find what is wrong with each route, and which of them conflict.

    Args:
        routes: All of them.
        services: The names and kinds of the configured services.
    """
    kinds = dict(services)
    places = []
    for route in routes:
        place = _read_place(route)
        if place is not None:
            places.append((place, route))
        for key, message, mend in _find(route, kinds):
            where = f"routes.{route.name}" + (f".{key}" if key else "")
            yield Problem(message, where, mend)
    yield from RouteTable(places).problems


def _read_place(route: RouteSettings) -> Place | None:
    try:
        return place_of(route)
    except TemplateError:
        return None


def _find(
    route: RouteSettings, services: dict[str, str]
) -> Iterator[tuple[str, str, str]]:
    given = [kind for kind in TARGETS if getattr(route, kind) is not None]
    if len(given) != 1:
        yield "", "must lead to exactly one target", f"give one of {', '.join(TARGETS)}"
    try:
        template = parse_template(route.path)
    except TemplateError as error:
        yield "path", str(error), "write it as /users/{id} or /files/*"
        return
    yield from _find_in_access(route)
    for method in route.methods:
        if method not in _METHODS:
            yield "methods", f'"{method}" is no method', "write it in capitals: GET"
    if route.service is not None:
        yield from _find_in_service(route.service, services.get(route.service))
    yield from _find_in_rewrite(route, template.names)


def _find_in_access(route: RouteSettings) -> Iterator[tuple[str, str, str]]:
    if route.host is not None:
        try:
            parse_host(route.host)
        except TemplateError as error:
            yield "host", str(error), "write it as api.example.com or *.example.com"
    for key in ("allow_ips", "deny_ips"):
        for cidr in getattr(route, key):
            if not _is_network(cidr):
                mend = "write it as 10.0.0.0/8"
                yield key, f'"{cidr}" is not an address or network', mend
    if route.rate_limit is not None:
        try:
            parse_duration(route.rate_limit.window)
        except ValueError as error:
            yield "rate_limit.window", str(error), "write it as 1m"


def _is_network(cidr: str) -> bool:
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        return False
    return True


def _find_in_service(name: str, kind: str | None) -> Iterator[tuple[str, str, str]]:
    if kind is None:
        yield "service", f'there is no service "{name}"', "add it under services"
    elif kind != "http":
        yield "service", f'service "{name}" does not speak HTTP', "use grpc"


def _find_in_rewrite(
    route: RouteSettings, known: frozenset[str]
) -> Iterator[tuple[str, str, str]]:
    if route.strip_prefix is not None and not _is_prefix(
        route.strip_prefix, route.path
    ):
        mend = "give whole segments from the beginning of the path"
        yield "strip_prefix", "is not the beginning of the path", mend
    if route.strip_prefix is not None and route.rewrite is not None:
        yield "rewrite", "cannot be given beside strip_prefix", "remove one of them"
    if route.rewrite is None:
        return
    try:
        wanted = parse_template(route.rewrite).names
    except TemplateError as error:
        yield "rewrite", str(error), "write it as /users/{id}"
        return
    for name in sorted(wanted - known):
        yield "rewrite", f'the path has no parameter "{name}"', "name one of the path's"


def _is_prefix(prefix: str, path: str) -> bool:
    return "{" not in prefix and path.startswith(prefix.rstrip("/") + "/")
