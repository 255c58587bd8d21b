"""Parameters and bodies follow the operation's variables."""

import pytest

from graphgw.routes.settings import BodyChanges, RequestChanges

USERS = (
    "query ($first: Int! = 5, $filter: Filter)"
    " { users(first: $first, filter: $filter) { id } }"
)
RENAME = "mutation ($id: ID!, $to: Name!) { rename(id: $id, to: $to) { id } }"


def test_a_parameter_has_place_type_and_default(operation_of):
    text = "query ($id: ID!, $first: Int! = 5) { user(id: $id) { id } %s }"
    text %= "users(first: $first) { id }"

    path, query = operation_of(text, "/users/{id}")["parameters"]

    assert (path["name"], path["in"], path["required"]) == ("id", "path", True)
    assert query["name"] == "first"
    assert query["in"] == "query"
    assert "required" not in query
    assert query["schema"] == {
        "type": "integer",
        "format": "int32",
        "minimum": -(2**31),
        "maximum": 2**31 - 1,
        "default": 5,
    }


def test_what_must_be_sent_is_required(operation_of):
    text = "query ($text: String!) { search(text: $text) { __typename } }"

    (parameter,) = operation_of(text)["parameters"]

    assert parameter["required"] is True


def test_a_list_is_several_parameters_of_one_name_and_none_is_null(operation_of):
    text = "query ($ids: [ID]) { users(ids: $ids) { id } }"

    (parameter,) = operation_of(text)["parameters"]

    assert parameter["explode"] is True
    assert parameter["schema"] == {"type": "array", "items": {"type": "string"}}


def test_an_input_object_in_a_parameter_is_json(operation_of):
    _, parameter = operation_of(USERS)["parameters"]

    schema = parameter["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Filter"}


def test_headers_are_told_and_claims_are_not(operation_of):
    text = (
        "query ($text: String!, $id: ID!)"
        " { search(text: $text) { __typename } user(id: $id) { id } }"
    )

    found = operation_of(
        text, variables=(("text", "header.X-Text"), ("id", "claim.sub"))
    )

    (parameter,) = found["parameters"]
    assert (parameter["name"], parameter["in"]) == ("x-text", "header")
    assert found["security"] == [{"bearer": []}, {"apiKey": []}]


def test_headers_that_openapi_has_another_place_for_are_left_out(operation_of):
    text = "query ($text: String!) { search(text: $text) { __typename } }"

    found = operation_of(text, variables=(("text", "header.accept"),))

    assert "parameters" not in found


def test_variables_are_members_of_the_body(operation_of):
    found = operation_of(USERS, methods=("POST",))

    body = found["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert body["required"] is False
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == ["first", "filter"]
    assert schema["properties"]["first"]["default"] == 5
    assert schema["properties"]["filter"]["anyOf"][1] == {"type": "null"}
    assert "parameters" not in found


def test_a_dotted_place_in_the_body_is_an_object_in_it(operation_of):
    found = operation_of(
        RENAME, "/{id}", ("PUT",), variables=(("to", "body.user.name"),)
    )

    schema = found["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["user"]
    assert schema["properties"]["user"] == {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"$ref": "#/components/schemas/Name"}},
    }


def test_the_whole_body_may_be_one_variable(operation_of):
    found = operation_of(RENAME, "/{id}", ("PUT",), variables=(("to", "body"),))

    body = found["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/Name"
    }
    assert {"413", "415"} <= set(found["responses"])


def test_input_objects_are_written_once_with_what_they_refer_to(described):
    schemas = described(USERS)["components"]["schemas"]

    found = schemas["Filter"]
    assert found["required"] == ["min"]
    assert found["properties"]["name"] == {
        "type": ["string", "null"],
        "default": "a",
    }
    assert found["properties"]["inner"]["anyOf"][0] == {
        "$ref": "#/components/schemas/Filter"
    }
    assert found["description"] == "What to look for."
    assert schemas["Odd"] == {}
    assert schemas["Date"] == {
        "type": "string",
        "format": "date",
        "externalDocs": {"url": "https://example.com/date"},
    }


def test_an_enum_tells_what_its_values_mean(described):
    text = "query ($sizes: [Size!]) { users(sizes: $sizes) { id } }"

    found = described(text)["components"]["schemas"]["Size"]

    assert found["enum"] == ["SMALL", "LARGE", "OLD"]
    assert found["description"] == (
        "How big.\n\n- `LARGE`: Very.\n- `OLD`: no description (deprecated: gone)"
    )


def test_exactly_one_member_of_a_one_of_may_be_there(described):
    found = described(RENAME, "/{id}", ("PUT",))["components"]["schemas"]["Name"]

    assert (found["minProperties"], found["maxProperties"]) == (1, 1)
    assert found["properties"]["first"] == {"type": "string"}


def test_what_the_route_sets_itself_clients_are_not_asked_for(operation_of):
    changes = RequestChanges(query=(("first", "3"),))

    found = operation_of(USERS, route={"request": changes})

    assert [parameter["name"] for parameter in found["parameters"]] == ["filter"]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(RequestChanges(hook="a:b"), id="hook"),
        pytest.param(
            RequestChanges(body=BodyChanges(rename=(("a", "first"),))), id="rename"
        ),
    ],
)
def test_a_body_that_is_changed_on_the_way_is_left_open(operation_of, changes):
    found = operation_of(USERS, methods=("POST",), route={"request": changes})

    schema = found["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"type": "object"}
