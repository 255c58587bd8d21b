"""The most specific route is found, and what is ambiguous is a problem."""

from __future__ import annotations

import random

import pytest

from graphgw.errors import BadRequestError
from graphgw.routes.match import Match, NotAllowed, Place, RouteTable
from graphgw.routes.paths import normalize_path
from graphgw.routes.templates import TemplateError, parse_host, parse_template

SPECIFIC_FIRST = [
    ("exact", "/users/me", (), "api.example.com"),
    ("sub", "/users/me", (), "*.api.example.com"),
    ("wild", "/users/me", (), "*.example.com"),
    ("me", "/users/me", (), None),
    ("verb", "/users/{id}:archive", (), None),
    ("read", "/users/{id}", ("GET",), None),
    ("any", "/users/{id}", (), None),
    ("orders", "/users/{id}/orders", ("GET",), None),
    ("below", "/users/*", (), None),
    ("all", "/*", (), None),
]


def table(*routes: tuple[str, str, tuple[str, ...], str | None]) -> RouteTable[str]:
    return RouteTable(
        (Place(name, parse_template(path), frozenset(methods), host), name)
        for name, path, methods, host in routes
    )


def find(routes: RouteTable[str], path: str, method: str = "GET", host: str = "a"):
    found = routes.find(host, path, method)
    return found.route if isinstance(found, Match) else found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("host", "method", "path", "name"),
    [
        ("api.example.com", "GET", "/users/me", "exact"),
        ("api.example.com:8080", "GET", "/users/me", "exact"),
        ("x.api.example.com", "GET", "/users/me", "sub"),
        ("www.example.com", "GET", "/users/me", "wild"),
        ("example.com", "GET", "/users/me", "me"),
        ("a", "GET", "/users/me", "me"),
        ("a", "GET", "/users/5", "read"),
        ("a", "HEAD", "/users/5", "read"),
        ("a", "POST", "/users/5", "any"),
        ("a", "POST", "/users/5:archive", "verb"),
        ("a", "POST", "/users/5:other", "any"),
        ("a", "GET", "/users/5/orders", "orders"),
        ("a", "POST", "/users/5/orders", "below"),
        ("a", "GET", "/users/5/orders/1", "below"),
        ("a", "GET", "/users/", "below"),
        ("a", "GET", "/users", "all"),
        ("a", "GET", "/", "all"),
        ("api.example.com", "GET", "/users/5", "read"),
    ],
)
def test_the_most_specific_route_wins_in_any_order(
    seed: int, host: str, method: str, path: str, name: str
):
    given = random.Random(seed).sample(  # noqa: S311 - an order, no secret
        SPECIFIC_FIRST, len(SPECIFIC_FIRST)
    )
    routes = table(*given)

    assert not routes.problems
    assert find(routes, path, method, host) == name


def test_parameters_are_decoded():
    routes = table(("user", "/a/{name}/b/{id}:go", (), None))

    found = routes.find("h", "/a/x%20%C3%A9%2F/b/1:2:go", "GET")

    assert isinstance(found, Match)
    assert found.parameters == {"name": "x é/", "id": "1:2"}


def test_what_a_prefix_matched_is_given_as_it_was_sent():
    routes = table(("files", "/files/{kind}/*", (), None))

    found = routes.find("h", "/files/a/b%20c/d", "GET")

    assert isinstance(found, Match)
    assert found.parameters == {"kind": "a", "*": "b%20c/d"}


def test_a_parameter_may_span_segments_that_it_names():
    routes = table(("book", "/v1/{name=shelves/*/books/*}:read", (), None))

    found = routes.find("h", "/v1/shelves/1/books/b%2F:read", "GET")

    assert isinstance(found, Match)
    assert found.parameters == {"name": "shelves/1/books/b/"}
    assert find(routes, "/v1/shelves/1/books/2") is None


def test_a_parameter_that_is_not_utf8_is_refused():
    routes = table(("user", "/{id}", (), None))

    with pytest.raises(BadRequestError):
        routes.find("h", "/%FF", "GET")


def test_a_parameter_is_never_empty():
    assert find(table(("user", "/users/{id}", (), None)), "/users/") is None


def test_other_methods_are_told():
    routes = table(
        ("read", "/a/{id}", ("GET",), None), ("write", "/a/{id}", ("PUT",), None)
    )

    assert routes.find("h", "/a/1", "POST") == NotAllowed(("GET", "HEAD", "PUT"))


def test_a_less_specific_route_serves_the_methods_that_others_lack():
    routes = table(("one", "/a/b", ("GET",), None), ("all", "/a/*", (), None))

    assert find(routes, "/a/b", "POST") == "all"


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (("/a/{id}", ()), ("/a/{name}", ()), True),
        (("/a/{id}", ("GET",)), ("/a/{name}", ("GET", "PUT")), True),
        (("/a/{id}", ("GET",)), ("/a/{name}", ("PUT",)), False),
        (("/a/{id}", ("GET",)), ("/a/{name}", ()), False),
        (("/a/*", ()), ("/a/{id}", ()), False),
        (("/a/{id}:x", ()), ("/a/{id}:y", ()), False),
        (("/a/{id}:x", ()), ("/a/{id}", ()), False),
    ],
)
def test_routes_that_match_the_same_requests_are_a_problem(
    one: tuple[str, tuple[str, ...]],
    other: tuple[str, tuple[str, ...]],
    *,
    are_equal: bool,
):
    routes = table(("one", *one, None), ("other", *other, None))

    assert bool(routes.problems) is are_equal
    if are_equal:
        assert routes.problems[0].where == "routes.other"
        assert '"one"' in routes.problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        "users",
        "/users/{id",
        "/users/id}",
        "/users/x{id}",
        "/users/{id}x",
        "/users/{1}",
        "/users/{}",
        "/{a}/{a}",
        "/a//b",
        "/a/../b",
        "/a/%20",
        "/a/ b",
        "/a/**/b",
        "/{a=**}/b",
        "/a?b",
    ],
)
def test_what_is_no_template_is_refused(text: str):
    with pytest.raises(TemplateError):
        parse_template(text)


@pytest.mark.parametrize("text", ["", "*", "*.", "a.*.b", "http://a", "a b", "a:80"])
def test_what_is_no_host_is_refused(text: str):
    with pytest.raises(TemplateError):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "parameters", "path"),
    [
        ("/users/{id}", {"id": "a b/é"}, "/users/a%20b%2F%C3%A9"),
        ("/x/*", {"*": "a%2Fb/c"}, "/x/a%2Fb/c"),
        ("/{name=a/*}:go", {"name": "a/b c"}, "/a/b%20c:go"),
        ("/", {}, "/"),
    ],
)
def test_a_template_is_filled_in(text: str, parameters: dict[str, str], path: str):
    assert parse_template(text).fill(parameters) == path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a%2Db%7e", "/a-b~"),
        ("/%61dmin", "/admin"),
        ("/a%3Ab%28c%29", "/a:b(c)"),
        ("/a%20b%c3%a9", "/a%20b%C3%A9"),
        ("/a%2fb", "/a%2Fb"),
        ("/a;b%3B", "/a;b%3B"),
        ("/.well-known/x", "/.well-known/x"),
        ("/...", "/..."),
    ],
)
def test_a_path_has_one_form(raw: str, path: str):
    assert normalize_path(raw) == path
    assert normalize_path(path) == path


@pytest.mark.parametrize(
    "raw",
    [
        "/a/../b", "/..", "/a/.", "/a/%2e%2E/b", "/a/.%2e", "/a%2F..%2Fb", "/a%2f%2e",
        "//a", "/a//b", "/a%2F/b", "/a\\b", "/a%5Cb", "/a%00", "/a%0d%0aX", "/a%7F",
        "/a%", "/a%2", "/a%zz",
    ],
)  # fmt: skip
def test_an_ambiguous_path_is_refused(raw: str):
    with pytest.raises(BadRequestError):
        normalize_path(raw)
