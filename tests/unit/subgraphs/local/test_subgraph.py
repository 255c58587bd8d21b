"""The subgraph as other parts see it: SDL, programs as text, Strawberry's innards."""

from dataclasses import dataclass

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema

import graphgw
from graphgw import (
    Subgraph,
    batched,
    by,
    computed,
    reference,
    resolved,
    sourced,
)
from graphgw.errors import InternalError, PlanningError
from graphgw.planning.plan import Fetch
from graphgw.subgraphs.local.schema import core_schema_of, field_definition


@dataclass
class Parcel:
    id: str


async def orders_by_id(ids, _context):
    return [{"id": key} for key in ids]


async def orders_by_user(ids, _context, *, first: int = 10):
    return [[{"id": f"{key}-{first}"}] for key in ids]


async def find_order(_context, *, id: strawberry.ID):  # noqa: A002
    return {"id": id}


@strawberry.federation.type(keys=["id"])
class Product:
    id: strawberry.ID


@strawberry.federation.type(keys=["id"])
class Order:
    id: strawberry.ID
    total: int | None = sourced("price.amount", tags=["internal"])
    product: Product | None = reference(id="product_id")
    label: str = computed("{}".format, reads=("id",), description="For people.")


@strawberry.federation.type(keys=["id"])
class User:
    id: strawberry.ID
    orders: list[Order] = batched(
        orders_by_user, key="id", shareable=True, deprecation_reason="old"
    )


@strawberry.type
class Query:
    order: Order | None = resolved(find_order)


@pytest.fixture
def subgraph():
    return Subgraph(
        "order", query=Query, types=[User], entities={Order: by("id", orders_by_id)}
    )


def test_the_sdl_declares_everything_federation_needs(subgraph):
    for text in (
        'type Order @key(fields: "id") {',
        'total: Int @tag(name: "internal")',
        '"""For people."""\n  label: String!',
        'orders(first: Int! = 10): [Order!]! @shareable @deprecated(reason: "old")',
        "order(id: ID!): Order",
        "_entities(representations: [_Any!]!): [_Entity]!",
        "union _Entity = Order | Product | User",
    ):
        assert text in subgraph.sdl


def test_a_subgraph_without_query_has_its_entities(subgraph):
    del subgraph

    alone = Subgraph("users", types=[User], entities={Order: by("id", orders_by_id)})

    assert "_entities" in alone.sdl


def test_a_prepared_fetch_can_be_read(prepare, subgraph):
    root = prepare(subgraph, "{ order(id: 1) { id total product { id } label } }")
    entities = prepare(
        subgraph,
        "{ ... on User { orders { id } } ... on Order { total } }",
        keys={"User": "id", "Order": "id"},
    )

    for text in (
        "order: call find_order",
        "total: read price.amount",
        "product: reference id=product_id",
        "label: compute format of id",
        "# Order from dict\ndef assemble(rows, columns):",
    ):
        assert text in root.code()
    for text in (
        "entities User from their representations",
        "orders: batch orders_by_user by id",
        "entities Order from rows of orders_by_id",
        "# User from representation",
    ):
        assert text in entities.code()


def test_code_shows_the_rows_that_functions_promise(prepare):
    async def find_parcel(_context) -> Parcel | None:
        return None

    async def notes(ids, _context) -> list[dict[str, str]]:
        return [{} for _ in ids]

    @strawberry.type
    class Note:
        text: str

    @strawberry.type
    class ParcelType:
        id: strawberry.ID
        note: Note = batched(notes, key="id")

    @strawberry.type
    class ParcelQuery:
        parcel: ParcelType | None = resolved(find_parcel)

    code = prepare(
        Subgraph("parcels", query=ParcelQuery), "{ parcel { id note { text } } }"
    ).code()

    assert "# ParcelType from Parcel\n" in code
    assert "# Note from dict\n" in code


def test_preparing_twice_gives_the_same_text(prepare, subgraph):
    text = "{ order(id: 1) { id total label } }"

    assert prepare(subgraph, text).code() == prepare(subgraph, text).code()


@pytest.mark.parametrize(
    ("text", "kind", "keys", "message"),
    [
        pytest.param("{ nothing }", "query", None, "no field 'Query.nothing'", id="f"),
        pytest.param("{ order }", "query", None, "no selections", id="leafless"),
        pytest.param("{ x }", "mutation", None, "no mutation type", id="root"),
        pytest.param(
            "{ ... on Cat { id } }", "query", {"Cat": "id"}, "'Cat'", id="entity"
        ),
    ],
)
def test_a_fetch_that_does_not_fit_is_refused(
    prepare, subgraph, text, kind, keys, message
):
    with pytest.raises(PlanningError, match=message):
        prepare(subgraph, text, kind=kind, keys=keys)


def test_fragments_on_unknown_types_select_nothing(prepare, subgraph, select):
    del prepare
    selections = select("{ __typename ... on Nowhere { id } }")

    code = subgraph.prepare(Fetch(0, "G", "query", selections), ()).code()

    assert "id" not in code


def test_strawberry_keeps_a_core_schema_and_its_fields(subgraph):
    """The one private name in use, and the back references that programs follow."""
    core = core_schema_of(subgraph.schema.strawberry)
    core_field = core.get_type("Order").fields["total"]

    assert isinstance(core, GraphQLSchema)
    assert core._strawberry_schema is subgraph.schema.strawberry
    assert field_definition(core_field).python_name == "total"
    assert core_field.resolve._is_default is True


def test_without_a_core_schema_the_subgraph_says_so():
    class Other:
        _schema = None

    with pytest.raises(TypeError, match="no longer keeps"):
        core_schema_of(Other())


async def test_fields_are_not_answered_by_strawberry(subgraph):
    result = await subgraph.schema.strawberry.execute("{ order(id: 1) { id } }")

    assert isinstance(result.errors[0].original_error, InternalError)


def test_public_names_are_there():
    assert set(graphgw.__all__) <= set(dir(graphgw))
    for name in graphgw.__all__:
        assert getattr(graphgw, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = graphgw.nothing


def test_the_sdl_without_federation_is_a_schema(subgraph):
    assert build_schema(subgraph.sdl, assume_valid_sdl=True).get_type("Order")
