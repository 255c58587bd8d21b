"""The schema of an answer follows the operation's selection."""

import pytest

ID = {"type": "string"}
NAME = {"type": ["string", "null"]}
USER = "query ($id: ID!) { user(id: $id) { %s } }"


def test_an_answer_has_what_is_selected_under_its_response_keys(answer_of):
    found = answer_of(USER % "id called: name", "/{id}")

    assert found["required"] == ["user"]
    user = found["properties"]["user"]
    assert user["type"] == ["object", "null"]
    assert user["properties"] == {"id": ID, "called": NAME}
    assert user["required"] == ["id", "called"]
    assert user["description"] == "One user."


def test_what_is_selected_is_the_answer_and_not_null(answer_of):
    found = answer_of(USER % "name", "/{id}", select="user")
    leaf = answer_of(USER % "name", "/{id}", select="user.name")

    assert found["type"] == "object"
    assert leaf == {"type": "string"}


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        pytest.param("score", {"type": ["number", "null"], "format": "double"}, id="n"),
        pytest.param("active", {"type": "boolean"}, id="non-null"),
        pytest.param(
            "size",
            {"anyOf": [{"$ref": "#/components/schemas/Size"}, {"type": "null"}]},
            id="enum",
        ),
        pytest.param(
            "friends { id }",
            {
                "type": ["array", "null"],
                "items": {
                    "type": ["object", "null"],
                    "properties": {"id": ID},
                    "required": ["id"],
                },
            },
            id="list",
        ),
        pytest.param(
            "nick",
            {
                "type": ["string", "null"],
                "description": "Long.\n\nDeprecated: use name",
                "deprecated": True,
            },
            id="deprecated",
        ),
        pytest.param("__typename", {"type": "string", "enum": ["User"]}, id="typename"),
    ],
)
def test_a_field_has_the_schema_of_its_type(answer_of, field, schema):
    found = answer_of(USER % field, "/{id}", select="user")

    assert list(found["properties"].values()) == [schema]


def test_each_kind_of_an_abstract_type_has_a_schema(answer_of):
    text = (
        "query ($text: String!) { search(text: $text)"
        " { __typename ... on User { name } ... on Shop { city } } }"
    )

    found = answer_of(text, select="search")["items"]["anyOf"]

    assert [kind.get("properties") for kind in found] == [
        {"__typename": {"type": "string", "enum": ["Shop"]}, "city": ID},
        {"__typename": {"type": "string", "enum": ["User"]}, "name": NAME},
        None,
    ]
    assert found[-1] == {"type": "null"}


def test_kinds_that_look_alike_are_told_once(answer_of):
    text = "query ($id: ID!) { node(id: $id) { __typename id } }"

    found = answer_of(text, "/{id}", select="node")

    assert found["properties"] == {
        "__typename": {"type": "string", "enum": ["Shop", "User"]},
        "id": ID,
    }


def test_the_part_of_one_kind_may_be_selected(answer_of):
    text = "query ($id: ID!) { node(id: $id) { id ... on Shop { city } } }"

    assert answer_of(text, "/{id}", select="node.city") == ID


def test_fields_of_several_fragments_are_one(answer_of):
    text = (
        "query ($id: ID!) { user(id: $id) { friends { id } ... F } }"
        " fragment F on User { friends { name } }"
    )

    found = answer_of(text, "/{id}", select="user")

    friends = found["properties"]["friends"]["items"]
    assert list(friends["properties"]) == ["id", "name"]


def test_what_may_be_skipped_is_told_but_not_promised(answer_of):
    text = (
        "query ($id: ID!, $a: Boolean!, $b: Boolean!) { user(id: $id)"
        " { id @skip(if: $a) name @include(if: $b) } }"
    )

    found = answer_of(text, "/{id}", select="user")

    assert list(found["properties"]) == ["id", "name"]
    assert "required" not in found


def test_an_answer_that_may_have_gaps_has_warnings(answer_of):
    found = answer_of(USER % "id", "/{id}", select="user", partial="allow")

    assert found["properties"]["warnings"]["type"] == "array"
    assert found["required"] == ["id"]


def test_of_a_very_large_answer_the_end_is_left_open(answer_of):
    inner = "id"
    for _ in range(7):
        inner = " ".join(f"a{n}: friends {{ {inner} }}" for n in range(3))

    found = answer_of(USER % inner, "/{id}")

    assert 1000 < str(found).count("'properties'") <= 2000
