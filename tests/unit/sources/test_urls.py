import pytest

from graphgw.errors import InternalError
from graphgw.sources.urls import build_query, expand_template


@pytest.mark.parametrize(
    ("params", "query"),
    [
        pytest.param({"ids": "1,2"}, "ids=1,2", id="plain"),
        pytest.param({"a": None, "b": 1}, "b=1", id="none-is-left-out"),
        pytest.param({"a": ["x", "y"]}, "a=x&a=y", id="sequences-repeat"),
        pytest.param({"a": True, "b": False}, "a=true&b=false", id="booleans"),
        pytest.param({"q": "a&b=c #d+e"}, "q=a%26b%3Dc%20%23d%2Be", id="encoded"),
        pytest.param({"q": "\u00e4\r\n"}, "q=%C3%A4%0D%0A", id="not-ascii"),
        pytest.param({}, "", id="empty"),
    ],
)
def test_queries_hold_values_and_nothing_else(params, query):
    assert build_query(params) == query


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param("u1", "/users/u1/orders", id="plain"),
        pytest.param(7, "/users/7/orders", id="number"),
        pytest.param("..", "/users/%2E%2E/orders", id="climbing"),
        pytest.param("a/b", "/users/a%2Fb/orders", id="slash"),
        pytest.param("a?b#c", "/users/a%3Fb%23c/orders", id="query"),
        pytest.param("{id}", "/users/%7Bid%7D/orders", id="placeholder"),
    ],
)
def test_a_value_stays_in_its_place(value, path):
    assert expand_template("/users/{id}/orders", {"id": value}) == path


def test_a_missing_value_is_our_fault():
    with pytest.raises(InternalError, match='no value for "id"'):
        expand_template("/users/{id}", {"other": 1})
