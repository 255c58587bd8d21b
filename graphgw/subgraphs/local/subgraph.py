"""A local subgraph: Strawberry types, their loaders, and the fetches they answer."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final, TypedDict, Unpack

from strawberry.federation import Schema
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import get_object_definition

from graphgw.errors import ConfigurationError, Problem
from graphgw.subgraphs.local.check import check_subgraph
from graphgw.subgraphs.local.compile import Compiler
from graphgw.subgraphs.local.fields import EntityKey
from graphgw.subgraphs.local.key_fields import key_paths
from graphgw.subgraphs.local.prepared import (
    PreparedEntities,
    PreparedMutation,
    PreparedQuery,
    PreparedStream,
)
from graphgw.subgraphs.local.rows import walker
from graphgw.subgraphs.local.schema import LocalSchema, core_schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphql import GraphQLSchema

    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.subgraphs.cache_rules import CacheRule
    from graphgw.subgraphs.protocol import PreparedFetch

__all__ = ["Subgraph"]


class SchemaOptions(TypedDict, total=False):
    """What else ``strawberry.federation.Schema`` may be told."""

    config: StrawberryConfig
    directives: Iterable[type]
    federation_version: str
    scalar_overrides: dict[object, Any]
    schema_directives: Iterable[object]


_KNOWN: Final = frozenset(SchemaOptions.__annotations__) | {
    "mutation",
    "query",
    "subscription",
    "types",
}


class Subgraph:
    """One service's GraphQL schema, written as Strawberry types.

    Args:
        name: The subgraph's name in the supergraph.
        query: The query type.
        mutation: The mutation type.
        subscription: The subscription type.
        types: Types that no field leads to, such as other subgraphs' entities.
        entities: How entities are loaded: one ``by`` or a list of them.
        rows: The object type of every row of a class, for interfaces and unions.
        url: Where the subgraph can also be reached, for its record in the supergraph.
        **options: As for ``strawberry.federation.Schema``; its extensions and
            exception handlers do not run here and are refused.

    Raises:
        ConfigurationError: The types do not fit together; tells every problem.

    Example::

        subgraph = Subgraph(
            "order", query=Query, types=[User], entities={Order: by("id", orders_by_id)}
        )
    """

    keeps_order: Final = True
    """Objects are made by generated functions, each with its keys in one order."""

    def __init__(
        self,
        name: str,
        *,
        query: type | None = None,
        mutation: type | None = None,
        subscription: type | None = None,
        types: Iterable[type] = (),
        entities: Mapping[type, EntityKey | Sequence[EntityKey]] | None = None,
        rows: Mapping[type, type] | None = None,
        url: str = "",
        **options: Unpack[SchemaOptions],
    ) -> None:
        self.name = name
        self.url = url
        keys = {
            cls: (given,) if isinstance(given, EntityKey) else tuple(given)
            for cls, given in (entities or {}).items()
        }
        row_types = dict(rows or {})
        extra = [*types, *keys, *row_types.values()]
        strawberry_schema = _build(
            name,
            {
                "query": query,
                "mutation": mutation,
                "subscription": subscription,
                "types": list(dict.fromkeys(extra)),
                **options,
            },
        )
        named = strawberry_schema.config.name_converter.from_type
        self.schema = LocalSchema(
            strawberry=strawberry_schema,
            core=core_schema_of(strawberry_schema),
            entities={
                named(get_object_definition(cls, strict=True)): given
                for cls, given in keys.items()
            },
            row_types={
                row_class: named(get_object_definition(cls, strict=True))
                for row_class, cls in row_types.items()
            },
        )
        self.sdl = strawberry_schema.as_str()
        problems = check_subgraph(self.schema)
        if problems:
            raise ConfigurationError(problems)
        self.cache_rules = _find_cache_rules(self.schema)

    def __repr__(self) -> str:
        return f"Subgraph({self.name!r})"

    @property
    def vouched_schema(self) -> GraphQLSchema:
        """The schema that all answers fit: generated functions coerce by it."""
        return self.schema.core

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> PreparedFetch:
        """Compile a fetch to a selection program.

        Raises:
            PlanningError: The fetch does not fit this subgraph.
        """
        del variables
        compiler = Compiler(self.schema)
        if fetch.inputs:
            programs = compiler.entities(fetch.inputs, fetch.selections)
            return PreparedEntities(self.schema, programs)
        program = compiler.root(fetch.kind, fetch.selections)
        prepared = {
            "query": PreparedQuery,
            "mutation": PreparedMutation,
            "subscription": PreparedStream,
        }[fetch.kind]
        return prepared(self.schema, program)


def _find_cache_rules(schema: LocalSchema) -> dict[object, CacheRule]:
    """Return what may be kept of entity loaders' rows, by the loader's function.

    A function that loads several types has a rule only where they agree.
    """
    found: dict[object, CacheRule | None] = {}
    for type_name, keys in schema.entities.items():
        for key in keys:
            function = key.loader.function
            rule = schema.cache_rule_of_type(type_name, key_paths(key.fields))
            found[function] = rule if found.get(function, rule) == rule else None
    return {function: rule for function, rule in found.items() if rule is not None}


def _build(name: str, options: dict[str, Any]) -> Schema:
    where = f"subgraph {name}"
    unknown = sorted(options.keys() - _KNOWN)
    if unknown:
        problems = [
            Problem(f'"{option}" has no effect here', where) for option in unknown
        ]
        raise ConfigurationError(problems)
    options["config"] = _reading_rows(options.get("config") or StrawberryConfig())
    try:
        return Schema(**options)
    except Exception as error:
        # Strawberry reports by exceptions of many classes, one problem at a time.
        raise ConfigurationError([Problem(str(error), where)]) from error


def _reading_rows(config: StrawberryConfig) -> StrawberryConfig:
    """Return the configuration with fields read from rows of any kind.

    A default resolver that somebody chose stays.
    """
    if config.default_resolver is not getattr:
        return config
    own = copy(config)
    own.default_resolver = _read_plain
    return own


def _read_plain(row: Any, name: str) -> Any:
    """Read a field that Strawberry resolves itself, from rows of any kind."""
    return walker((name,))(row)
