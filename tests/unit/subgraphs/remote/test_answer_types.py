"""Answers are vouched for only where every value is what was asked for."""

import orjson
import pytest
from graphql import build_schema

from graphgw.federation.selection import TYPENAME, Field, Fragment
from graphgw.planning.plan import EntityInput, Fetch, PathStep
from graphgw.subgraphs.remote.answer_types import build_answer_decoder

SCHEMA = build_schema(
    """
    type Query { user: User, users: [User!]!, node: Node, today: Day! }
    interface Node { id: ID! }
    type User implements Node {
      id: ID!
      name: String
      age: Int
      height: Float!
      isAdmin: Boolean
      role: Role
      tags: [String!]
      born: Day
      friends: [User]
    }
    enum Role { READER WRITER }
    scalar Day
    """
)
ID, NAME = Field("id"), Field("name")


def root(*fields):
    fetch = Fetch(0, "A", "query", (Field("user", None, (), fields),))
    return build_answer_decoder(fetch, "Query", SCHEMA)


def entities(*fields):
    fetch = Fetch(
        1,
        "A",
        "query",
        (Fragment("User", fields),),
        (PathStep("user"),),
        (EntityInput(("User",), "User", (ID,)),),
    )
    return build_answer_decoder(fetch, "Query", SCHEMA)


def decode_user(name, text):
    decoder = root(Field(name))
    data = decoder.decode(b'{"data":{"user":{"%b":%b}}}' % (name.encode(), text), None)
    return None if data is None else data["user"][name]


def test_what_was_asked_for_is_taken():
    data = root(ID, NAME).decode(b'{"data":{"user":{"id":"1","name":null}}}', None)

    assert data == {"user": {"id": "1", "name": None}}


def test_what_was_not_asked_for_is_left_out():
    body = b'{"data":{"x":1,"user":{"id":"1","password":"?"}},"extensions":{}}'

    assert root(ID).decode(body, None) == {"user": {"id": "1"}}


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        pytest.param("age", b"2147483647", 2147483647, id="int"),
        pytest.param("height", b"2", 2, id="whole-float"),
        pytest.param("height", b"2.5", 2.5, id="float"),
        pytest.param("isAdmin", b"true", True, id="boolean"),
        pytest.param("role", b'"READER"', "READER", id="enum"),
        pytest.param("tags", b'["a","b"]', ["a", "b"], id="list"),
        pytest.param("born", b'"2026-11-24"', "2026-11-24", id="custom-text"),
        pytest.param("born", b"17", 17, id="custom-number"),
    ],
)
def test_values_of_the_right_type_are_vouched_for(field, text, expected):
    assert decode_user(field, text) == expected


@pytest.mark.parametrize(
    ("field", "text"),
    [
        pytest.param("id", b"1", id="id-as-number"),
        pytest.param("id", b"null", id="null"),
        pytest.param("name", b"1", id="string-as-number"),
        pytest.param("name", b'"\\ud800"', id="lone-surrogate"),
        pytest.param("name", b'"\xff"', id="no-utf-8"),
        pytest.param("age", b"2147483648", id="int-too-large"),
        pytest.param("age", b"1.0", id="int-as-float"),
        pytest.param("age", b"true", id="int-as-boolean"),
        pytest.param("height", b"1e999", id="infinite"),
        pytest.param("height", b"NaN", id="nan"),
        pytest.param("isAdmin", b"0", id="boolean-as-number"),
        pytest.param("role", b'"OWNER"', id="unknown-enum-value"),
        pytest.param("tags", b'["a",null]', id="null-in-list"),
        pytest.param("tags", b'"a"', id="no-list"),
        pytest.param("born", b"{}", id="custom-object"),
        pytest.param("born", b"99999999999999999999", id="number-too-large-to-send"),
    ],
)
def test_other_values_are_not_vouched_for(field, text):
    assert decode_user(field, text) is None


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="no-data"),
        pytest.param(b'{"data":null}', id="null-data"),
        pytest.param(b'{"data":{}}', id="missing-field"),
        pytest.param(b'{"data":{"user":null},"errors":[{}]}', id="errors"),
        pytest.param(b'{"data":{"user":null}', id="cut"),
        pytest.param(b'{"data":{"user":null},"x":' + b"[" * 100_000, id="deep"),
    ],
)
def test_other_answers_are_not_vouched_for(body):
    assert root(ID).decode(body, None) is None


def test_no_errors_are_no_errors():
    assert root(ID).decode(b'{"data":{"user":null},"errors":[]}', None) == {
        "user": None
    }


@pytest.mark.parametrize(
    "user",
    [
        pytest.param({"name": "Ada", "id": "1", "friends": []}, id="object"),
        pytest.param(
            {"id": "1", "name": "Ada", "friends": [None, {"name": "Bo", "id": "2"}]},
            id="object-in-a-list",
        ),
    ],
)
def test_keys_in_another_order_are_not_vouched_for(user):
    decoder = root(ID, NAME, Field("friends", None, (), (ID, NAME)))

    assert decoder.decode(orjson.dumps({"data": {"user": user}}), None) is None


def test_entities_are_a_list_of_objects_and_nulls():
    decoder = entities(NAME)
    body = b'{"data":{"_entities":[{"name":"Ada"},null]}}'

    assert decoder.decode(body, 2) == [{"name": "Ada"}, None]
    assert decoder.decode(body, 1) is None


def test_the_name_of_a_type_is_its_own():
    decoder = entities(TYPENAME, NAME)

    assert decoder.decode(
        b'{"data":{"_entities":[{"__typename":"User","name":""}]}}', 1
    ) == [{"__typename": "User", "name": ""}]
    assert (
        decoder.decode(b'{"data":{"_entities":[{"__typename":"X","name":""}]}}', 1)
        is None
    )


def test_aliases_are_the_keys():
    decoder = root(Field("name", "first"), Field("name", "second"))
    body = b'{"data":{"user":{"first":"a","second":"b"}}}'

    assert decoder.decode(body, None) == {"user": {"first": "a", "second": "b"}}


@pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(
            Fetch(0, "A", "query", (Field("node", None, (), (ID,)),)), id="interface"
        ),
        pytest.param(
            Fetch(
                0,
                "A",
                "query",
                (Field("user", None, (), (Fragment("User", (ID,)),)),),
            ),
            id="fragment",
        ),
        pytest.param(Fetch(0, "A", "query", (Field("gone"),)), id="unknown-field"),
        pytest.param(
            Fetch(
                0,
                "A",
                "query",
                (Fragment("Node", (ID,)),),
                (PathStep("node"),),
                (EntityInput(("User",), "Node", (ID,)),),
            ),
            id="interface-entity",
        ),
    ],
)
def test_answers_of_which_the_types_are_not_known_have_no_decoder(fetch):
    assert build_answer_decoder(fetch, "Query", SCHEMA) is None


def test_a_subgraph_that_never_fits_is_not_decoded_twice_for_ever():
    decoder = root(ID)
    fits, does_not = b'{"data":{"user":null}}', b'{"data":{"user":{"id":1}}}'

    for _ in range(7):
        assert decoder.decode(does_not, None) is None
    assert decoder.decode(fits, None) is not None
    for _ in range(2):
        assert decoder.decode(does_not, None) is None

    assert decoder.decode(fits, None) is None
