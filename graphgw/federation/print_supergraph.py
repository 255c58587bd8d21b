"""The supergraph model to its SDL, written with join v0.5; the reader's inverse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    ConstDirectiveNode,
    EnumTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    is_specified_directive,
    parse,
    print_ast,
)

from graphgw.federation.api_schema import KEPT_DIRECTIVES, named_type
from graphgw.federation.field_sets import print_field_set
from graphgw.federation.print_header import (
    CONTEXT_DEFINITION,
    JOIN_DEFINITIONS,
    has_contexts,
    print_schema_definition,
)
from graphgw.federation.rule_arguments import rule_definition
from graphgw.federation.rule_definitions import RULE_TYPES, RULES
from graphgw.federation.supergraph import FieldInGraph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import DirectiveDefinitionNode

    from graphgw.federation.supergraph import (
        AppliedDirective,
        FieldDefinition,
        Supergraph,
        TypeDefinition,
    )
    from graphgw.types import JSON

__all__ = ["print_supergraph"]

_WIDTH: Final = 88

_KEYWORDS: Final = {"object": "type"}


def print_supergraph(supergraph: Supergraph) -> str:
    """Print a supergraph as SDL that any federation gateway reads.

    The text depends on the model alone: graphs, types and directives are sorted by
    name, fields keep their order. Reading it gives the model back, whatever dialect
    it once came from; ``supergraph.sdl`` is not looked at.
    """
    return _Printer(supergraph).print()


class _Printer:
    """Holds what every part of the SDL needs to know."""

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self._used_rules = {
            applied.name for found in supergraph.rules.values() for applied in found
        }
        self._definitions = _definitions(supergraph.directives)
        self._enums = {"policies__RateKey", "policies__CacheControlScope"} | {
            name
            for name, definition in supergraph.types.items()
            if definition.kind == "enum"
        }

    def print(self) -> str:
        supergraph = self._supergraph
        types = sorted(supergraph.types.items())
        blocks = [
            print_schema_definition(supergraph, self._used_rules),
            *JOIN_DEFINITIONS,
            *([CONTEXT_DEFINITION] if has_contexts(supergraph) else []),
            *self._rule_definitions(),
            *(text for _, text in sorted(supergraph.directives.items())),
            *sorted(
                print_ast(directive.ast_node)
                for directive in supergraph.schema.directives
                if directive.ast_node
                and not is_specified_directive(directive)
                and directive.name not in supergraph.directives
            ),
            self._graphs(),
            *(self._type(definition) for _, definition in types),
        ]
        return "\n\n".join(blocks) + "\n"

    def _rule_definitions(self) -> Iterator[str]:
        mentioned: set[str] = set()
        for name, rule in RULES.items():
            if name in self._used_rules:
                separator = "" if rule.signature.startswith("(") else " "
                yield f"directive @{name}{separator}{rule.signature}"
                mentioned.update(t for t in RULE_TYPES if t in rule.signature)
        yield from (text for name, text in RULE_TYPES.items() if name in mentioned)

    def _graphs(self) -> str:
        lines = [
            f"  {graph.id} @join__graph(name: {_string(graph.name)},"
            f" url: {_string(graph.url)})"
            for _, graph in sorted(self._supergraph.graphs.items())
        ]
        return "\n".join(["enum join__Graph {", *lines, "}"])

    def _type(self, definition: TypeDefinition) -> str:
        node = self._supergraph.schema.type_map[definition.name].ast_node
        keyword = _KEYWORDS.get(definition.kind, definition.kind)
        head = f"{_description(node, '')}{keyword} {definition.name}"
        interfaces = getattr(node, "interfaces", None) or ()
        if interfaces:
            head += " implements " + " & ".join(i.name.value for i in interfaces)
        directives = [*self._type_directives(definition), *_kept(node)]
        directives += self._rules(definition.name)
        lines = [head, *(f"  {directive}" for directive in directives)]
        if isinstance(node, ScalarTypeDefinitionNode):
            return "\n".join(lines)
        if definition.kind == "union":
            members = [
                member.name.value for member in getattr(node, "types", None) or ()
            ]
            return "\n".join([*lines, "  = " + " | ".join(members)])
        if isinstance(node, EnumTypeDefinitionNode):
            body = self._values(definition, node)
        else:
            body = [
                self._field(definition, field, definition.fields[field.name.value])
                for field in getattr(node, "fields", None) or ()
            ]
        return "\n".join([*lines, "{", *body, "}"])

    def _type_directives(self, definition: TypeDefinition) -> Iterator[str]:
        for graph, there in sorted(definition.graphs.items()):
            flags = ", extension: true" if there.is_extension else ""
            if there.is_interface_object:
                flags += ", isInterfaceObject: true"
            for key in there.keys:
                resolvable = "" if key.is_resolvable else ", resolvable: false"
                key_text = _string(print_field_set(key.fields))
                yield f"@join__type(graph: {graph}, key: {key_text}{resolvable}{flags})"
            if not there.keys:
                yield f"@join__type(graph: {graph}{flags})"
        for graph, interfaces in sorted(definition.interfaces.items()):
            for name in interfaces:
                yield f'@join__implements(graph: {graph}, interface: "{name}")'
        if definition.kind == "union":
            members = self._supergraph.possible[definition.name]
            for graph, names in sorted(members.items()):
                for name in sorted(names):
                    yield f'@join__unionMember(graph: {graph}, member: "{name}")'
        contexts = {name for found in definition.contexts.values() for name in found}
        yield from (f"@context(name: {_string(name)})" for name in sorted(contexts))

    def _field(
        self, owner: TypeDefinition, node: Any, definition: FieldDefinition
    ) -> str:
        coordinate = f"{owner.name}.{definition.name}"
        arguments = [
            self._input_value(argument, f"{coordinate}({argument.name.value}:)")
            for argument in getattr(node, "arguments", None) or ()
        ]
        head = f"{_description(node, '  ')}  {definition.name}"
        if any("\n" in argument for argument in arguments):
            lines = "\n".join(
                "    " + text.replace("\n", "\n    ") for text in arguments
            )
            head += f"(\n{lines}\n  )"
        elif arguments:
            head += f"({', '.join(arguments)})"
        head += f": {definition.type}"
        default = getattr(node, "default_value", None)
        if default is not None:
            head += f" = {print_ast(default)}"
        directives = [
            *_field_directives(owner, definition),
            *_kept(node),
            *self._rules(coordinate),
        ]
        one_line = " ".join([head, *directives])
        if len(one_line.rsplit("\n", 1)[-1]) <= _WIDTH:
            return one_line
        return "\n    ".join([head, *directives])

    def _values(
        self, definition: TypeDefinition, node: EnumTypeDefinitionNode
    ) -> list[str]:
        lines = []
        for value in node.values or ():
            name = value.name.value
            graphs = sorted(definition.values.get(name, ()))
            directives = [
                *(f"@join__enumValue(graph: {graph})" for graph in graphs),
                *_kept(value),
                *self._rules(f"{definition.name}.{name}"),
            ]
            lines.append(
                " ".join([f"{_description(value, '  ')}  {name}", *directives])
            )
        return lines

    def _input_value(self, node: Any, coordinate: str) -> str:
        text = f"{_description(node, '')}{node.name.value}: {print_ast(node.type)}"
        if node.default_value is not None:
            text += f" = {print_ast(node.default_value)}"
        return " ".join([text, *_kept(node), *self._rules(coordinate)])

    def _rules(self, coordinate: str) -> Iterator[str]:
        for applied in self._supergraph.rules.get(coordinate, ()):
            if applied.graph is None:
                yield _application(applied.name, self._arguments(applied))
            else:
                given = _value(applied.arguments, None, frozenset())
                yield (
                    f"@join__directive(graphs: [{applied.graph}],"
                    f" name: {_string(applied.name)}, args: {given})"
                )

    def _arguments(self, applied: AppliedDirective) -> str:
        definition = self._definitions.get(applied.name)
        types = {
            argument.name.value: argument.type
            for argument in (definition.arguments or () if definition else ())
        }
        return ", ".join(
            f"{name}: {_value(value, types.get(name), self._enums)}"
            for name, value in applied.arguments.items()
        )


def _definitions(composed: Mapping[str, str]) -> dict[str, DirectiveDefinitionNode]:
    found = {name: rule_definition(name) for name in RULES}
    for name, text in composed.items():
        document: Any = parse(text)
        found[name] = document.definitions[0]
    return found


def _field_directives(
    owner: TypeDefinition, definition: FieldDefinition
) -> Iterator[str]:
    is_everywhere = definition.graphs.keys() == owner.graphs.keys()
    plain = FieldInGraph()
    if is_everywhere and all(there == plain for there in definition.graphs.values()):
        return
    if not definition.graphs:
        yield "@join__field"
    for graph, there in sorted(definition.graphs.items()):
        arguments = [f"graph: {graph}"]
        if there.requires:
            arguments.append(f"requires: {_string(print_field_set(there.requires))}")
        if there.provides:
            arguments.append(f"provides: {_string(print_field_set(there.provides))}")
        if there.type is not None:
            arguments.append(f"type: {_string(there.type)}")
        if there.is_external:
            arguments.append("external: true")
        if there.override is not None:
            arguments.append(f"override: {_string(there.override)}")
        if there.is_overridden:
            arguments.append("usedOverridden: true")
        if there.override_label is not None:
            arguments.append(f"overrideLabel: {_string(there.override_label)}")
        if there.context_arguments:
            items = ", ".join(
                f"{{context: {_string(a.context)}, name: {_string(a.name)},"
                f" type: {_string(a.type)}, selection: {_string(a.selection)}}}"
                for a in there.context_arguments
            )
            arguments.append(f"contextArguments: [{items}]")
        yield _application("join__field", ", ".join(arguments))


def _application(name: str, arguments: str) -> str:
    return f"@{name}({arguments})" if arguments else f"@{name}"


def _kept(node: Any) -> Iterator[str]:
    """Yield the applied directives to which GraphQL itself gives a meaning."""
    directives: tuple[ConstDirectiveNode, ...] = getattr(node, "directives", None) or ()
    for directive in directives:
        if directive.name.value in KEPT_DIRECTIVES:
            yield print_ast(directive)


def _description(node: Any, margin: str) -> str:
    """Print a description with the line break after it, or nothing."""
    if node is None or node.description is None:
        return ""
    text = print_ast(node.description)
    return "\n".join(margin + line if line else "" for line in text.split("\n")) + "\n"


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _value(value: JSON, type_node: Any, enums: frozenset[str] | set[str]) -> str:
    """Print a JSON value as GraphQL; strings are enum values where the type says so."""
    if isinstance(value, dict):
        fields = (f"{name}: {_value(v, None, enums)}" for name, v in value.items())
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item, type_node, enums) for item in value) + "]"
    if isinstance(value, str) and type_node is not None:
        return value if named_type(type_node) in enums else _string(value)
    return json.dumps(value, ensure_ascii=False)
