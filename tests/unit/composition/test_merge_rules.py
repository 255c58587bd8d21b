import pytest

from graphgw.composition.merge_rules import merge_applied
from graphgw.federation.supergraph import AppliedDirective


def merged(name, *arguments):
    groups = [[AppliedDirective(name, given)] for given in arguments]
    return [dict(applied.arguments) for applied in merge_applied(groups)]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        pytest.param(
            "tag", [{"name": "a"}, {"name": "a"}], [{"name": "a"}], id="equal"
        ),
        pytest.param(
            "rateLimit",
            [{"limit": 1}, {"limit": 2}],
            [{"limit": 1}, {"limit": 2}],
            id="repeatable-ones-all-stay",
        ),
        pytest.param(
            "requiresScopes",
            [{"scopes": [["a"], ["b"]]}, {"scopes": [["c"]]}],
            [{"scopes": [["a", "c"], ["b", "c"]]}],
            id="scopes-of-all-are-demanded",
        ),
        pytest.param(
            "policy",
            [{"policies": [["a"]]}, {"policies": [["b"], ["a"]]}],
            [{"policies": [["a"], ["a", "b"]]}],
            id="policies-of-all-are-demanded",
        ),
        pytest.param(
            "requiresScopes",
            [{"scopes": []}, {"scopes": [["a"]]}],
            [{"scopes": []}],
            id="what-nobody-has-stays-so",
        ),
        pytest.param(
            "cost", [{"weight": 1}, {"weight": 5}], [{"weight": 5}], id="cost"
        ),
        pytest.param(
            "listSize",
            [{"assumedSize": 5}, {"assumedSize": 9, "sizedFields": ["a"]}],
            [
                {
                    "assumedSize": 9,
                    "sizedFields": ["a"],
                    "requireOneSlicingArgument": True,
                }
            ],
            id="list-size",
        ),
        pytest.param(
            "cacheControl",
            [{"maxAge": 60, "scope": "PUBLIC"}, {"maxAge": 5, "scope": "PRIVATE"}],
            [{"maxAge": 5, "scope": "PRIVATE"}],
            id="the-stricter-cache-wins",
        ),
        pytest.param(
            "cacheControl",
            [{"swr": 3, "vary": ["a"]}, {"inheritMaxAge": True, "vary": ["b", "a"]}],
            [{"swr": 3, "inheritMaxAge": True, "vary": ["a", "b"]}],
            id="cache-arguments-of-either",
        ),
    ],
)
def test_directives_of_several_subgraphs_become_one_set(name, given, expected):
    assert merged(name, *given) == expected


def test_the_order_is_that_of_the_definitions():
    groups = [
        [AppliedDirective("zebra", {}), AppliedDirective("cost", {"weight": 1})],
        [AppliedDirective("tag", {"name": "a"})],
    ]

    names = [applied.name for applied in merge_applied(groups)]

    assert names == ["tag", "cost", "zebra"]
