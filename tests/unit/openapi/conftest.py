"""Endpoints made of a text and a schema, and the document of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphql import build_schema

from graphgw.endpoints.endpoint import Endpoint
from graphgw.endpoints.read_endpoint import read_endpoint
from graphgw.openapi.document import describe_routes
from graphgw.openapi.settings import OpenAPISettings
from graphgw.operations.settings import LimitSettings
from graphgw.policies.settings import AuthSettings
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import OperationTarget

SCHEMA = build_schema(
    """
    type Query {
      "One user."
      user(id: ID!): User
      users(first: Int! = 10, filter: Filter, sizes: [Size!], ids: [ID]): [User!]!
      search(text: String!): [Hit]
      node(id: ID!): Node
      old: String @deprecated(reason: "ask user")
    }
    type Mutation { rename(id: ID!, to: Name!): User }
    interface Node { id: ID! }
    union Hit = User | Shop
    "Somebody."
    type User implements Node {
      id: ID!
      name: String
      size: Size
      born: Date
      score: Float
      active: Boolean!
      friends: [User]
      "Long."
      nick: String @deprecated(reason: "use name")
    }
    type Shop implements Node { id: ID! city: String! }
    "How big."
    enum Size { SMALL "Very." LARGE OLD @deprecated(reason: "gone") }
    scalar Date @specifiedBy(url: "https://example.com/date")
    scalar Odd
    "What to look for."
    input Filter { name: String = "a", min: Int!, inner: Filter, odd: Odd, when: Date }
    input Name @oneOf { first: String, last: String }
    """
)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[..., Endpoint]:
    """Return an endpoint; options of its target have the target's names."""

    def opened(
        text: str,
        path: str = "/r",
        methods: tuple[str, ...] = ("GET",),
        *,
        route: dict[str, Any] | None = None,
        **target: Any,
    ) -> Endpoint:
        file = tmp_path / "operation.graphql"
        file.write_text(text)
        settings = RouteSettings(
            **{
                "name": "r",
                "path": path,
                "methods": methods,
                "operation": OperationTarget(file=file, **target),
                **(route or {}),
            }
        )
        limits = LimitSettings(tokens=100_000, aliases=10_000)
        return read_endpoint(settings, SCHEMA, limits)

    return opened


@pytest.fixture
def described(opened) -> Callable[..., dict[str, Any]]:
    """Return the document of one endpoint."""

    def described(*arguments: Any, **options: Any) -> dict[str, Any]:
        endpoint = opened(*arguments, **options)
        return describe_routes(
            [(endpoint.route, endpoint)], OpenAPISettings(), AuthSettings()
        )

    return described


@pytest.fixture
def operation_of(described) -> Callable[..., dict[str, Any]]:
    """Return the one operation object of an endpoint."""

    def operation_of(*arguments: Any, **options: Any) -> dict[str, Any]:
        (item,) = described(*arguments, **options)["paths"].values()
        (operation,) = item.values()
        return operation

    return operation_of


@pytest.fixture
def answer_of(operation_of) -> Callable[..., dict[str, Any]]:
    """Return the schema of an endpoint's answer."""

    def answer_of(*arguments: Any, **options: Any) -> dict[str, Any]:
        answer = operation_of(*arguments, **options)["responses"]["200"]
        return answer["content"]["application/json"]["schema"]

    return answer_of
