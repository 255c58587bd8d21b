"""The variants of graphgw.yaml: short forms, defaults, and what is wrong with them."""

from pathlib import Path

import pytest

from graphgw.config.load import load_settings_text
from graphgw.errors import ConfigurationError
from graphgw.federation.contract import ContractFilter
from graphgw.operations.settings import LimitSettings


def load(text):
    return load_settings_text(text, Path("graphgw.yaml"), {})


def problems(text):
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    return [(p.where, p.message) for p in caught.value.problems]


def test_a_variant_without_settings_has_its_path_by_its_name():
    (variant,) = load("variants:\n  mobile:\n").variants

    assert variant.graphql_path == "/mobile/graphql"
    assert variant.contract.is_open


def test_a_variant_says_what_it_shows():
    text = "variants: {a: {path: /v2/graphql, include: [x], exclude: [y]}}"

    (variant,) = load(text).variants

    assert variant.graphql_path == "/v2/graphql"
    assert variant.contract == ContractFilter(include=("x",), exclude=("y",))


def test_limits_that_are_not_given_are_those_for_all():
    (variant,) = load("variants: {a: {limits: {depth: 3}}}").variants

    limits = variant.limits.apply(LimitSettings(depth=9, aliases=7))

    assert (limits.depth, limits.aliases) == (3, 7)


def test_dates_may_be_written_without_quotes():
    (variant,) = load("variants:\n  a:\n    sunset: 2027-01-31\n").variants

    assert variant.sunset == "2027-01-31"


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        pytest.param(
            "a/b: {}", "variants.a/b", "this is no name for a variant", id="name"
        ),
        pytest.param(
            "a: {path: graphql}",
            "variants.a.path",
            'must be a path that starts with "/"',
            id="path",
        ),
        pytest.param(
            "a: {path: /metrics}",
            "variants.a.path",
            "is a path of the gateway itself",
            id="reserved-path",
        ),
        pytest.param(
            "a: {sunset: soon}",
            "variants.a.sunset",
            '"soon" is not a date such as 2027-01-31',
            id="date",
        ),
        pytest.param(
            "a: {addresses: {allow: [here]}}",
            "variants.a.addresses.allow",
            '"here" is not an address or network',
            id="address",
        ),
        pytest.param(
            "a: {replacement: b}",
            "variants.a.replacement",
            'there is no variant "b"',
            id="replacement",
        ),
        pytest.param(
            "{a: {path: /x}, b: {path: /x}}",
            "variants.b.path",
            '"/x" is the path of "a" already',
            id="same-path",
        ),
        pytest.param(
            "a: {limits: {depth: 0}}",
            "variants.a.limits.depth",
            "must be at least 1",
            id="limit",
        ),
        pytest.param(
            "a: {tags: [x]}",
            "variants.a.tags",
            'there is no setting "tags"',
            id="unknown",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text, where, message):
    body = text if text.startswith("{") else f"{{{text}}}"

    assert problems(f"variants: {body}") == [(f"graphgw.yaml:1 {where}", message)]


def test_the_header_of_variants_is_a_header_s_name():
    assert load("variant_header: X-Variant").variant_header == "X-Variant"
    assert problems("variant_header: 'a b'") == [
        ("graphgw.yaml:1 variant_header", "is no name of a header")
    ]


def test_a_route_cannot_have_the_path_of_a_variant():
    text = """
variants: {mobile: {}}
services: {user: "http://users"}
routes: {wrong: {path: /mobile/graphql, service: user}}
"""

    assert problems(text) == [
        (
            "graphgw.yaml:4 routes.wrong.path",
            '"/mobile/graphql" is the path of the variant "mobile"',
        )
    ]
