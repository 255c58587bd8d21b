"""An operation file and a route, checked against each other and the schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast

from graphql import (
    GraphQLInputObjectType,
    GraphQLNonNull,
    OperationType,
    get_named_type,
    get_nullable_type,
    is_list_type,
    type_from_ast,
)

from graphgw.endpoints.endpoint import BoundVariable, Endpoint, Source
from graphgw.endpoints.read_comment import read_comment
from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.selection import Field, Fragment
from graphgw.operations.literals import literal_to_json
from graphgw.operations.schema_lookup import field_definition

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from graphql import (
        GraphQLInputType,
        GraphQLNamedType,
        GraphQLOutputType,
        GraphQLSchema,
        VariableDefinitionNode,
    )

    from graphgw.endpoints.endpoint import Part
    from graphgw.federation.selection import Selection
    from graphgw.operations.operation import Document, Operation
    from graphgw.routes.settings import RouteSettings

__all__ = ["open_endpoint"]

_PARAMETER: Final = re.compile(r"\{([^}]*)\}")
_SOURCE: Final = re.compile(r"(path|query|header|claim)\.(.+)|body(?:\.(.+))?")
_BODILESS: Final = frozenset(("GET", "HEAD"))
_SOURCES: Final = (
    "say path.NAME, query.NAME, header.NAME, claim.NAME, body or body.NAME"
)
_NO_CONTENT: Final = 204


def open_endpoint(
    route: RouteSettings,
    text: str,
    document: Document,
    operation: Operation,
    schema: GraphQLSchema,
) -> Endpoint:
    """Return the endpoint of an operation that is valid in itself.

    Args:
        route: Leads to it.
        text: Of the file.
        document: What it was parsed to.
        operation: Normalized, with all its conditions true.
        schema: The API schema of the graph that is asked.

    Raises:
        ConfigurationError: Route and operation do not fit together; all problems.
    """
    target = route.operation
    if target is None:
        raise ConfigurationError([Problem("it names no operation", route.name)])
    opening = _Opening(route, document, operation, schema)
    variables = tuple(opening.variables(dict(target.variables)))
    select = tuple(target.select.split(".")) if target.select else ()
    opening.check(variables, select)
    if opening.problems:
        raise ConfigurationError(opening.problems)
    return Endpoint(
        route=route,
        text=text,
        operation_name=target.operation,
        operation=operation,
        schema=schema,
        variables=variables,
        select=select,
        status=target.status,
        keeps_partial=target.partial == "allow",
        statuses=dict(target.statuses),
        description=read_comment(text, document.operation),
        has_conditions=bool(document.conditions),
    )


class _Opening:
    """Collects what is wrong with one endpoint."""

    def __init__(
        self,
        route: RouteSettings,
        document: Document,
        operation: Operation,
        schema: GraphQLSchema,
    ) -> None:
        self.problems: list[Problem] = []
        self._route = route
        self._document = document
        self._operation = operation
        self._schema = schema
        self._parameters = set(_PARAMETER.findall(route.path))
        self._has_body = not route.methods or not _BODILESS.issuperset(route.methods)

    def _problem(
        self, message: str, setting: str = "", mend: str | None = None
    ) -> None:
        where = f"routes.{self._route.name}.operation{setting}"
        self.problems.append(Problem(message, where, mend))

    # Variables

    def variables(self, given: Mapping[str, str]) -> Iterator[BoundVariable]:
        """Yield the operation's variables with their sources."""
        nodes = self._document.operation.variable_definitions or ()
        names = [node.variable.name.value for node in nodes]
        for name in given:
            if name not in names:
                known = ", ".join(f"${known}" for known in names) or "none"
                self._problem(
                    f"the operation has no variable ${name}",
                    f".variables.{name}",
                    f"it has: {known}",
                )
        for node, name in zip(nodes, names, strict=True):
            sources = self._sources(name, given.get(name))
            yield _bind(node, name, sources, self._schema)

    def _sources(self, name: str, given: str | None) -> tuple[Source, ...]:
        if given is None:
            if name in self._parameters:
                return (Source("path", name),)
            query = Source("query", name)
            return (Source("body", name), query) if self._has_body else (query,)
        found = _SOURCE.fullmatch(given)
        if found is None:
            self._problem(f'"{given}" is no source', f".variables.{name}", _SOURCES)
            return (Source("query", name),)
        part = cast("Part", found[1] or "body")
        source = Source(part, (found[2] or found[3]) or "")
        if part == "path" and source.name not in self._parameters:
            self._problem(
                f"the path has no parameter {{{source.name}}}", f".variables.{name}"
            )
        if part == "body" and not self._has_body:
            self._problem(
                "requests of these methods have no body", f".variables.{name}"
            )
        return (Source("header", source.name.lower()) if part == "header" else source,)

    # Everything else

    def check(
        self, variables: Iterable[BoundVariable], select: tuple[str, ...]
    ) -> None:
        """Find what does not fit."""
        methods = self._route.methods
        kind = self._operation.kind
        if kind == "subscription":
            self._problem("a subscription cannot be answered at a route")
        elif kind == "mutation" and (not methods or _BODILESS.intersection(methods)):
            self._problem(
                "a mutation must not be sent by GET",
                mend=f"say routes.{self._route.name}.methods: [POST]",
            )
        read = {s.name for v in variables for s in v.sources if s.part == "path"}
        for name in sorted(self._parameters - read):
            self._problem(
                f"no variable takes the path's parameter {{{name}}}",
                mend="call a variable like it, or say which under variables",
            )
        self._check_select(select)
        target = self._route.operation
        for code, status in target.statuses if target else ():
            if not 400 <= status <= 599:  # noqa: PLR2004 - HTTP's own numbers
                self._problem(f"{status} is no error", f".statuses.{code}")
        if target and not 200 <= target.status <= _NO_CONTENT:  # noqa: PLR2004
            self._problem(f"{target.status} is none of 200 to 204", ".status")

    def _check_select(self, select: tuple[str, ...]) -> None:
        schema, operation = self._schema, self._operation
        root = schema.get_root_type(OperationType(operation.kind))
        fields = list(_fields(schema, root, operation.selections))
        for index, name in enumerate(select):
            path = ".".join(select[: index + 1])
            found = [pair for pair in fields if pair[1].response_key == name]
            if not found:
                known = ", ".join(dict.fromkeys(f.response_key for _, f in fields))
                self._problem(
                    f'the operation does not select "{path}"',
                    ".select",
                    f"there is: {known}" if known else None,
                )
                return
            types = [_type_of(schema, parent, field) for parent, field in found]
            is_last = index == len(select) - 1
            if not is_last and any(is_list_type(get_nullable_type(t)) for t in types):
                mend = f"select {path}"
                self._problem(
                    f'"{path}" is a list: nothing in it can be selected',
                    ".select",
                    mend,
                )
                return
            fields = [
                pair
                for type_, (_, field) in zip(types, found, strict=True)
                for pair in _fields(schema, get_named_type(type_), field.selections)
            ]


def _bind(
    node: VariableDefinitionNode,
    name: str,
    sources: tuple[Source, ...],
    schema: GraphQLSchema,
) -> BoundVariable:
    type_ = cast("GraphQLInputType", type_from_ast(schema, node.type))
    is_required = isinstance(type_, GraphQLNonNull) and node.default_value is None
    if isinstance(get_named_type(type_), GraphQLInputObjectType):
        # An object comes in the body, or as JSON in a parameter that is named for it.
        bodies = tuple(source for source in sources if source.part == "body")
        sources = bodies or sources
    default = (
        None if node.default_value is None else literal_to_json(node.default_value)
    )
    return BoundVariable(name, type_, sources, is_required, default)


def _fields(
    schema: GraphQLSchema,
    parent: GraphQLNamedType | None,
    selections: Iterable[Selection],
) -> Iterator[tuple[GraphQLNamedType | None, Field]]:
    """Yield the fields, each with the type that it is a field of."""
    for selection in selections:
        if isinstance(selection, Fragment):
            inner = schema.type_map.get(selection.type_condition)
            yield from _fields(schema, inner, selection.selections)
        else:
            yield parent, selection


def _type_of(
    schema: GraphQLSchema, parent: GraphQLNamedType | None, field: Field
) -> GraphQLOutputType | None:
    definition = field_definition(schema, parent, field.name)
    return None if definition is None else definition.type
