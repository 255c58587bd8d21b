"""A local subgraph: Strawberry types, their loaders, and the fetches they answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strawberry.federation import Schema
from strawberry.types.base import get_object_definition

from graphgw.errors import ConfigurationError, Problem
from graphgw.subgraphs.local.check import check_subgraph
from graphgw.subgraphs.local.compile import Compiler
from graphgw.subgraphs.local.fields import EntityKey
from graphgw.subgraphs.local.prepared import (
    PreparedEntities,
    PreparedMutation,
    PreparedQuery,
    PreparedStream,
)
from graphgw.subgraphs.local.schema import LocalSchema, core_schema_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.subgraphs.protocol import PreparedFetch

__all__ = ["Subgraph"]


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
        options: Passed on to ``strawberry.federation.Schema``, such as
            ``scalar_overrides``, ``schema_directives``, ``federation_version``.

    Raises:
        ConfigurationError: The types do not fit together; tells every problem.

    Example::

        subgraph = Subgraph(
            "order", query=Query, types=[User], entities={Order: by("id", orders_by_id)}
        )
    """

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
        **options: Any,
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

    def __repr__(self) -> str:
        return f"Subgraph({self.name!r})"

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


def _build(name: str, options: dict[str, Any]) -> Schema:
    try:
        return Schema(**options)
    except Exception as error:
        # Strawberry reports by exceptions of many classes, one problem at a time.
        raise ConfigurationError([Problem(str(error), f"subgraph {name}")]) from error
