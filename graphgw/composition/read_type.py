"""One type of a subgraph: its definition and extensions folded into one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    EnumTypeDefinitionNode,
    EnumTypeExtensionNode,
    InputObjectTypeDefinitionNode,
    InputObjectTypeExtensionNode,
    InterfaceTypeDefinitionNode,
    InterfaceTypeExtensionNode,
    ObjectTypeDefinitionNode,
    ObjectTypeExtensionNode,
    TypeExtensionNode,
    UnionTypeDefinitionNode,
    UnionTypeExtensionNode,
)

from graphgw.composition.subgraph import (
    Element,
    Override,
    SubgraphArgument,
    SubgraphField,
    SubgraphType,
)
from graphgw.composition.type_refs import read_type_ref
from graphgw.errors import ConfigurationError
from graphgw.federation.api_schema import KEPT_DIRECTIVES
from graphgw.federation.field_sets import parse_field_set, print_field_set
from graphgw.federation.rule_arguments import complete_arguments
from graphgw.federation.rule_definitions import RULE_NAMES
from graphgw.federation.supergraph import AppliedDirective, ContextArgument, Key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphgw.composition.findings import Findings
    from graphgw.composition.names import Names
    from graphgw.federation.selection import Selections
    from graphgw.federation.supergraph import TypeKind
    from graphgw.types import JSON

__all__ = ["ROOT_TYPES", "TypeReader"]

ROOT_TYPES: Final = frozenset({"Query", "Mutation", "Subscription"})

_KINDS: Final[tuple[tuple[Any, TypeKind], ...]] = (
    ((ObjectTypeDefinitionNode, ObjectTypeExtensionNode), "object"),
    ((InterfaceTypeDefinitionNode, InterfaceTypeExtensionNode), "interface"),
    ((UnionTypeDefinitionNode, UnionTypeExtensionNode), "union"),
    ((EnumTypeDefinitionNode, EnumTypeExtensionNode), "enum"),
    ((InputObjectTypeDefinitionNode, InputObjectTypeExtensionNode), "input"),
)

_KIND_WORDS: Final = {"object": "an object type", "input": "an input type"}

_FROM_CONTEXT: Final = re.compile(r"\s*\$([_A-Za-z][_0-9A-Za-z]*)\s*(.*)", re.DOTALL)

_SERVICE_FIELDS: Final = frozenset({"_service", "_entities"})


class TypeReader:
    """Reads the types of one subgraph."""

    def __init__(
        self,
        subgraph: str,
        names: Names,
        renames: Mapping[str, str],
        findings: Findings,
    ) -> None:
        self._subgraph = subgraph
        self._names = names
        self._renames = renames
        self._findings = findings

    def read(self, name: str, nodes: list[Any]) -> SubgraphType | None:
        """Fold a definition and its extensions into one type."""
        kinds = {_kind(node) for node in nodes}
        if len(kinds) > 1:
            self._findings.problem(
                f'subgraph "{self._subgraph}" has "{name}" as more than one kind of'
                f" type: {', '.join(sorted(kinds))}",
                name,
            )
            return None
        kind = kinds.pop()
        if sum(not isinstance(node, TypeExtensionNode) for node in nodes) > 1:
            self._findings.problem(
                f'subgraph "{self._subgraph}" defines the type more than once',
                name,
                'Begin all but one definition with "extend".',
            )
        directives = [d for node in nodes for d in node.directives or ()]
        applied = list(self._names.applied(tuple(directives)))
        flags = {directive for directive, _ in applied}
        is_interface_object = "interfaceObject" in flags
        is_entity = "key" in flags
        is_extension = "extends" in flags or all(
            isinstance(node, TypeExtensionNode) for node in nodes
        )
        return SubgraphType(
            name=name,
            **self._element(nodes, applied, directives),
            kind="interface" if is_interface_object else kind,
            is_interface_object=is_interface_object,
            is_extension=is_extension and is_entity and name not in ROOT_TYPES,
            keys=self._keys(name, kind, applied),
            interfaces=tuple(dict.fromkeys(self._references(nodes, "interfaces"))),
            fields=self._fields(name, kind, nodes)
            if kind in {"object", "interface"}
            else {},
            inputs=self._inputs(name, nodes) if kind == "input" else {},
            values=self._values(nodes) if kind == "enum" else {},
            members=tuple(dict.fromkeys(self._references(nodes, "types"))),
            contexts=tuple(
                f"{self._subgraph}__{arguments.get('name')}"
                for directive, arguments in applied
                if directive == "context"
            ),
        )

    def _references(self, nodes: list[Any], attribute: str) -> Iterable[str]:
        for node in nodes:
            for reference in getattr(node, attribute, None) or ():
                name = reference.name.value
                yield self._renames.get(name, name)

    def _element(
        self,
        nodes: list[Any],
        applied: Iterable[tuple[str, dict[str, JSON]]],
        directives: Iterable[Any],
    ) -> dict[str, Any]:
        """Return what every element has, except its name."""
        descriptions = (getattr(node, "description", None) for node in nodes)
        return {
            "description": next((d for d in descriptions if d is not None), None),
            "kept": tuple(d for d in directives if d.name.value in KEPT_DIRECTIVES),
            "applied": tuple(
                AppliedDirective(name, complete_arguments(name, arguments))
                for name, arguments in applied
                if name in RULE_NAMES or name in self._names.composed
            ),
        }

    def _keys(
        self, name: str, kind: TypeKind, applied: list[tuple[str, dict[str, JSON]]]
    ) -> tuple[Key, ...]:
        if kind == "interface" and not self._names.is_federation_2:
            return ()
        keys: list[Key] = []
        for directive, arguments in applied:
            if directive != "key":
                continue
            fields = self._field_set(arguments.get("fields"), "@key", name)
            if fields:
                is_resolvable = arguments.get("resolvable", True) is not False
                key = Key(fields, print_field_set(fields), is_resolvable)
                if key not in keys:
                    keys.append(key)
        return tuple(keys)

    def _fields(
        self, type_name: str, kind: TypeKind, nodes: list[Any]
    ) -> dict[str, SubgraphField]:
        fields: dict[str, SubgraphField] = {}
        for node in nodes:
            on_type = {name for name, _ in self._names.applied(node.directives)}
            for member in node.fields or ():
                name = member.name.value
                if type_name == "Query" and name in _SERVICE_FIELDS:
                    continue
                if name in fields:
                    self._findings.problem(
                        f'subgraph "{self._subgraph}" defines the field twice',
                        f"{type_name}.{name}",
                    )
                fields[name] = self._field(type_name, kind, member, on_type)
        return fields

    def _field(
        self, type_name: str, kind: TypeKind, node: Any, on_type: set[str]
    ) -> SubgraphField:
        name = node.name.value
        coordinate = f"{type_name}.{name}"
        applied = list(self._names.applied(node.directives))
        flags = on_type.union(directive for directive, _ in applied)
        given = dict(applied)
        context_arguments = []
        arguments = {}
        for argument in node.arguments or ():
            filled = self._from_context(argument, coordinate)
            if filled:
                context_arguments.append(filled)
            else:
                arguments[argument.name.value] = self._input(argument)
        return SubgraphField(
            name=name,
            **self._element([node], applied, node.directives or ()),
            type=read_type_ref(node.type, self._renames),
            arguments=arguments,
            is_external="external" in flags and kind == "object",
            is_shareable="shareable" in flags or not self._names.is_federation_2,
            requires=self._given(given, "requires", coordinate),
            provides=self._given(given, "provides", coordinate),
            override=_override(given),
            context_arguments=tuple(context_arguments),
        )

    def _from_context(self, node: Any, coordinate: str) -> ContextArgument | None:
        given = dict(self._names.applied(node.directives))
        if "fromContext" not in given:
            return None
        match = _FROM_CONTEXT.fullmatch(str(given["fromContext"].get("field")))
        if match is None:
            self._findings.problem(
                f'subgraph "{self._subgraph}": @fromContext must read'
                ' "$context { field }"',
                f"{coordinate}({node.name.value}:)",
            )
            return None
        return ContextArgument(
            name=node.name.value,
            type=str(read_type_ref(node.type, self._renames)),
            context=f"{self._subgraph}__{match[1]}",
            selection=match[2].strip(),
        )

    def _inputs(self, type_name: str, nodes: list[Any]) -> dict[str, SubgraphArgument]:
        inputs: dict[str, SubgraphArgument] = {}
        for node in nodes:
            for member in node.fields or ():
                if member.name.value in inputs:
                    self._findings.problem(
                        f'subgraph "{self._subgraph}" defines the field twice',
                        f"{type_name}.{member.name.value}",
                    )
                inputs[member.name.value] = self._input(member)
        return inputs

    def _input(self, node: Any) -> SubgraphArgument:
        applied = self._names.applied(node.directives)
        return SubgraphArgument(
            name=node.name.value,
            **self._element([node], applied, node.directives or ()),
            type=read_type_ref(node.type, self._renames),
            default=node.default_value,
        )

    def _values(self, nodes: list[Any]) -> dict[str, Element]:
        return {
            value.name.value: Element(
                name=value.name.value,
                **self._element(
                    [value],
                    self._names.applied(value.directives),
                    value.directives or (),
                ),
            )
            for node in nodes
            for value in node.values or ()
        }

    def _given(
        self, given: Mapping[str, dict[str, JSON]], directive: str, coordinate: str
    ) -> Selections:
        if directive not in given:
            return ()
        fields = given[directive].get("fields")
        return self._field_set(fields, f"@{directive}", coordinate)

    def _field_set(self, value: JSON, directive: str, coordinate: str) -> Selections:
        text = " ".join(map(str, value)) if isinstance(value, list) else value
        if not isinstance(text, str):
            self._findings.problem(
                f'subgraph "{self._subgraph}": {directive} needs "fields"', coordinate
            )
            return ()
        try:
            return parse_field_set(text)
        except ConfigurationError as error:
            self._findings.problem(
                f'subgraph "{self._subgraph}": {directive}: {error.message}', coordinate
            )
            return ()


def _kind(node: Any) -> TypeKind:
    return next((kind for cls, kind in _KINDS if isinstance(node, cls)), "scalar")


def _override(given: Mapping[str, dict[str, JSON]]) -> Override | None:
    if "override" not in given:
        return None
    label = given["override"].get("label")
    source = str(given["override"].get("from"))
    return Override(source, label if isinstance(label, str) else None)
