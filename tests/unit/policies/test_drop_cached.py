"""What a request to drop cached values names: tags, types and keys."""

from __future__ import annotations

import orjson
import pytest
from support.policies import ruled

from graphgw.errors import BadRequestError
from graphgw.policies.drop_cached import read_dropped_tags

SDL = """
type Query { product: Product  page: Int @cacheControl(maxAge: 5) }
type Product @key(fields: "id") @key(fields: "sku region") @cacheControl(maxAge: 60) {
  id: ID!
  sku: String!
  region: String!
  stock: Int @cacheControl(maxAge: 5)
  name: String
}
type User @key(fields: "id") @cacheControl(maxAge: 60)
  @cacheTag(format: "user-{$key.id}") @cacheTag(format: "users") {
  id: ID!
}
type Plain @key(fields: "id") { id: ID! }
extend type Query { user: User  plain: Plain }
"""


@pytest.fixture(scope="module")
def supergraph():
    return ruled(SDL).graph.supergraph


def read(supergraph, **given):
    return read_dropped_tags(orjson.dumps(given), supergraph)


@pytest.mark.parametrize(
    ("key", "tags"),
    [
        pytest.param(
            {"type": "Product", "id": "p1"},
            ("Product:id=p1", "Product.stock:id=p1"),
            id="without-a-tag",
        ),
        pytest.param(
            {"type": "Product", "sku": "s", "region": "eu"},
            ("Product:region=eu,sku=s", "Product.stock:region=eu,sku=s"),
            id="of-two-fields",
        ),
        pytest.param(
            {"type": "User", "id": 7}, ("User:id=7", "user-7"), id="with-a-tag"
        ),
    ],
)
def test_an_object_is_named_by_one_of_its_keys(supergraph, key, tags):
    assert read(supergraph, keys=[key]) == tags


@pytest.mark.parametrize(
    ("key", "message"),
    [
        pytest.param({"type": "Product", "sku": "s"}, "not whole", id="half"),
        pytest.param({"type": "Product"}, "not whole", id="none"),
        pytest.param({"type": "Product", "id": None}, "not whole", id="null"),
        pytest.param({"type": "Product", "id": {}}, "not whole", id="object"),
        pytest.param({"type": "Plain", "id": "1"}, "nothing of", id="not-kept"),
        pytest.param({"type": "Nothing", "id": "1"}, "nothing of", id="unknown"),
        pytest.param({"id": "1"}, 'a key has a "type"', id="no-type"),
        pytest.param("p1", 'a key has a "type"', id="text"),
    ],
)
def test_what_names_no_kept_object_is_refused(supergraph, key, message):
    with pytest.raises(BadRequestError, match=message):
        read(supergraph, keys=[key])


def test_types_and_fields_are_named_by_their_coordinates(supergraph):
    given = read(supergraph, types=["Product", "Query.page"], tags=["mine"])

    assert given == ("mine", "Product", "Query.page")
