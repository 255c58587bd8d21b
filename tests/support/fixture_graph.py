"""One subgraph of a fixture: answers from data, and complains of what is wrong.

A row is a JSON object, looked up by field name. Where a value is an object with
one of these members, it is worked out instead:

``{"$ref": "Type", ...}``      the row of that type whose members are equal
``{"$by": "arg", "cases": {}, "default": ...}``   chosen by an argument's value
``{"$format": "{a.b} x"}``     text over the representation (a list is joined by ``,``)
``{"$format_or_null": "{a.b}"}``      the same, null if a part is missing
``{"$error": "message"}``      an error
``{"$once": ...}``             an error from the second time on
``{"$sequence": true}``        1, 2, 3 ... over all subgraphs of the scenario
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from graphql import FieldNode, GraphQLError, execute, parse, validate
from support.fixture_strictness import (
    check_document,
    check_representation,
    fits_key,
    has_fields,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphql import DocumentNode, FormattedExecutionResult
    from support.fixture_schema import Key, SubgraphSchema

__all__ = ["FixtureGraph", "Request", "ScenarioState"]

_SENT = "$representation"
_PART = re.compile(r"\{([\w.]+)\}")


@dataclass(frozen=True)
class Request:
    """What a subgraph was asked."""

    subgraph: str
    query: str
    representations: list[Any]


@dataclass
class ScenarioState:
    """What all subgraphs of a scenario remember between two operations."""

    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    done: set[int] = field(default_factory=set)
    sequence: Iterator[int] = field(default_factory=lambda: count(1))

    def reset(self) -> None:
        """Forget everything."""
        self.requests.clear()
        self.complaints.clear()
        self.done.clear()
        self.sequence = count(1)

    def calls(self) -> dict[str, int]:
        """Return how often each subgraph was asked."""
        names = [request.subgraph for request in self.requests]
        return {name: names.count(name) for name in sorted(set(names))}


@dataclass
class FixtureGraph:
    """A subgraph that answers from data.

    Args:
        name: The subgraph's name.
        described: Its schema.
        data: ``Query`` and ``Mutation`` fields, and ``entities`` by type.
        taken: (type, field) pairs that other subgraphs override.
        state: Shared by the scenario.
    """

    name: str
    described: SubgraphSchema
    data: Mapping[str, Any]
    taken: set[tuple[str, str]]
    state: ScenarioState

    def answer(self, body: dict[str, Any]) -> FormattedExecutionResult:
        """Answer one GraphQL request."""
        variables = body.get("variables") or {}
        self.state.requests.append(
            Request(self.name, body["query"], variables.get("representations", []))
        )
        schema = self.described.schema
        document = parse(body["query"])
        problems = [error.message for error in validate(schema, document)]
        if not problems:
            problems = check_document(document, self.described, self.taken)
        if not problems:
            problems = self._check_representations(document, variables)
        if problems:
            self.state.complaints += [f"{self.name}: {text}" for text in problems]
            return {"data": None, "errors": [{"message": text} for text in problems]}
        result = execute(
            schema,
            document,
            root_value=_Root(),
            variable_values=variables,
            field_resolver=self._resolve,
            type_resolver=_runtime_type,
        )
        return result.formatted  # type: ignore[union-attr]  # nothing is awaited

    def _check_representations(
        self, document: DocumentNode, variables: dict[str, Any]
    ) -> list[str]:
        found: list[str] = []
        for sent in variables.get("representations", ()):
            found += check_representation(sent, document, self.described)
        return found

    def _resolve(self, row: Any, info: Any, **arguments: Any) -> Any:
        name = info.field_name
        if isinstance(row, _Root):
            if name == "_entities":
                return [self._find(r) for r in arguments["representations"]]
            if name == "_service":
                return {"sdl": ""}
            fields = self.data.get(info.parent_type.name, {})
            return self._value(fields.get(name), row, arguments)
        value = row.get(name)
        if name not in row:
            value = row.get(_SENT, {}).get(name)
        return self._value(value, row, arguments)

    def _find(self, sent: dict[str, Any]) -> Any:
        type_name = sent["__typename"]
        keys = self.described.keys[type_name]
        names = sorted({type_name, *self.described.possible(type_name)})
        for name in names:
            for row in self.data.get("entities", {}).get(name, ()):
                if self._is_meant(row, sent, keys):
                    return {"__typename": name, **row, _SENT: sent}
        return None

    def _is_meant(self, row: Any, sent: dict[str, Any], keys: list[Key]) -> bool:
        """Compare by every key that both have whole."""
        known = [
            key.fields
            for key in keys
            if key.resolvable
            and has_fields(sent, key.fields, self.described)
            and all(
                item.name.value in row
                for item in key.fields.selections
                if isinstance(item, FieldNode)
            )
        ]
        return bool(known) and all(
            fits_key(row, sent, fields, self._follow) for fields in known
        )

    def _follow(self, value: Any) -> Any:
        return (
            self._row(value) if isinstance(value, dict) and "$ref" in value else value
        )

    def _row(self, reference: dict[str, Any]) -> dict[str, Any]:
        wanted = {k: v for k, v in reference.items() if k != "$ref"}
        type_name = reference["$ref"]
        for row in self.data["entities"][type_name]:
            if all(row.get(key) == value for key, value in wanted.items()):
                return {"__typename": type_name, **row}
        raise AssertionError(f"{self.name} has no row for {reference}")

    def _value(self, value: Any, row: Any, arguments: dict[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._value(item, row, arguments) for item in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return self._row(value)
        if "$by" in value:
            chosen = str(arguments.get(value["$by"]))
            found = value["cases"].get(chosen, value.get("default"))
            return self._value(found, row, arguments)
        if "$once" in value:
            if id(value) in self.state.done:
                raise GraphQLError("asked for a second time")
            self.state.done.add(id(value))
            return self._value(value["$once"], row, arguments)
        if "$sequence" in value:
            return next(self.state.sequence)
        return _work_out(value, row, arguments)


class _Root:
    """The value at the root."""


def _runtime_type(value: Any, _info: Any, _type: Any) -> str | None:
    name: str | None = value.get("__typename")
    return name


def _work_out(value: dict[str, Any], row: Any, arguments: dict[str, Any]) -> Any:
    if "$error" in value:
        raise GraphQLError(value["$error"])
    if "$format" in value:
        return _format(value["$format"], row.get(_SENT, {}), arguments)
    if "$format_or_null" in value:
        try:
            return _format(value["$format_or_null"], row.get(_SENT, {}), arguments)
        except GraphQLError:
            return None
    return value


def _format(text: str, sent: dict[str, Any], arguments: dict[str, Any]) -> str:
    def part(match: re.Match[str]) -> str:
        return _show(_walk({"args": arguments, **sent}, match[1].split(".")))

    return _PART.sub(part, text)


def _walk(value: Any, names: list[str]) -> Any:
    if not names or value is None:
        return value
    if isinstance(value, list):
        return [_walk(item, names) for item in value]
    if names[0] not in value:
        raise GraphQLError(f"the representation has no {names[0]}")
    return _walk(value[names[0]], names[1:])


def _show(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(_show(item) for item in value)
    return "null" if value is None else str(value)
