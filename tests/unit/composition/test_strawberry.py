import strawberry
from strawberry.federation.schema_directives import Key

from graphgw import directives
from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.federation.supergraph import AppliedDirective


@strawberry.federation.type(
    keys=["id", Key(fields="sku", resolvable=False)],
    directives=[
        directives.CacheControl(max_age=60, scope=directives.CacheScope.PRIVATE)
    ],
)
class Product:
    id: strawberry.ID
    sku: strawberry.ID
    weight: int = strawberry.federation.field(external=True)
    fee: int = strawberry.federation.field(
        requires=["weight"],
        directives=[
            directives.RateLimit(limit=3, window="1s", key=[directives.RateKey.IP]),
            directives.RateLimit(limit=60, window="1h"),
            directives.RequiresScopes(scopes=[["a", "b"], ["c"]]),
        ],
    )
    name: str = strawberry.federation.field(override="old", tags=["t"])
    secret: int = strawberry.federation.field(inaccessible=True, shareable=True)


@strawberry.type
class Query:
    product: Product | None
    first: int = strawberry.federation.field(
        directives=[directives.Authenticated(), directives.Owner(field="product")]
    )


@strawberry.federation.type(keys=["id"], name="Product")
class WeighedProduct:
    id: strawberry.ID
    weight: int


def composed():
    shop = strawberry.federation.Schema(query=Query)
    weights = strawberry.federation.Schema(types=[WeighedProduct])
    return compose(
        [
            SubgraphSDL("shop", "", shop.as_str()),
            SubgraphSDL("weights", "", weights.as_str()),
        ]
    ).supergraph


def test_what_strawberry_prints_composes():
    supergraph = composed()

    product = supergraph.types["Product"]
    keys = [(k.text, k.is_resolvable) for k in product.graphs["SHOP"].keys]
    assert sorted(keys) == [("id", True), ("sku", False)]
    assert product.fields["weight"].graphs["SHOP"].is_external
    assert product.fields["name"].graphs["SHOP"].override == "old"
    assert product.fields["secret"].is_inaccessible
    assert set(supergraph.types) == {"Product", "Query"}


def test_directives_written_in_python_become_rules():
    rules = composed().rules

    assert rules["Product"] == (
        AppliedDirective("cacheControl", {"maxAge": 60, "scope": "PRIVATE"}),
    )
    assert [applied.name for applied in rules["Query.first"]] == [
        "authenticated",
        "owner",
    ]
    assert (
        AppliedDirective("rateLimit", {"limit": 3, "window": "1s", "key": ["IP"]})
        in rules["Product.fee"]
    )
    assert (
        AppliedDirective("requiresScopes", {"scopes": [["a", "b"], ["c"]]})
        in rules["Product.fee"]
    )
    assert rules["Product.name"] == (AppliedDirective("tag", {"name": "t"}),)
