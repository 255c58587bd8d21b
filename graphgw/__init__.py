"""graphgw: a GraphQL federation gateway.

The public names; each is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.errors import (
        ConfigurationError,
        GraphGWError,
        ResolverError,
        SourceError,
    )
    from graphgw.gateway import Gateway
    from graphgw.policies.row_functions import row_policy
    from graphgw.routes.messages import RouteRequest, RouteResponse
    from graphgw.server.app import create_app
    from graphgw.sources.grpc import grpc_source
    from graphgw.sources.http_answers import JSONText
    from graphgw.sources.rest import rest_source
    from graphgw.subgraphs.loaders import loader
    from graphgw.subgraphs.local.fields import (
        batched,
        by,
        computed,
        embedded,
        reference,
        resolved,
        sourced,
    )
    from graphgw.subgraphs.local.subgraph import Subgraph
    from graphgw.types import Principal

__all__ = [
    "ConfigurationError",
    "Gateway",
    "GraphGWError",
    "JSONText",
    "Principal",
    "RequestContext",
    "ResolverError",
    "RouteRequest",
    "RouteResponse",
    "SourceError",
    "Subgraph",
    "batched",
    "by",
    "computed",
    "create_app",
    "embedded",
    "grpc_source",
    "loader",
    "reference",
    "resolved",
    "rest_source",
    "row_policy",
    "sourced",
]

_HOMES: Final = {
    "ConfigurationError": "graphgw.errors",
    "Gateway": "graphgw.gateway",
    "GraphGWError": "graphgw.errors",
    "JSONText": "graphgw.sources.http_answers",
    "Principal": "graphgw.types",
    "RequestContext": "graphgw.context",
    "ResolverError": "graphgw.errors",
    "RouteRequest": "graphgw.routes.messages",
    "RouteResponse": "graphgw.routes.messages",
    "SourceError": "graphgw.errors",
    "Subgraph": "graphgw.subgraphs.local.subgraph",
    "batched": "graphgw.subgraphs.local.fields",
    "by": "graphgw.subgraphs.local.fields",
    "computed": "graphgw.subgraphs.local.fields",
    "embedded": "graphgw.subgraphs.local.fields",
    "create_app": "graphgw.server.app",
    "grpc_source": "graphgw.sources.grpc",
    "loader": "graphgw.subgraphs.loaders",
    "rest_source": "graphgw.sources.rest",
    "row_policy": "graphgw.policies.row_functions",
    "reference": "graphgw.subgraphs.local.fields",
    "resolved": "graphgw.subgraphs.local.fields",
    "sourced": "graphgw.subgraphs.local.fields",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'graphgw' has no attribute '{name}'")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
