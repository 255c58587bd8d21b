"""Subgraph SDL to a normalized subgraph, in both dialects of federation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from graphql import (
    DirectiveDefinitionNode,
    GraphQLSyntaxError,
    TypeDefinitionNode,
    TypeExtensionNode,
    parse,
)

from graphgw.composition.names import Names
from graphgw.composition.read_type import TypeReader
from graphgw.composition.subgraph import Subgraph
from graphgw.composition.usage import settle_externals, with_usage
from graphgw.federation.api_schema import (
    EXECUTABLE_LOCATIONS,
    KEPT_DIRECTIVES,
    TYPE_SYSTEM_LOCATIONS,
    named_type,
)
from graphgw.federation.links import read_links, schema_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import DocumentNode

    from graphgw.composition.findings import Findings
    from graphgw.composition.subgraph import SubgraphSDL

__all__ = ["read_subgraph"]

_BUILT_IN: Final = KEPT_DIRECTIVES | {"skip", "include"}

_ROOTS: Final = {
    "query": "Query",
    "mutation": "Mutation",
    "subscription": "Subscription",
}


def read_subgraph(
    source: SubgraphSDL, graph_id: str, findings: Findings
) -> Subgraph | None:
    """Read one subgraph; ``None`` if its SDL does not even parse.

    Extensions are folded into their types, root types are renamed, federation's own
    definitions are left out. What is wrong is added to ``findings``.
    """
    try:
        document = parse(source.sdl)
    except GraphQLSyntaxError as error:
        line = f" (line {error.locations[0].line})" if error.locations else ""
        findings.problem(f'subgraph "{source.name}": {error.message}{line}')
        return None
    links = read_links(document)
    federation = links.spec("federation")
    if federation and federation.version and federation.version[0] != 2:  # noqa: PLR2004 - the major version
        findings.problem(
            f'subgraph "{source.name}" is linked to "{federation.url}", which is not'
            " a version of Federation 2"
        )
    names = Names(document, links, findings, source.name)
    renames = _renames(document, source.name, findings)
    reader = TypeReader(source.name, names, renames, findings)
    types = {
        name: reader.read(name, nodes)
        for name, nodes in _types(document, names, renames).items()
    }
    definitions = [
        n for n in document.definitions if isinstance(n, DirectiveDefinitionNode)
    ]
    subgraph = Subgraph(
        id=graph_id,
        name=source.name,
        url=source.url,
        is_federation_2=names.is_federation_2,
        types={name: found for name, found in types.items() if found is not None},
        executable=dict(_executable(definitions, names)),
        composed={
            node.name.value: node
            for node in definitions
            if names.is_composed(node.name.value)
            and any(x.value in TYPE_SYSTEM_LOCATIONS for x in node.locations)
        },
    )
    return settle_externals(with_usage(subgraph))


def _renames(
    document: DocumentNode, subgraph: str, findings: Findings
) -> dict[str, str]:
    """Return the new names of root types that are not called as usual."""
    roots = {
        root.type.name.value: _ROOTS[root.operation.value]
        for node in schema_nodes(document)
        for root in node.operation_types or ()
    }
    defined = {
        node.name.value
        for node in document.definitions
        if isinstance(node, TypeDefinitionNode)
    }
    for old, new in roots.items():
        if new in defined and new not in roots:
            findings.problem(
                f'subgraph "{subgraph}" calls its root type "{old}" and has another'
                f' type named "{new}"',
                new,
                "Rename the other type.",
            )
    return {old: new for old, new in roots.items() if old != new}


def _types(
    document: DocumentNode, names: Names, renames: Mapping[str, str]
) -> dict[str, list[Any]]:
    """Group definitions and extensions by the type's name in the supergraph."""
    grouped: dict[str, list[Any]] = {}
    for node in document.definitions:
        if not isinstance(node, TypeDefinitionNode | TypeExtensionNode):
            continue
        if not names.is_machinery(node.name.value):
            grouped.setdefault(node.name.value, []).append(node)
    unused = _only_in_directives(document, grouped, names)
    return {
        renames.get(name, name): nodes
        for name, nodes in grouped.items()
        if name not in unused
    }


def _only_in_directives(
    document: DocumentNode, types: Mapping[str, list[Any]], names: Names
) -> set[str]:
    """Name the types that only arguments of directives left behind mention."""
    mentioned: set[str] = set()
    used: set[str] = set()
    for node in document.definitions:
        if isinstance(node, DirectiveDefinitionNode):
            stays = names.is_composed(node.name.value) or (
                not names.is_directive_machinery(node.name.value)
                and any(x.value in EXECUTABLE_LOCATIONS for x in node.locations)
            )
            of_arguments = {named_type(a.type) for a in node.arguments or ()}
            (used if stays else mentioned).update(of_arguments)
    used.update(_referenced(node for nodes in types.values() for node in nodes))
    return mentioned - used


def _referenced(nodes: Iterable[Any]) -> Iterator[str]:
    for node in nodes:
        for member in getattr(node, "fields", None) or ():
            yield named_type(member.type)
            for argument in getattr(member, "arguments", None) or ():
                yield named_type(argument.type)


def _executable(
    definitions: Iterable[DirectiveDefinitionNode], names: Names
) -> Iterator[tuple[str, DirectiveDefinitionNode]]:
    for node in definitions:
        name = node.name.value
        if name in _BUILT_IN or names.is_directive_machinery(name):
            continue
        if any(location.value in EXECUTABLE_LOCATIONS for location in node.locations):
            yield name, node
