"""A supergraph SDL, parsed and sorted into its own types and the join machinery."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    DirectiveDefinitionNode,
    EnumTypeDefinitionNode,
    GraphQLSyntaxError,
    NamedTypeNode,
    NameNode,
    OperationType,
    OperationTypeDefinitionNode,
    SchemaDefinitionNode,
    TypeDefinitionNode,
    TypeExtensionNode,
    parse,
)

from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.api_schema import (
    KEPT_DIRECTIVES,
    TYPE_SYSTEM_LOCATIONS,
    named_type,
)
from graphgw.federation.links import (
    APOLLO,
    directive_arguments,
    read_links,
    schema_nodes,
)
from graphgw.federation.rule_definitions import RULE_NAMES
from graphgw.federation.supergraph import Graph

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import DocumentNode

    from graphgw.federation.links import Link, Links, Meaning
    from graphgw.federation.supergraph import OperationKind
    from graphgw.types import JSON

__all__ = ["SupergraphDocument", "read_document"]

_KNOWN_SPECS: Final[dict[str, frozenset[tuple[int, int]] | None]] = {
    "link": None,
    "core": frozenset({(0, 1), (0, 2)}),
    "join": frozenset({(0, 1), (0, 2), (0, 3), (0, 4), (0, 5)}),
    "inaccessible": frozenset({(0, 1), (0, 2)}),
    "tag": None,
    "cost": None,
    "authenticated": None,
    "requiresScopes": None,
    "policy": None,
    "context": None,
    "connect": None,
    "source": None,
    "cacheTag": None,
}
"""Specifications the gateway knows, and the versions where not any will do."""

_MACHINERY: Final = KEPT_DIRECTIVES | {"link", "core", "skip", "include"}

_JOIN_DIRECTIVES: Final = frozenset(
    {
        "directive",
        "enumValue",
        "field",
        "graph",
        "implements",
        "owner",
        "type",
        "unionMember",
    }
)


@dataclass(frozen=True, slots=True)
class SupergraphDocument:
    """The parts of a supergraph SDL; ``problems`` grows while it is read."""

    links: Links
    join: Link
    graphs: Mapping[str, Graph]
    root_types: Mapping[OperationKind, str]
    schema: SchemaDefinitionNode
    types: tuple[TypeDefinitionNode, ...]
    directives: tuple[DirectiveDefinitionNode, ...]
    composed: Mapping[str, DirectiveDefinitionNode] = field(default_factory=dict)
    """Other subgraph directives that reached the supergraph, by canonical name."""
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_federation_1(self) -> bool:
        """Tell whether this is a join v0.1 supergraph, with owners."""
        return self.join.version == (0, 1)

    def joins(self, node: Any, element: str) -> Iterator[dict[str, JSON]]:
        """Yield the arguments of every ``@join__<element>`` applied to ``node``."""
        for directive in node.directives or ():
            meaning = self.links.directive(directive.name.value)
            if meaning.name == element and meaning.is_in("join"):
                yield directive_arguments(directive)

    def has(self, node: Any, spec: str) -> bool:
        """Tell whether the directive named like its specification is applied."""
        return any(
            meaning.name == spec and (meaning.link is None or meaning.is_in(spec))
            for directive in node.directives or ()
            for meaning in [self.links.directive(directive.name.value)]
        )

    def graph_of(self, arguments: Mapping[str, JSON], where: str) -> str | None:
        """Return the subgraph that a join directive names, if it exists."""
        graph = arguments.get("graph")
        if isinstance(graph, str) and graph in self.graphs:
            return graph
        if graph is not None:
            self.problems.append(Problem(f'no subgraph has the id "{graph}"', where))
        return None


def read_document(sdl: str) -> SupergraphDocument:
    """Parse a supergraph SDL and check that the gateway knows what it demands.

    Raises:
        ConfigurationError: The text does not parse, is not a supergraph, or is
            linked to a specification that must be known and is not.
    """
    try:
        document = parse(sdl)
    except GraphQLSyntaxError as error:
        line = error.locations[0].line if error.locations else 1
        raise ConfigurationError([Problem(error.message, f"line {line}")]) from error
    links = read_links(document)
    join = links.spec("join")
    problems = list(_unknown_specs(links.all))
    if join is None:
        message = "this is not a supergraph: its schema has no @link to join"
        problems.append(Problem(message, None, "Compose the subgraphs first."))
    if problems or join is None:
        raise ConfigurationError(problems)
    return _sorted_out(document, links, join)


def _sorted_out(document: DocumentNode, links: Links, join: Link) -> SupergraphDocument:
    root_types = _root_types(document)
    definitions = [n for n in document.definitions if isinstance(n, TypeDefinitionNode)]
    own = [
        node
        for node in definitions
        if links.type(node.name.value).link is None or _has_join(node, links)
    ]
    problems = [
        Problem(f'"{node.name.value}" is extended; a supergraph has no extensions')
        for node in document.definitions
        if isinstance(node, TypeExtensionNode)
    ]
    directives = tuple(
        node
        for node in document.definitions
        if isinstance(node, DirectiveDefinitionNode)
        and links.directive(node.name.value).link is None
    )
    known = {node.name.value for node in own}
    for kind, name in root_types.items():
        if name not in known:
            problems.append(Problem(f'the {kind} type "{name}" is not defined'))
    if "query" not in root_types:
        problems.append(Problem("the supergraph has no query type"))
    return SupergraphDocument(
        links=links,
        join=join,
        graphs=dict(_graphs(definitions, links)),
        root_types=root_types,
        schema=_schema_definition(document, root_types),
        types=tuple(_used(own, directives, set(root_types.values()), links)),
        directives=directives,
        composed=dict(_composed(document, links)),
        problems=problems,
    )


def _composed(
    document: DocumentNode, links: Links
) -> Iterator[tuple[str, DirectiveDefinitionNode]]:
    """Yield directives of the subgraphs' own that apply to parts of the schema."""
    for node in document.definitions:
        if not isinstance(node, DirectiveDefinitionNode):
            continue
        meaning = links.directive(node.name.value)
        is_machinery = meaning.link is not None and meaning.link.is_apollo
        name = meaning.name
        if is_machinery or name in RULE_NAMES or name in _MACHINERY:
            continue
        if any(location.value in TYPE_SYSTEM_LOCATIONS for location in node.locations):
            yield name, replace(node, name=NameNode(value=name))


def _unknown_specs(links: Iterable[Link]) -> Iterator[Problem]:
    for link in links:
        name = link.identity.removeprefix(APOLLO) if link.is_apollo else None
        versions = _KNOWN_SPECS.get(name or "", frozenset())
        is_known = versions is None or link.version in versions
        must_be_known = link.purpose is not None or name == "join"
        if must_be_known and not is_known:
            yield Problem(
                f'the specification "{link.url}" is not known, and the supergraph'
                f" may not be served without it (for: {link.purpose})",
                f"line {link.line}" if link.line else None,
                "Compose with a version of federation that this gateway supports.",
            )


def _has_join(node: TypeDefinitionNode, links: Links) -> bool:
    return any(
        meaning.is_in("join") and meaning.name in _JOIN_DIRECTIVES
        for directive in node.directives or ()
        for meaning in [links.directive(directive.name.value)]
    )


def _root_types(document: DocumentNode) -> dict[OperationKind, str]:
    found: dict[OperationKind, str] = {}
    for node in schema_nodes(document):
        for root in node.operation_types or ():
            found[root.operation.value] = root.type.name.value
    if found:
        return found
    names = {
        node.name.value
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode)
    }
    kinds: tuple[OperationKind, ...] = ("query", "mutation", "subscription")
    return {kind: kind.title() for kind in kinds if kind.title() in names}


def _schema_definition(
    document: DocumentNode, root_types: Mapping[OperationKind, str]
) -> SchemaDefinitionNode:
    return SchemaDefinitionNode(
        directives=tuple(
            directive
            for node in schema_nodes(document)
            for directive in node.directives or ()
        ),
        operation_types=tuple(
            OperationTypeDefinitionNode(
                operation=OperationType(kind),
                type=NamedTypeNode(name=NameNode(value=name)),
            )
            for kind, name in root_types.items()
        ),
    )


def _graphs(
    definitions: Iterable[TypeDefinitionNode], links: Links
) -> Iterator[tuple[str, Graph]]:
    for node in definitions:
        meaning = links.type(node.name.value)
        is_graph = meaning.name == "Graph" and meaning.is_in("join")
        if not (is_graph and isinstance(node, EnumTypeDefinitionNode)):
            continue
        for value in node.values or ():
            graph_id = value.name.value
            arguments = _graph_arguments(value, links)
            name = arguments.get("name") or graph_id
            yield graph_id, Graph(graph_id, str(name), str(arguments.get("url") or ""))


def _graph_arguments(value: Any, links: Links) -> dict[str, JSON]:
    for directive in value.directives or ():
        meaning: Meaning = links.directive(directive.name.value)
        if meaning.name == "graph" and meaning.is_in("join"):
            return directive_arguments(directive)
    return {}


def _used(
    types: list[TypeDefinitionNode],
    directives: Iterable[DirectiveDefinitionNode],
    roots: set[str],
    links: Links,
) -> Iterator[TypeDefinitionNode]:
    """Leave out types that only type-system directives mention (their arguments)."""
    mentioned = {
        named_type(argument.type)
        for directive in directives
        for argument in directive.arguments or ()
    }
    used = set(roots)
    for node in types:
        for member in getattr(node, "fields", None) or ():
            used.add(named_type(member.type))
            arguments = getattr(member, "arguments", None) or ()
            used.update(named_type(argument.type) for argument in arguments)
    for node in types:
        name = node.name.value
        if name in used or name not in mentioned or _has_join(node, links):
            yield node
