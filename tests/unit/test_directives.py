"""The directives print as federation expects and travel through composition."""

from __future__ import annotations

import pytest
import strawberry
from graphql import build_ast_schema, parse

from graphgw import directives as d
from graphgw.federation.links import read_links
from graphgw.federation.rule_definitions import POLICIES_URL, RULE_NAMES


@strawberry.federation.type(keys=["id"])
class Order:
    id: strawberry.ID
    total: int = strawberry.federation.field(
        directives=[d.RequiresScopes(scopes=[["orders:read", "me"], ["admin"]])]
    )


def sdl_with(*directives: object) -> str:
    @strawberry.type
    class Query:
        order: Order | None = strawberry.federation.field(directives=list(directives))

    return strawberry.federation.Schema(Query).as_str()


@pytest.mark.parametrize(
    ("directive", "expected"),
    [
        pytest.param(
            d.RateLimit(limit=60, window="1m"),
            '@rateLimit(limit: 60, window: "1m")',
            id="rate-limit-with-defaults",
        ),
        pytest.param(
            d.RateLimit(
                limit=60,
                window="1m",
                key=[d.RateKey.PRINCIPAL, d.RateKey.ARGS],
                key_args=["id"],
                cost_from_arg="first",
                burst=5,
            ),
            '@rateLimit(limit: 60, window: "1m", key: [PRINCIPAL, ARGS], '
            'keyArgs: ["id"], costFromArg: "first", burst: 5)',
            id="rate-limit-in-full",
        ),
        pytest.param(d.Authenticated(), "@authenticated", id="authenticated"),
        pytest.param(
            d.RequiresScopes(scopes=[["a", "b"], ["c"]]),
            '@requiresScopes(scopes: [["a", "b"], ["c"]])',
            id="requires-scopes",
        ),
        pytest.param(
            d.Policy(policies=[["is_staff"]]),
            '@policy(policies: [["is_staff"]])',
            id="policy",
        ),
        pytest.param(
            d.Owner(field="userId", or_scopes=[["admin"]]),
            '@owner(field: "userId", orScopes: [["admin"]])',
            id="owner",
        ),
        pytest.param(
            d.RowPolicy(name="visible"), '@rowPolicy(name: "visible")', id="row-policy"
        ),
        pytest.param(
            d.AllowIps(cidrs=["10.0.0.0/8"]),
            '@allowIps(cidrs: ["10.0.0.0/8"])',
            id="allow-ips",
        ),
        pytest.param(
            d.CacheControl(max_age=60, scope=d.CacheScope.PRIVATE, swr=30),
            "@cacheControl(maxAge: 60, scope: PRIVATE, swr: 30)",
            id="cache-control",
        ),
        pytest.param(
            d.CacheTag(format="order-{$key.id}"),
            '@cacheTag(format: "order-{$key.id}")',
            id="cache-tag",
        ),
        pytest.param(
            d.CacheInvalidation(tags=["orders"]),
            '@cacheInvalidation(tags: ["orders"])',
            id="cache-invalidation",
        ),
        pytest.param(d.Cost(weight=5), "@cost(weight: 5)", id="cost"),
        pytest.param(
            d.ListSize(assumed_size=10),
            "@listSize(assumedSize: 10)",
            id="list-size",
        ),
        pytest.param(d.Tag(name="team"), '@tag(name: "team")', id="tag"),
        pytest.param(d.Inaccessible(), "@inaccessible", id="inaccessible"),
        pytest.param(
            d.Sunset(on="2027-01-31", replacement="orders"),
            '@sunset(on: "2027-01-31", replacement: "orders")',
            id="sunset",
        ),
    ],
)
def test_a_directive_prints_only_what_was_given(directive, expected):
    sdl = sdl_with(directive)

    assert f"  order: Order {expected}\n" in sdl


@pytest.mark.parametrize(
    "directive",
    [
        pytest.param(d.RateLimit(limit=1, window="1s"), id="rateLimit"),
        pytest.param(d.CacheControl(max_age=1), id="cacheControl"),
        pytest.param(d.AllowIps(cidrs=[]), id="allowIps"),
    ],
)
def test_our_own_directives_are_linked_defined_and_composed(directive, request):
    name = request.node.callspec.id

    sdl = sdl_with(directive)

    meaning = read_links(parse(sdl)).directive(name)
    assert meaning.link is not None
    assert (meaning.link.url, meaning.name) == (POLICIES_URL, name)
    assert f'@composeDirective(name: "@{name}")' in sdl
    assert f"directive @{name}(" in sdl


def test_federations_directives_are_linked_from_federation_and_not_defined():
    sdl = sdl_with(d.Authenticated(), d.Cost(weight=2), d.ListSize(assumed_size=1))

    imports = next(
        link.imports for link in read_links(parse(sdl)).all if link.name == "federation"
    )
    assert {"@authenticated", "@cost", "@listSize", "@requiresScopes"} <= set(imports)
    assert "directive @" not in sdl


def test_types_of_directive_arguments_carry_the_specifications_prefix():
    sdl = sdl_with(d.RateLimit(limit=1, window="1s"), d.CacheControl(max_age=1))

    enums = {
        node.name.value
        for node in parse(sdl).definitions
        if node.kind == "enum_type_definition"
    }
    assert enums == {"policies__RateKey", "policies__CacheControlScope"}


def test_every_rule_of_the_gateway_has_a_directive():
    names = {
        getattr(d, name).__strawberry_directive__.graphql_name
        for name in d.__all__
        if hasattr(getattr(d, name), "__strawberry_directive__")
    }

    assert names == RULE_NAMES


def test_the_printed_schema_is_valid_graphql():
    sdl = sdl_with(d.RateLimit(limit=1, window="1s"), d.CacheControl(max_age=1))

    schema = build_ast_schema(parse(sdl), assume_valid_sdl=True)

    assert schema.get_directive("rateLimit").is_repeatable
