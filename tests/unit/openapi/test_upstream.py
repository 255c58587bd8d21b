"""A service's own document tells what its routes answer."""

import json
from pathlib import Path

import pytest
from openapi_spec_validator import validate

from graphgw.config.load import load_settings_text
from graphgw.errors import ConfigurationError
from graphgw.openapi.document import content_of, describe_routes
from graphgw.openapi.settings import OpenAPISettings
from graphgw.openapi.upstream import read_upstream
from graphgw.policies.settings import AuthSettings
from graphgw.routes.settings import BodyChanges, ResponseChanges, RouteSettings

USER = {"$ref": "#/components/schemas/User"}
SHOWN = {"description": "It.", "content": {"application/json": {"schema": USER}}}
DOCUMENT = {
    "openapi": "3.0.3",
    "info": {"title": "Users", "version": "1"},
    "paths": {
        "/users/{user_id}": {
            "parameters": [{"$ref": "#/components/parameters/UserId"}],
            "get": {
                "operationId": "getUser",
                "summary": "Who it is.",
                "security": [{"inner": []}],
                "tags": ["inner"],
                "parameters": [
                    {"name": "full", "in": "query", "schema": {"type": "boolean"}}
                ],
                "responses": {
                    "200": {"$ref": "#/components/responses/User"},
                    "404": {"description": "Nobody."},
                },
            },
            "delete": {"responses": {"204": {"description": "Gone."}}},
        },
        "/users/{user_id}/friends": {
            "parameters": [{"$ref": "#/components/parameters/UserId"}],
            "get": {"responses": {"200": SHOWN}},
        },
        "/health": {"get": {"responses": {"200": {"description": "Well."}}}},
        "/odd/{user-id}": {"get": {"responses": {"200": {"description": "Odd."}}}},
    },
    "components": {
        "parameters": {
            "UserId": {
                "name": "user_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string"},
            }
        },
        "responses": {"User": SHOWN},
        "schemas": {
            "User": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "nullable": True},
                    "age": {
                        "type": "integer",
                        "minimum": 0,
                        "exclusiveMinimum": True,
                    },
                    "best": USER,
                    "team": {"$ref": "#/components/schemas/Team"},
                },
            },
            "Team": {"type": "string", "nullable": False},
            "Unused": {"type": "string"},
        },
    },
}


@pytest.fixture
def described(tmp_path: Path):
    """Return the document of a route to a service with the document above."""

    def described(path, text=None, **options):
        file = tmp_path / "users.json"
        file.write_text(json.dumps(DOCUMENT) if text is None else text)
        route = RouteSettings(
            **{"name": "r", "path": path, "service": "user", "openapi": file, **options}
        )
        found = describe_routes(
            [(route, content_of(route, None))], OpenAPISettings(), AuthSettings()
        )
        validate(found)
        return found

    return described


def test_a_route_has_what_its_service_says_of_it(described):
    found = described("/api/people/{id}", rewrite="/users/{id}", authenticated=True)

    (item,) = found["paths"].values()
    assert list(found["paths"]) == ["/api/people/{id}"]
    operation = item["get"]
    assert operation["summary"] == "Who it is."
    assert operation["operationId"] == "r_getUser"
    assert operation["tags"] == ["user"]
    assert operation["security"] == [{"bearer": []}, {"apiKey": []}]
    names = [(p["name"], p["in"]) for p in operation["parameters"]]
    assert names == [("id", "path"), ("full", "query")]
    assert operation["responses"]["404"] == {"description": "Nobody."}
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/user.User"}
    assert item["delete"]["operationId"] == "r_delete_1"


def test_schemas_are_taken_with_what_they_refer_to_and_no_more(described):
    schemas = described("/users/{id}")["components"]["schemas"]

    assert schemas["user.User"]["properties"] == {
        "name": {"type": ["string", "null"]},
        "age": {"type": "integer", "exclusiveMinimum": 0},
        "best": {"$ref": "#/components/schemas/user.User"},
        "team": {"$ref": "#/components/schemas/user.Team"},
    }
    assert schemas["user.Team"] == {"type": "string"}
    assert "user.Unused" not in schemas


def test_only_methods_of_the_route_are_told(described):
    (item,) = described("/users/{id}", methods=("GET",))["paths"].values()

    assert list(item) == ["get"]


def test_what_the_route_changes_is_left_open(described):
    changes = ResponseChanges(body=BodyChanges(drop=("age",)))

    found = described("/users/{id}", methods=("GET",), response=changes)

    answers = found["paths"]["/users/{id}"]["get"]["responses"]
    assert answers["200"]["content"]["application/json"]["schema"] == {}


def test_a_route_to_all_below_has_every_path_there(described):
    found = described("/people/*", strip_prefix="/people")
    below = described("/api/users/{id}/*", rewrite="/users/{id}/*")

    assert list(found["paths"]) == [
        "/people/health",
        "/people/users/{user_id}",
        "/people/users/{user_id}/friends",
    ]
    assert list(below["paths"]) == ["/api/users/{id}/friends"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{", "the file is not JSON", id="no-json"),
        pytest.param("[]", "the file is no OpenAPI 3 document", id="list"),
        pytest.param(
            '{"swagger": "2.0", "paths": {}}',
            "the file is no OpenAPI 3 document",
            id="swagger",
        ),
        pytest.param(
            '{"openapi": "3.1.0", "paths": {}}',
            "the file has no path that this route leads to",
            id="nothing",
        ),
    ],
)
def test_a_file_that_says_nothing_of_the_route_is_a_problem(tmp_path, text, message):
    (tmp_path / "users.json").write_text(text)
    configuration = """
services: {user: "http://users"}
routes: {r: {path: /users/*, service: user, openapi: users.json}}
"""

    with pytest.raises(ConfigurationError) as caught:
        load_settings_text(configuration, tmp_path / "graphgw.yaml", {})

    (problem,) = caught.value.problems
    assert problem.where.endswith("graphgw.yaml:3 routes.r.openapi")
    assert problem.message.startswith(message)


def test_a_file_that_is_gone_leaves_path_and_methods(described):
    (item,) = described("/x", text="{", methods=("GET",))["paths"].values()

    assert item["get"]["summary"] == "What the service user answers"


def test_references_in_a_circle_end(tmp_path):
    document = json.loads(json.dumps(DOCUMENT))
    document["components"]["responses"]["User"] = {
        "description": "It.",
        "headers": {"a": {"$ref": "#/components/headers/A"}},
    }
    document["components"]["headers"] = {
        "A": {"$ref": "#/components/headers/B"},
        "B": {"$ref": "#/components/headers/A"},
    }

    file = tmp_path / "circle.json"
    file.write_text(json.dumps(document))
    route = RouteSettings(
        name="r", path="/users/{id}", methods=("GET",), service="u", openapi=file
    )

    (operation,) = read_upstream(route).operations

    answer = operation.operation["responses"]["200"]
    assert answer["headers"] == {"a": {}}
