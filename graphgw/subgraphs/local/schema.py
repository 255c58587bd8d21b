"""The Strawberry schema of a local subgraph, and what programs need to know of it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from graphql import (
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_nullable_type,
)
from strawberry.types.arguments import convert_arguments
from strawberry.types.base import get_object_definition

from graphgw.subgraphs.cache_rules import read_cache_rule
from graphgw.subgraphs.local.fields import Sourced, binding_of
from graphgw.subgraphs.local.key_fields import key_paths as read_key_paths
from graphgw.subgraphs.local.program import ReadPath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from graphql import GraphQLField
    from strawberry.federation import Schema
    from strawberry.types.arguments import StrawberryArgument
    from strawberry.types.field import StrawberryField

    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.local.arguments import ArgumentConverter
    from graphgw.subgraphs.local.fields import Binding, EntityKey

__all__ = [
    "NO_DEFAULT",
    "LocalSchema",
    "core_schema_of",
    "default_of",
    "field_definition",
    "is_plain",
]

_DEFINITION = "strawberry-definition"

NO_DEFAULT: Final = object()
"""What a field without a default has."""


def core_schema_of(schema: Schema) -> GraphQLSchema:
    """Return the graphql-core schema; the one private name of Strawberry in use."""
    core = schema._schema  # noqa: SLF001 - there is no public way to it
    if not isinstance(core, GraphQLSchema):
        raise TypeError("Strawberry no longer keeps a graphql-core schema")
    return core


def field_definition(core_field: GraphQLField) -> StrawberryField:
    """Return the Strawberry field behind a graphql-core field."""
    definition: StrawberryField = core_field.extensions[_DEFINITION]
    return definition


@dataclass(frozen=True, slots=True, eq=False)
class LocalSchema:
    """A Strawberry schema with the loaders of its entities and the types of rows."""

    strawberry: Schema
    core: GraphQLSchema
    entities: Mapping[str, tuple[EntityKey, ...]]
    row_types: Mapping[type, str]
    _paths: dict[tuple[str, str], ReadPath] = field(default_factory=dict, repr=False)

    def object_type(self, name: str) -> GraphQLObjectType | None:
        """Return an object type, ``None`` where the subgraph has none of that name."""
        found = self.core.get_type(name)
        return found if isinstance(found, GraphQLObjectType) else None

    def root_types(self) -> tuple[GraphQLObjectType, ...]:
        """Return the query, mutation and subscription types that there are."""
        core = self.core
        roots = (core.query_type, core.mutation_type, core.subscription_type)
        return tuple(root for root in roots if root is not None)

    def binding(self, core_field: GraphQLField) -> Binding | None:
        """Return where the value of a field comes from."""
        return binding_of(field_definition(core_field))

    def cache_rule_of_type(
        self, type_name: str, key_paths: tuple[tuple[str, ...], ...]
    ) -> CacheRule | None:
        """Return what may be kept of an entity's rows, loaded by these keys."""
        core_type = self.core.get_type(type_name)
        definition = core_type.extensions.get(_DEFINITION) if core_type else None
        directives = getattr(definition, "directives", None) or ()
        rule = read_cache_rule(
            type_name, directives, tuple(path[-1] for path in key_paths)
        )
        keys = self.entities.get(type_name, ())
        if rule is None or len(keys) < 2:  # noqa: PLR2004 - one key is in every tag
            return rule
        return replace(rule, row_keys=tuple(self._row_keys(type_name, keys)))

    def _row_keys(
        self, type_name: str, keys: Iterable[EntityKey]
    ) -> Iterator[tuple[tuple[str, tuple[str, ...]], ...]]:
        """Yield where the parts of each flat key stand in rows."""
        for key in keys:
            paths = read_key_paths(key.fields)
            if all(len(path) == 1 for path in paths):
                yield tuple(
                    (name, self.path_of(type_name, name).row) for (name,) in paths
                )

    def cache_rule_of_field(
        self, coordinate: str, core_field: GraphQLField, key_names: Sequence[str]
    ) -> CacheRule | None:
        """Return what may be kept of the rows of a batched field."""
        directives = field_definition(core_field).directives
        return read_cache_rule(coordinate, directives, key_names)

    def field_named(self, type_name: str, python_name: str) -> str | None:
        """Return the GraphQL name of the plain field that Python calls this."""
        declared = self.core.get_type(type_name)
        if not isinstance(declared, GraphQLObjectType | GraphQLInterfaceType):
            return None
        name: str
        for name, core_field in declared.fields.items():
            if is_plain(core_field) and python_name in {
                field_definition(core_field).python_name,
                name,
            }:
                return name
        return None

    def path_of(self, type_name: str, name: str) -> ReadPath:
        """Return where ``name`` stands in rows of a type: a plain field or a raw name.

        A declared field is read as it is for clients; any other name is a key,
        attribute or dotted path of the row.
        """
        key = (type_name, name)
        found = self._paths.get(key)
        if found is None:
            found = self._paths[key] = self._path(type_name, name)
        return found

    def plain_path(self, name: str, core_field: GraphQLField) -> ReadPath:
        """Return where a plain field stands in rows."""
        definition = field_definition(core_field)
        binding = binding_of(definition)
        python_name = definition.python_name
        return ReadPath(
            row=binding.path if isinstance(binding, Sourced) else (python_name,),
            attribute=(python_name,),
            graphql=name,
            is_id=get_nullable_type(core_field.type) is GraphQLID,
        )

    def _path(self, type_name: str, name: str) -> ReadPath:
        graphql_name = self.field_named(type_name, name)
        declared = self.core.get_type(type_name)
        if graphql_name is not None and isinstance(
            declared, GraphQLObjectType | GraphQLInterfaceType
        ):
            return self.plain_path(graphql_name, declared.fields[graphql_name])
        path = tuple(name.split("."))
        return ReadPath(path, path, None)

    def type_name_of(self, row_class: type) -> str | None:
        """Return the object type of every row of a class, if that is settled."""
        for cls in row_class.__mro__:
            if cls in self.row_types:
                return self.row_types[cls]
        definition = get_object_definition(row_class)
        if definition is None or definition.is_interface:
            return None
        return self.graphql_name(row_class)

    def graphql_name(self, cls: type) -> str:
        """Return the GraphQL name of a Strawberry class."""
        definition = get_object_definition(cls, strict=True)
        return self.strawberry.config.name_converter.from_type(definition)

    def type_of(self, abstract_name: str) -> Callable[[Any], Any] | None:
        """Return the ``type_of`` of an interface's class, if it has one."""
        declared = self.core.get_type(abstract_name)
        if not isinstance(declared, GraphQLInterfaceType):
            return None
        origin: Any = declared.extensions[_DEFINITION].origin
        found: Callable[[Any], Any] | None = getattr(origin, "type_of", None)
        return found if callable(found) else None

    def runtime_types(self, abstract_name: str, rows: list[Any]) -> list[str]:
        """Return the object type of each row; empty text where none can be told.

        A Strawberry instance is what it is; else the row's ``__typename`` counts, the
        class of the row, and last what the interface's ``type_of`` says.
        """
        settled = {cls: self.type_name_of(cls) for cls in set(map(type, rows))}
        type_of = self.type_of(abstract_name)
        return [self._runtime_type(row, settled[type(row)], type_of) for row in rows]

    def _runtime_type(
        self, row: Any, settled: str | None, type_of: Callable[[Any], Any] | None
    ) -> str:
        if isinstance(row, Mapping) and isinstance(row.get("__typename"), str):
            return str(row["__typename"])
        if settled is not None:
            return settled
        try:
            told = None if type_of is None else type_of(row)
        except Exception:  # noqa: BLE001 - a row that it does not know
            return ""
        if isinstance(told, type):
            return self.graphql_name(told)
        return told if isinstance(told, str) else ""

    def converter(
        self, core_field: GraphQLField, function: Callable[..., Any]
    ) -> ArgumentConverter | None:
        """Return what makes keyword arguments of coerced GraphQL arguments.

        A parameter without default that the client left out is ``None``.
        """
        if not core_field.args:
            return None
        arguments = field_definition(core_field).arguments
        parameters = inspect.signature(function).parameters
        required = [
            argument.python_name
            for argument in arguments
            if argument.python_name in parameters
            and parameters[argument.python_name].default is inspect.Parameter.empty
        ]
        name_of = self.strawberry.config.name_converter.from_argument
        names = {name_of(argument): argument.python_name for argument in arguments}
        return _Converter(self.strawberry, list(arguments), names, required)


@dataclass(frozen=True, slots=True, eq=False)
class _Converter:
    """Strawberry's conversion of arguments."""

    strawberry: Schema
    arguments: list[StrawberryArgument]
    names: Mapping[str, str]
    required: Sequence[str]

    def __call__(self, coerced: dict[str, Any]) -> dict[str, Any]:
        registry = self.strawberry.schema_converter.scalar_registry
        config = self.strawberry.config
        values = convert_arguments(coerced, self.arguments, registry, config)
        for name in self.required:
            values.setdefault(name, None)
        return values


def default_of(core_field: GraphQLField) -> Any:
    """Return what a field is without a row: its default, or ``NO_DEFAULT``."""
    definition = field_definition(core_field)
    if definition.default is not MISSING:
        return definition.default
    factory: Any = definition.default_factory
    return NO_DEFAULT if factory is MISSING else factory()


def is_plain(core_field: GraphQLField) -> bool:
    """Tell whether a field's value is read from its row and nothing else is done.

    A field with permissions or other extensions is not plain: Strawberry marks its
    wrapper as a default resolver all the same.
    """
    definition = field_definition(core_field)
    if not definition.is_basic_field:
        return False
    binding = binding_of(definition)
    is_default = getattr(core_field.resolve, "_is_default", False)
    return isinstance(binding, Sourced) or (binding is None and bool(is_default))
