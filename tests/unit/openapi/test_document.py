"""Routes become one document that a validator takes."""

import pytest
from openapi_spec_validator import validate

from graphgw.openapi.document import content_of, describe_routes, routes_of_host
from graphgw.openapi.settings import OpenAPISettings
from graphgw.policies.route_policy import RouteRateLimit
from graphgw.policies.settings import ApiKeySettings, AuthSettings
from graphgw.routes.description import OperationDescription, RouteDescription
from graphgw.routes.exchange import Exchange
from graphgw.routes.settings import BodyChanges, ResponseChanges, RouteSettings
from graphgw.routes.targets import GRPCTarget

THING = {"schema": {"$ref": "#/components/schemas/Thing"}}
USER = "query UserCard($id: ID!) { user(id: $id) { id name } }"


def service(name="files", path="/files/*", **options):
    return RouteSettings(name=name, path=path, service="store", **options)


def document(*routes, settings=OpenAPISettings(), auth=AuthSettings()):  # noqa: B008 - frozen
    found = describe_routes([(route, None) for route in routes], settings, auth)
    validate(found)
    return found


def test_the_head_is_what_the_settings_say():
    settings = OpenAPISettings(
        title="Shop", version="2", description="All.", servers=("https://a.example",)
    )

    found = document(settings=settings)

    assert found["openapi"] == "3.1.1"
    assert found["info"] == {"title": "Shop", "version": "2", "description": "All."}
    assert found["servers"] == [{"url": "https://a.example"}]
    assert found["paths"] == {}


def test_every_kind_of_endpoint_is_valid(described):
    text = (
        "# All of it.\n#\n# More.\n"
        "query Q($filter: Filter, $sizes: [Size!], $ids: [ID]) {"
        " users(filter: $filter, sizes: $sizes, ids: $ids)"
        " { id born friends { size } } search(text: $t) { __typename } }"
    ).replace("$ids: [ID]", "$ids: [ID], $t: String!")

    validate(described(text))
    validate(described(text, methods=("POST",)))
    validate(described(text, methods=(), status=204))


def test_words_come_from_the_comment_above_the_operation(operation_of):
    text = f"# A card.\n#\n# For lists.\n{USER}"

    found = operation_of(text, "/{id}")

    assert found["summary"] == "A card."
    assert found["description"] == "For lists."
    assert found["tags"] == ["operations"]
    assert found["operationId"] == "r"


def test_without_a_comment_the_schema_or_the_name_speaks(operation_of):
    assert operation_of(USER, "/{id}")["summary"] == "One user."
    text = "query SearchHTTPUsers($a: String!) { search(text: $a) { __typename } }"
    assert operation_of(text)["summary"] == "Search http users"


def test_an_operation_on_what_is_deprecated_is_so_too(operation_of):
    assert operation_of("{ old }")["deprecated"] is True


def test_a_route_with_several_methods_has_an_id_for_each(described):
    (item,) = described(USER, "/{id}", ("GET", "POST"))["paths"].values()

    assert {m: o["operationId"] for m, o in item.items()} == {
        "get": "r_get",
        "post": "r_post",
    }


def test_problems_are_told_by_status(operation_of):
    found = operation_of(
        USER, "/{id}", select="user", statuses=(("UNAUTHENTICATED", 409),)
    )

    statuses = set(found["responses"])
    assert {"200", "304", "400", "403", "404", "409", "429", "4XX", "5XX"} <= statuses


def test_statuses_and_bodies_are_told_as_the_route_changes_them(operation_of):
    changes = ResponseChanges(
        status=(("404", 410),),
        body=BodyChanges(
            drop=("id",), rename=(("name", "who.name"),), defaults=(("x", "1"),)
        ),
    )

    found = operation_of(USER, "/{id}", select="user", route={"response": changes})

    assert "404" not in found["responses"]
    assert "410" in found["responses"]
    schema = found["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["properties"] == {
        "who": {
            "type": "object",
            "properties": {"name": {"type": ["string", "null"]}},
        },
        "x": {},
    }
    assert "required" not in schema


def test_an_answer_that_a_hook_makes_is_left_open(operation_of):
    changes = ResponseChanges(hook="a:b")

    found = operation_of(USER, "/{id}", route={"response": changes})

    assert found["responses"]["200"]["content"]["application/json"]["schema"] == {}


def test_a_route_to_a_service_has_path_methods_and_limits():
    route = service(
        path="/stores/{store}/files/*",
        methods=("GET", "PUT"),
        rate_limit=RouteRateLimit(limit=1),
    )

    item = document(route)["paths"]["/stores/{store}/files/{path}"]

    assert [p["name"] for p in item["get"]["parameters"]] == ["store", "path"]
    assert "requestBody" not in item["get"]
    assert "requestBody" in item["put"]
    assert item["get"]["tags"] == ["store"]
    assert set(item["get"]["responses"]) == {"default", "400", "429"}


def test_a_route_of_any_method_has_the_usual_ones():
    (item,) = document(service())["paths"].values()

    assert list(item) == ["get", "post", "put", "patch", "delete"]


def test_patterns_and_verbs_are_written_as_openapi_can():
    found = document(
        service("a", "/v1/{name=shelves/*}"), service("b", "/v1/shelves/{id}:archive")
    )

    assert list(found["paths"]) == ["/v1/shelves/{id}:archive", "/v1/{name}"]


def test_paths_that_differ_in_names_only_are_one_path():
    found = document(
        service("a", "/users/{id}", methods=("GET",)),
        service("b", "/users/{name}", methods=("PUT",)),
    )

    (path,) = found["paths"]
    assert path == "/users/{id}"
    (parameter,) = found["paths"][path]["put"]["parameters"]
    assert parameter["name"] == "id"


def test_types_of_a_variant_are_parted_from_those_of_the_graph(opened):
    text = "query ($sizes: [Size!]) { users(sizes: $sizes) { id } }"
    whole = opened(text, "/whole")
    part = opened(text, "/part", route={"name": "p"}, variant="of mine")

    found = describe_routes(
        [(endpoint.route, endpoint) for endpoint in (whole, part)],
        OpenAPISettings(),
        AuthSettings(),
    )

    validate(found)
    names = found["components"]["schemas"]
    assert {"Size", "of_mine.Size"} <= set(names)


def test_no_type_of_the_graph_can_take_the_place_of_problems(described):
    names = described("{ users { id } }")["components"]["schemas"]

    assert set(names) == {"problem-details", "problem-part"}


def test_a_handler_may_tell_what_it_answers():
    class Handler:
        async def handle(self, exchange: Exchange) -> None:
            raise AssertionError(exchange)

        def describe(self) -> RouteDescription:
            path = {"name": "name", "in": "path", "required": True, "schema": {}}
            answer = {"description": "It.", "content": {"application/json": THING}}
            operation = {"parameters": [path], "responses": {"200": answer}}
            return RouteDescription(
                "things",
                (OperationDescription("GET", "/v1/{name=things/*}", operation, "Get"),),
                {"Thing": {"type": "object"}},
            )

    route = RouteSettings(name="r", path="/v1/*", grpc=GRPCTarget(service="thing"))

    content = content_of(route, Handler())
    found = describe_routes([(route, content)], OpenAPISettings(), AuthSettings())

    validate(found)
    operation = found["paths"]["/v1/{name}"]["get"]
    assert operation["operationId"] == "r_Get"
    assert operation["tags"] == ["things"]
    assert set(operation["responses"]) >= {"200", "401", "5XX"}
    assert operation["security"] == [{}, {"bearer": []}, {"apiKey": []}]


def test_ids_are_never_given_twice():
    found = document(
        service("a_get", "/x", methods=("GET",)),
        service("a", "/y", methods=("GET", "PUT")),
    )

    ids = [o["operationId"] for item in found["paths"].values() for o in item.values()]
    assert sorted(ids) == ["a_get", "a_get_", "a_put"]


@pytest.mark.parametrize(
    ("options", "security"),
    [
        pytest.param({}, [{}, {"bearer": []}, {"apiKey": []}], id="open"),
        pytest.param(
            {"authenticated": True}, [{"bearer": []}, {"apiKey": []}], id="known"
        ),
        pytest.param(
            {"scopes": ("a", "b")},
            [{"bearer": ["a", "b"]}, {"apiKey": ["a", "b"]}],
            id="scopes",
        ),
        pytest.param({"api_key": "required"}, [{"apiKey": []}], id="api-key"),
        pytest.param(
            {"authenticated": True, "switch": "shadow"},
            [{}, {"bearer": []}, {"apiKey": []}],
            id="shadow",
        ),
    ],
)
def test_who_may_use_a_route_is_told(options, security):
    (item,) = document(service(methods=("GET",), **options))["paths"].values()

    assert item["get"]["security"] == security


def test_api_keys_come_in_the_header_that_is_configured():
    auth = AuthSettings(api_keys=ApiKeySettings(header="x-shop-key"))

    schemes = document(auth=auth)["components"]["securitySchemes"]

    assert schemes["apiKey"]["name"] == "x-shop-key"
    assert schemes["bearer"]["scheme"] == "bearer"


def test_a_host_has_its_own_routes_before_those_of_all():
    routes = (
        service("all", "/a"),
        service("below", "/a", host="*.example.com"),
        service("exact", "/a", host="api.example.com"),
        service("other", "/a", host="other.org"),
    )

    def names(host):
        return [route.name for route in routes_of_host(routes, host)]

    assert names("API.example.com:443") == ["exact", "below", "all"]
    assert names("x.example.com") == ["below", "all"]
    assert names("") == ["all"]
