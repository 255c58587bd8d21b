"""Policy directives as plain data: which ones count, and where they are applied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphgw.federation.links import Links, directive_arguments, link_from_arguments
from graphgw.federation.rule_arguments import complete_arguments
from graphgw.federation.rule_definitions import RULE_NAMES
from graphgw.federation.supergraph import AppliedDirective

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphgw.federation.links import Link
    from graphgw.federation.supergraph_document import SupergraphDocument
    from graphgw.types import JSON

__all__ = ["coordinates", "read_rules"]


def read_rules(
    document: SupergraphDocument,
) -> dict[str, tuple[AppliedDirective, ...]]:
    """Collect the policy directives of a supergraph by schema coordinate.

    Coordinates are ``Type``, ``Type.field``, ``Type.field(argument:)`` and
    ``Enum.VALUE``. Arguments are those that were given, without defaults. ``graph``
    is set only where the SDL says which subgraph a directive comes from.
    """
    carried = _links_by_graph(document)
    known = RULE_NAMES.union(document.composed)
    rules: dict[str, tuple[AppliedDirective, ...]] = {}
    for definition in document.types:
        for coordinate, node in coordinates(definition):
            found: list[AppliedDirective] = []
            for applied in _applied(node, document, carried, known):
                if applied not in found:
                    found.append(applied)
            if found:
                rules[coordinate] = tuple(found)
    return rules


def coordinates(definition: Any) -> Iterator[tuple[str, Any]]:
    """Yield a type definition and all it holds, with their schema coordinates."""
    name = definition.name.value
    yield name, definition
    for value in getattr(definition, "values", None) or ():
        yield f"{name}.{value.name.value}", value
    for field in getattr(definition, "fields", None) or ():
        coordinate = f"{name}.{field.name.value}"
        yield coordinate, field
        for argument in getattr(field, "arguments", None) or ():
            yield f"{coordinate}({argument.name.value}:)", argument


def _applied(
    node: Any,
    document: SupergraphDocument,
    carried: dict[str, Links],
    known: frozenset[str],
) -> Iterator[AppliedDirective]:
    for directive in node.directives or ():
        meaning = document.links.directive(directive.name.value)
        if meaning.name in known and not meaning.is_in("join"):
            given = directive_arguments(directive)
            yield AppliedDirective(
                meaning.name, complete_arguments(meaning.name, given)
            )
    for arguments in document.joins(node, "directive"):
        yield from _carried(arguments, document, carried)


def _carried(
    arguments: dict[str, JSON],
    document: SupergraphDocument,
    carried: dict[str, Links],
) -> Iterator[AppliedDirective]:
    """Read ``@join__directive``: a directive as a subgraph wrote it."""
    given = arguments.get("args")
    for graph in _strings(arguments.get("graphs")):
        links = carried.get(graph, document.links)
        meaning = links.directive(str(arguments.get("name")))
        name = meaning.name if meaning.link else meaning.name.rpartition("__")[2]
        if name in RULE_NAMES:
            stated = given if isinstance(given, dict) else {}
            yield AppliedDirective(name, complete_arguments(name, stated), graph)


def _links_by_graph(document: SupergraphDocument) -> dict[str, Links]:
    found: dict[str, list[Link]] = {}
    for arguments in document.joins(document.schema, "directive"):
        given = arguments.get("args")
        if arguments.get("name") != "link" or not isinstance(given, dict):
            continue
        link = link_from_arguments(given)
        for graph in _strings(arguments.get("graphs")):
            if link:
                found.setdefault(graph, []).append(link)
    return {graph: Links(links) for graph, links in found.items()}


def _strings(value: JSON) -> Iterable[str]:
    return [item for item in value if isinstance(item, str)] if value else []
