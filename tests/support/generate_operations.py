"""Hypothesis strategies that write valid operations for any schema.

``operations(schema)`` draws ``(text, variables)``. The text is valid against the
schema and stays below graphgw's default limits; it holds aliases, arguments as
literals and variables, inline and named fragments, ``@skip`` and ``@include`` with
literals and variables, abstract types and ``__typename``. Equal fields are often
selected twice, so that merging is put to the test.

Conflicts cannot arise: in one document a response key always stands for the same
field name, the same arguments and the same shape of value.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
    is_leaf_type,
)
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLSchema

__all__ = ["input_values", "operations"]

_TEXT = st.text(alphabet='ab1 $"\\{}()#\né☃', max_size=6)
_DEFAULTS: dict[str, st.SearchStrategy[Any]] = {
    "Int": st.integers(-5, 50),
    "Float": st.one_of(st.integers(-5, 5), st.sampled_from([0.5, -2.25, 1e20])),
    "String": _TEXT,
    "Boolean": st.booleans(),
    "ID": st.sampled_from(["1", "2", "3", "x"]),
}


def operations(
    schema: GraphQLSchema,
    *,
    kind: str = "query",
    values: Mapping[str, st.SearchStrategy[Any]] | None = None,
    max_depth: int = 4,
    max_selections: int = 40,
    max_fragments: int = 4,
) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    """Return a strategy of valid operations and variables that fit them.

    Args:
        schema: The schema that clients see.
        kind: ``query``, ``mutation`` or ``subscription``.
        values: JSON input values by the name of a scalar or enum, or by argument
            coordinate (``Query.user(id:)``), where the defaults will not do.
        max_depth: Fields inside each other, the root included.
        max_selections: Selections in all, fragments expanded (roughly).
        max_fragments: Named fragments of a document.
    """
    limits = _Limits(max_depth, max_selections, max_fragments)
    return _operations(schema, kind, {**_DEFAULTS, **(values or {})}, limits)


def input_values(
    type_: Any, values: Mapping[str, st.SearchStrategy[Any]] | None = None
) -> st.SearchStrategy[Any]:
    """Return a strategy of JSON values that fit an input type."""
    return _input_values(type_, {**_DEFAULTS, **(values or {})})


@dataclass(frozen=True)
class _Limits:
    depth: int
    selections: int
    fragments: int
    aliases: int = 25
    directives: int = 40


@dataclass
class _Count:
    selections: int = 0
    aliases: int = 0
    directives: int = 0

    def minus(self, other: _Count) -> _Count:
        return _Count(
            self.selections - other.selections,
            self.aliases - other.aliases,
            self.directives - other.directives,
        )

    def copy(self) -> _Count:
        return self.minus(_Count())


@dataclass(frozen=True)
class _NamedFragment:
    name: str
    type: Any
    text: str
    depth: int
    count: _Count


@dataclass(frozen=True)
class _Variable:
    name: str
    type: str
    default: str | None


@st.composite
def _operations(
    draw: st.DrawFn,
    schema: GraphQLSchema,
    kind: str,
    values: Mapping[str, st.SearchStrategy[Any]],
    limits: _Limits,
) -> tuple[str, dict[str, Any]]:
    writer = _Writer(draw, schema, values, limits)
    body = writer.root(getattr(schema, f"{kind}_type"), is_single=kind[0] == "s")
    used = _used_fragments(body, writer.fragments)
    text = "\n".join([body, *(fragment.text for fragment in used)])
    names = set(re.findall(r"\$(\w+)", _without_strings(text)))
    declared = [found for found in writer.variables if found.name in names]
    head = ", ".join(
        f"${found.name}: {found.type}"
        + ("" if found.default is None else f" = {found.default}")
        for found in declared
    )
    name = draw(st.sampled_from(["", " Generated"])) if not head else " Generated"
    variables = {
        found.name: writer.inputs[found.name]
        for found in declared
        if found.name in writer.inputs
    }
    return f"{kind}{name}{f'({head})' if head else ''} {text}", variables


def _without_strings(text: str) -> str:
    return re.sub(r'"(?:\\.|[^"\\])*"', '""', text)


def _used_fragments(body: str, fragments: list[_NamedFragment]) -> list[_NamedFragment]:
    by_name = {fragment.name: fragment for fragment in fragments}
    used: dict[str, _NamedFragment] = {}
    todo = [body]
    while todo:
        for name in re.findall(r"\.\.\.(F\d+)", _without_strings(todo.pop())):
            if name not in used:
                used[name] = by_name[name]
                todo.append(by_name[name].text)
    return list(used.values())


class _Writer:
    """Writes one document; every choice is drawn."""

    def __init__(
        self,
        draw: st.DrawFn,
        schema: GraphQLSchema,
        values: Mapping[str, st.SearchStrategy[Any]],
        limits: _Limits,
    ) -> None:
        self.fragments: list[_NamedFragment] = []
        self.variables: list[_Variable] = []
        self.inputs: dict[str, Any] = {}
        self._draw = draw
        self._schema = schema
        self._values = values
        self._limits = limits
        self._count = _Count()
        self._fragments_begun = 0
        self._keys: dict[str, tuple[str, str, str]] = {}
        self._arguments: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._conditions = 0

    def root(self, type_: Any, *, is_single: bool) -> str:
        if is_single:
            name = self._draw(st.sampled_from(sorted(type_.fields)))
            field = self._field(type_, name, self._limits.depth, directives=False)
            return f"{{ {field} }}"
        return self._selection_set(type_, self._limits.depth)

    def _chance(self, one_in: int) -> bool:
        return self._draw(st.integers(1, one_in)) == one_in

    # -- selections

    def _selection_set(self, type_: Any, depth: int) -> str:
        is_union = isinstance(type_, GraphQLUnionType)
        parts: list[str] = []
        for _ in range(self._draw(st.integers(1, 5))):
            if self._count.selections >= self._limits.selections and parts:
                break
            self._count.selections += 1
            choice = self._draw(st.integers(0, 9))
            if choice >= 8 or (is_union and choice >= 2):
                parts.append(self._inline_fragment(type_, depth))
            elif choice == 7:
                parts.append(self._spread(type_, depth))
            else:
                name = self._field_name(type_, depth)
                parts.append(self._field(type_, name, depth))
        return "{ " + " ".join(parts) + " }"

    def _field_name(self, type_: Any, depth: int) -> str:
        fields = getattr(type_, "fields", {})
        leaves, composites = [], []
        for name, field in sorted(fields.items()):
            is_leaf = is_leaf_type(get_named_type(field.type))
            (leaves if is_leaf else composites).append(name)
        if depth <= 1 or self._count.selections >= self._limits.selections:
            composites = []
        if not leaves and not composites:
            return "__typename"
        if composites and (not leaves or self._chance(2)):
            return self._draw(st.sampled_from(composites))
        return "__typename" if self._chance(8) else self._draw(st.sampled_from(leaves))

    def _field(
        self, parent: Any, name: str, depth: int, *, directives: bool = True
    ) -> str:
        if name == "__typename":
            key = self._key(name, "", "String!")
            return key + (self._directives() if directives else "")
        definition = parent.fields[name]
        arguments = self._field_arguments(parent, name, definition)
        key = self._key(name, arguments, _shape(definition.type))
        text = key + arguments + (self._directives() if directives else "")
        named = get_named_type(definition.type)
        if is_composite_type(named):
            text += " " + self._selection_set(named, depth - 1)
        return text

    def _key(self, name: str, arguments: str, shape: str) -> str:
        """Return ``name``, or ``alias: name`` where the name means something else."""
        meaning = (name, arguments, shape)
        can_alias = self._count.aliases < self._limits.aliases
        wants_alias = can_alias and self._chance(6)
        number = 0
        key = f"a_{name.strip('_')}" if wants_alias else name
        while self._keys.setdefault(key, meaning) != meaning:
            number += 1
            key = f"{name.strip('_')}_{number}"
        if key == name:
            return name
        self._count.aliases += 1
        return f"{key}: {name}"

    def _inline_fragment(self, type_: Any, depth: int) -> str:
        condition = ""
        inner = type_
        if isinstance(type_, GraphQLUnionType) or not self._chance(4):
            inner = self._draw(st.sampled_from(self._overlapping(type_)))
            condition = f" on {inner.name}"
        directives = self._directives()
        return f"...{condition}{directives} {self._selection_set(inner, depth)}"

    def _spread(self, type_: Any, depth: int) -> str:
        possible = self._possible(type_)
        known = [
            fragment
            for fragment in self.fragments
            if fragment.depth <= depth
            and possible & self._possible(fragment.type)
            and self._has_room_for(fragment.count)
        ]
        if known and (self._is_last_fragment() or self._chance(2)):
            fragment = self._draw(st.sampled_from(known))
            for name in ("selections", "aliases", "directives"):
                more = getattr(self._count, name) + getattr(fragment.count, name)
                setattr(self._count, name, more)
        elif self._is_last_fragment():
            return self._field(type_, "__typename", depth)
        else:
            fragment = self._new_fragment(type_, depth)
        return f"...{fragment.name}{self._directives()}"

    def _new_fragment(self, type_: Any, depth: int) -> _NamedFragment:
        name = f"F{self._fragments_begun}"
        self._fragments_begun += 1
        inner = self._draw(st.sampled_from(self._overlapping(type_)))
        before = self._count.copy()
        body = self._selection_set(inner, depth)
        text = f"fragment {name} on {inner.name} {body}"
        count = self._count.minus(before)
        fragment = _NamedFragment(name, inner, text, depth, count)
        self.fragments.append(fragment)
        return fragment

    def _is_last_fragment(self) -> bool:
        return self._fragments_begun >= self._limits.fragments

    def _has_room_for(self, count: _Count) -> bool:
        return all(
            getattr(self._count, name) + getattr(count, name)
            <= getattr(self._limits, name)
            for name in ("selections", "aliases", "directives")
        )

    def _overlapping(self, type_: Any) -> list[Any]:
        possible = self._possible(type_)
        return [
            found
            for name, found in sorted(self._schema.type_map.items())
            if not name.startswith("__")
            and is_composite_type(found)
            and possible & self._possible(found)
        ]

    def _possible(self, type_: Any) -> set[str]:
        if isinstance(type_, GraphQLObjectType):
            return {type_.name}
        assert isinstance(type_, GraphQLInterfaceType | GraphQLUnionType)
        return {found.name for found in self._schema.get_possible_types(type_)}

    def _directives(self) -> str:
        if self._count.directives >= self._limits.directives or not self._chance(7):
            return ""
        self._count.directives += 1
        name = self._draw(st.sampled_from(["skip", "include"]))
        choice = self._draw(st.integers(0, 4))
        if choice == 3:
            return f" @{name}(if: true)"
        if choice == 4:
            return f" @{name}(if: false)"
        if choice >= self._conditions:
            choice = self._conditions
            self._conditions += 1
            default = "true" if self._chance(4) else None
            self.variables.append(_Variable(f"c{choice}", "Boolean!", default))
            if default is None or self._chance(2):
                self.inputs[f"c{choice}"] = self._draw(st.booleans())
        return f" @{name}(if: $c{choice})"

    # -- arguments

    def _field_arguments(self, parent: Any, name: str, definition: Any) -> str:
        if not definition.args:
            return ""
        known = self._arguments[parent.name, name]
        if known and self._chance(2):
            return self._draw(st.sampled_from(known))
        parts = []
        for argument_name, argument in definition.args.items():
            is_required = isinstance(argument.type, GraphQLNonNull)
            if (is_required and not _has_default(argument)) or self._chance(2):
                place = f"{parent.name}.{name}({argument_name}:)"
                value = self._value(argument.type, place, can_be_variable=True)
                parts.append(f"{argument_name}: {value}")
        if len(parts) > 1 and self._chance(3):
            parts.reverse()
        text = f"({', '.join(parts)})" if parts else ""
        known.append(text)
        return text

    def _value(self, type_: Any, place: str, *, can_be_variable: bool) -> str:
        if can_be_variable and self._chance(3):
            return self._variable(type_, place)
        own = self._values.get(place)
        if own is not None:
            return _literal(self._draw(own), type_)
        if isinstance(type_, GraphQLNonNull):
            return self._value(type_.of_type, place, can_be_variable=False)
        if can_be_variable and self._chance(10):
            return "null"
        if isinstance(type_, GraphQLList):
            items = [
                self._value(type_.of_type, place, can_be_variable=True)
                for _ in range(self._draw(st.integers(0, 3)))
            ]
            return f"[{', '.join(items)}]"
        if isinstance(type_, GraphQLInputObjectType) and not type_.is_one_of:
            return self._object(type_)
        return _literal(self._draw(_input_values(type_, self._values, nulls=0)), type_)

    def _object(self, type_: GraphQLInputObjectType) -> str:
        members = []
        for name, field in type_.fields.items():
            is_required = isinstance(field.type, GraphQLNonNull)
            needed = is_required and not _has_default(field)
            if needed or (not _is_recursive(field.type, type_) and self._chance(2)):
                place = f"{type_.name}.{name}"
                value = self._value(field.type, place, can_be_variable=True)
                members.append(f"{name}: {value}")
        return f"{{{', '.join(members)}}}"

    def _variable(self, type_: Any, place: str) -> str:
        name = f"v{len(self.variables)}"
        strategy = self._values.get(place)
        if strategy is None:
            strategy = _input_values(type_, self._values)
        is_required = isinstance(type_, GraphQLNonNull)
        declared = str(type_)
        default = None
        choice = self._draw(st.integers(0, 5))
        if choice == 0:
            default = _literal(self._draw(strategy), type_)
        elif choice == 1 and not is_required:
            declared += "!"
            is_required = True
        if is_required and declared.endswith("!") and choice == 1:
            strategy = strategy.filter(lambda value: value is not None)
        self.variables.append(_Variable(name, declared, default))
        if (is_required and default is None) or not self._chance(4):
            self.inputs[name] = self._draw(strategy)
        return f"${name}"


def _shape(type_: Any) -> str:
    """Return what two fields must share to stand under one response key."""
    named = get_named_type(type_)
    return str(type_).replace(
        named.name, "" if is_composite_type(named) else named.name
    )


def _has_default(input_: Any) -> bool:
    node = input_.ast_node
    return node is not None and node.default_value is not None


def _is_recursive(type_: Any, outer: GraphQLInputObjectType) -> bool:
    return get_named_type(type_) is outer


def _literal(value: Any, type_: Any) -> str:
    """Print JSON as the GraphQL literal that means the same for this type."""
    if value is None:
        return "null"
    if isinstance(type_, GraphQLNonNull):
        return _literal(value, type_.of_type)
    if isinstance(type_, GraphQLList):
        if isinstance(value, list):
            return f"[{', '.join(_literal(item, type_.of_type) for item in value)}]"
        return _literal(value, type_.of_type)
    if isinstance(type_, GraphQLInputObjectType):
        members = (
            f"{name}: {_literal(item, type_.fields[name].type)}"
            for name, item in value.items()
        )
        return f"{{{', '.join(members)}}}"
    if isinstance(type_, GraphQLEnumType):
        return str(value)
    return _untyped_literal(value)


def _untyped_literal(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{name}: {_untyped_literal(item)}" for name, item in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_untyped_literal, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _input_values(
    type_: Any,
    values: Mapping[str, st.SearchStrategy[Any]],
    *,
    nulls: int = 1,
    depth: int = 2,
) -> st.SearchStrategy[Any]:
    if isinstance(type_, GraphQLNonNull):
        return _input_values(type_.of_type, values, nulls=0, depth=depth)
    if isinstance(type_, GraphQLList):
        inner = _input_values(type_.of_type, values, depth=depth)
        found: st.SearchStrategy[Any] = st.lists(inner, max_size=3)
    elif type_.name in values:
        found = values[type_.name]
    elif isinstance(type_, GraphQLEnumType):
        found = st.sampled_from(sorted(type_.values))
    elif isinstance(type_, GraphQLInputObjectType):
        found = _input_objects(type_, values, depth)
    else:
        found = _TEXT
    return st.one_of(found, found, found, st.none()) if nulls else found


def _input_objects(
    type_: GraphQLInputObjectType,
    values: Mapping[str, st.SearchStrategy[Any]],
    depth: int,
) -> st.SearchStrategy[Any]:
    members = {
        name: values.get(f"{type_.name}.{name}")
        or _input_values(field.type, values, nulls=not type_.is_one_of, depth=depth - 1)
        for name, field in type_.fields.items()
        if depth > 0 or isinstance(field.type, GraphQLNonNull)
    }
    if type_.is_one_of:
        return st.one_of(
            *(st.fixed_dictionaries({name: member}) for name, member in members.items())
        )
    required = {
        name: member
        for name, member in members.items()
        if isinstance(type_.fields[name].type, GraphQLNonNull)
        and not _has_default(type_.fields[name])
    }
    optional = {name: m for name, m in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)
