"""The path and the query of a request, as its service is to see them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from graphgw.routes.templates import Template, parse_template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphgw.routes.exchange import RequestHead
    from graphgw.routes.settings import RouteSettings

__all__ = ["build_target", "set_query"]


def build_target(route: RouteSettings) -> Callable[[RequestHead], str]:
    """Return what turns a request into the path and query at the service."""
    prefix = route.strip_prefix
    template = None if route.rewrite is None else parse_template(route.rewrite)

    def target(head: RequestHead) -> str:
        path = _rewrite(head, prefix, template)
        return f"{path}?{head.query}" if head.query else path

    return target


def _rewrite(head: RequestHead, prefix: str | None, template: Template | None) -> str:
    if template is not None:
        return template.fill(head.parameters)
    if prefix is None:
        return head.path
    rest = head.path[len(prefix.rstrip("/")) :]
    return rest if rest.startswith("/") else f"/{rest}"


def set_query(query: str, changes: Sequence[tuple[str, str]]) -> str:
    """Return a query in which these parameters have these values and no others."""
    names = {name for name, _ in changes}
    kept = [
        part
        for part in query.split("&")
        if part and unquote_plus(part.partition("=")[0]) not in names
    ]
    kept += [
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in changes
    ]
    return "&".join(kept)
