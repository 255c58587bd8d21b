"""What a variant hides is still there for the gateway itself, and for nobody else."""

from __future__ import annotations

import pytest
from support.remote_server import RemoteServer

from graphgw.config.settings import Settings, SubgraphReference
from graphgw.errors import ConfigurationError
from graphgw.gateway import Gateway
from graphgw.policies.settings import AuthSettings
from graphgw.policies.variant_settings import VariantSettings
from graphgw.types import Principal
from graphgw.variants import build_contracts

HEAD = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires",
    "@external", "@shareable", "@tag", "@composeDirective"])
  @link(url: "https://graphgw.dev/policies/v0.1", import: ["@owner"])
  @composeDirective(name: "@owner")
directive @owner(field: String!, claim: String, orScopes: [[String!]!]) repeatable
  on FIELD_DEFINITION | OBJECT
"""
PRODUCTS = (
    HEAD
    + """
type Query {
  product: Product
  things: [Thing]
  kinds(only: Kind @tag(name: "x")): [Kind]
  note: Note
}
type Product @key(fields: "sku") {
  sku: ID! @tag(name: "x")
  name: String
  weight: Int @tag(name: "x")
}
interface Thing { name: String }
type Box implements Thing { name: String }
type Bomb implements Thing @tag(name: "x") { name: String }
enum Kind { GOOD SECRET @tag(name: "x") }
type Note { text: String @owner(field: "author") author: ID @tag(name: "x") }
"""
)
SHIPPING = (
    HEAD
    + """
type Product @key(fields: "sku") {
  sku: ID! @tag(name: "x")
  weight: Int @external
  fee: Int @requires(fields: "weight")
}
"""
)
DATA = {
    "product": {"__typename": "Product", "sku": "1", "name": "lamp", "weight": 3},
    "things": [
        {"__typename": "Box", "name": "box"},
        {"__typename": "Bomb", "name": "bomb"},
    ],
    "kinds": ["GOOD", "SECRET"],
    "note": {"__typename": "Note", "text": "mine", "author": "u1"},
}
VARIANT = VariantSettings(name="open", exclude=("x",))


@pytest.fixture(scope="module")
def servers():
    def ship(found):
        return {"fee": found["weight"] * 10}

    with (
        RemoteServer(
            PRODUCTS, DATA, {"Product": lambda _: DATA["product"]}
        ) as products,
        RemoteServer(SHIPPING, {}, {"Product": ship}) as shipping,
    ):
        yield products, shipping


@pytest.fixture
async def gateway(servers):
    products, shipping = servers
    settings = Settings(
        subgraphs=(
            SubgraphReference(name="products", url=products.url),
            SubgraphReference(name="shipping", url=shipping.url),
        ),
        variants=(VARIANT,),
        auth=AuthSettings(),
        exposes_plans=True,
    )
    async with Gateway(settings=settings) as gateway:
        yield gateway


async def test_keys_and_requirements_that_are_hidden_are_still_fetched(gateway):
    shown = await gateway.execute("{ product { name fee } }", variant="open")
    hidden = await gateway.execute("{ product { sku } }", variant="open")

    assert shown.data == {"product": {"name": "lamp", "fee": 30}}
    assert not shown.errors
    assert hidden.error_codes == ("GRAPHQL_VALIDATION_FAILED",)


async def test_hidden_types_and_values_are_null(gateway):
    query = "{ things { __typename name } kinds }"

    whole = await gateway.execute(query)
    shown = await gateway.execute(query, variant="open")

    assert whole.data["kinds"] == ["GOOD", "SECRET"]
    assert [thing["name"] for thing in whole.data["things"]] == ["box", "bomb"]
    assert shown.data == {
        "things": [{"__typename": "Box", "name": "box"}, None],
        "kinds": ["GOOD", None],
    }


async def test_a_hidden_argument_and_a_hidden_value_cannot_be_given(gateway):
    for query in ("{ kinds(only: GOOD) }", "query ($k: Kind) { kinds(only: $k) }"):
        answer = await gateway.execute(query, variant="open")
        assert answer.error_codes[0] == "GRAPHQL_VALIDATION_FAILED"


async def test_row_rules_read_what_is_hidden(gateway):
    query = "{ note { text } }"

    own = await gateway.execute(query, principal=Principal("u1"), variant="open")
    other = await gateway.execute(query, principal=Principal("u2"), variant="open")

    assert own.data == {"note": {"text": "mine"}}
    assert other.data == {"note": {"text": None}}


async def test_plans_are_not_shown_to_those_from_whom_something_is_hidden(gateway):
    headers = {"apollo-expose-query-plan": "true"}
    query = "{ product { name fee } }"

    whole = await gateway.execute(query, headers=headers)
    shown = await gateway.execute(query, headers=headers, variant="open")

    assert "weight" in str(whole.extensions)
    assert shown.extensions is None


async def test_the_same_text_is_another_document_in_each_variant(gateway):
    query = "{ product { sku } }"

    for _ in range(2):
        assert (await gateway.execute(query)).data == {"product": {"sku": "1"}}
        hidden = await gateway.execute(query, variant="open")
        assert hidden.error_codes == ("GRAPHQL_VALIDATION_FAILED",)


async def test_a_variant_that_is_not_there_is_no_graph(gateway):
    answer = await gateway.execute("{ __typename }", variant="other")

    assert answer.status == 404


async def test_a_reload_with_a_filter_that_does_not_fit_changes_nothing(gateway):
    wrong = VariantSettings(name="open", include=("nothing",))

    with pytest.raises(ConfigurationError) as caught:
        await gateway.reconfigure(
            Settings(subgraphs=gateway.settings.subgraphs, variants=(wrong,))
        )

    (problem,) = caught.value.problems
    assert problem.where == "Query"
    assert 'variant "open"' in problem.message
    assert (await gateway.execute("{ product { name } }", variant="open")).data


async def test_the_problems_of_all_variants_are_told_at_once(gateway):
    variants = (
        VariantSettings(name="a", include=("nothing",)),
        VariantSettings(name="b", include=("none",)),
    )

    with pytest.raises(ConfigurationError) as caught:
        build_contracts(gateway.snapshot.supergraph, Settings(variants=variants))

    messages = [problem.message for problem in caught.value.problems]
    assert [message[:11] for message in messages] == ['variant "a"', 'variant "b"']
