"""One subgraph as a supergraph: whatever its query type is called, or has."""

from __future__ import annotations

import pytest

from graphgw.composition.compose_alone import compose_alone
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import ConfigurationError

ENTITY = 'type User @key(fields: "id") { id: ID! name: String }\n'
LINK = """
@link(url: "https://specs.apollo.dev/link/v1.0")
@link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
"""
SECOND = f"schema {LINK} {{ %s }}\n{ENTITY}"
OF_FEDERATION = "_service: _Service! _entities(representations: [_Any!]!): [_Entity]!"


def query_fields(sdl: str) -> list[str]:
    return list(compose_alone(SubgraphSDL("user", "", sdl)).types["Query"].fields)


@pytest.mark.parametrize(
    ("sdl", "own"),
    [
        pytest.param(ENTITY, [], id="none"),
        pytest.param(f"extend schema {LINK}\n{ENTITY}", [], id="none-in-version-2"),
        pytest.param(
            f"{ENTITY} type Query {{ {OF_FEDERATION} }} scalar _Any"
            " union _Entity = User type _Service { sdl: String! }",
            [],
            id="those-of-federation",
        ),
        pytest.param(
            SECOND % "mutation: Write" + "type Write { go: Int }", [], id="mutation"
        ),
        pytest.param(
            SECOND % "query: Read" + "type Read { go: Int }", ["go"], id="renamed"
        ),
        pytest.param(
            f"extend type Query {{ go: Int }} {ENTITY}", ["go"], id="extension"
        ),
    ],
)
def test_the_fields_of_federation_are_beside_its_own(sdl, own):
    assert query_fields(sdl) == [*own, "_service", "_entities"]


def test_without_entities_only_the_service_is_asked():
    assert query_fields("type Mutation { go: Int }") == ["_service"]


def test_what_is_wrong_is_told_as_ever():
    with pytest.raises(ConfigurationError, match="Missing"):
        query_fields(f"{ENTITY} type Mutation {{ go: Missing }}")
