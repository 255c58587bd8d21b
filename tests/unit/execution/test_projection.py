import pytest

from graphgw.subgraphs.protocol import FetchError, FetchResult


async def test_fields_stand_in_the_clients_order_under_their_aliases(shop):
    result = await shop.run("{ c: count __typename users { age n: name id } }")

    assert list(result.data) == ["c", "__typename", "users"]
    assert list(result.data["users"][0].items()) == [
        ("age", 36),
        ("n", "Ada"),
        ("id", "1"),
    ]


async def test_a_list_that_has_the_clients_shape_is_not_copied(shop, products):
    rows = [{"title": "Apple", "sku": "a"}, {"title": None, "sku": "b"}]
    products.change = lambda _: FetchResult({"products": rows})

    result = await shop.run("{ products { title sku } }")

    assert result.data["products"] is rows


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([{"sku": "a", "title": "A"}], id="other-order"),
        pytest.param([{"title": "A", "sku": "a", "extra": 1}], id="more"),
    ],
)
async def test_what_has_another_shape_is_cut_to_the_clients(shop, products, rows):
    products.change = lambda _: FetchResult({"products": rows})

    result = await shop.run("{ products { title sku } }")

    assert list(result.data["products"][0].items()) == [("title", "A"), ("sku", "a")]


async def test_every_object_of_a_list_gets_the_clients_order(shop, products):
    rows = [{"title": "A", "sku": "a"}, {"sku": "b", "title": "B"}]
    products.change = lambda _: FetchResult({"products": rows})

    result = await shop.run("{ products { title sku } }")

    assert [list(row) for row in result.data["products"]] == [["title", "sku"]] * 2


@pytest.mark.parametrize("keeps_order", [False, True])
async def test_objects_that_miss_what_others_got_have_nulls(
    shop, users, orders, keeps_order
):
    for subgraph in shop.subgraphs.values():
        subgraph.keeps_order = keeps_order
    rows = [{"id": "1", "name": "A"}, None, {"id": "3", "name": "B"}]
    users.change = lambda _: FetchResult({"users": rows})
    orders.entities["User"][0]["orders"] = None
    shop.subgraphs["PRODUCTS"].entities["Product"][0]["price"] = None

    result = await shop.run(
        "{ users { id name orders { id } } products { sku price } }"
    )

    assert result.data["users"] == [
        {"id": "1", "name": "A", "orders": None},
        None,
        {"id": "3", "name": "B", "orders": None},
    ]
    assert result.data["products"][0] == {"sku": "a", "price": None}


async def test_typename_of_a_concrete_type_is_the_schemas(shop, users):
    wrong = {"user": {"t": "Robot", "name": "Ada"}}
    users.change = lambda _: FetchResult(wrong)

    result = await shop.run("{ user { t: __typename name } }")

    assert result.data == {"user": {"t": "User", "name": "Ada"}}


async def test_a_root_typename_needs_no_fetch(shop):
    result = await shop.run("{ __typename }")

    assert result.data == {"__typename": "Query"}


async def test_fragments_apply_by_runtime_type(shop):
    result = await shop.run(
        "{ items { __typename ... on Book { pages } ... on Film { minutes } id } }"
    )

    assert result.data["items"][:2] == [
        {"__typename": "Book", "pages": 400, "id": "k"},
        {"__typename": "Film", "minutes": 96.0, "id": "f"},
    ]


async def test_hidden_runtime_types_and_enum_values_are_null_without_error(shop):
    result = await shop.run("{ items { id } grade }")

    assert result.data["items"][2] is None
    assert result.data["grade"] is None
    assert result.errors == []


async def test_a_hidden_enum_value_that_may_not_be_null_nulls_the_list(shop, products):
    products.data = {"grades": ["GOOD", "SECRET"]}

    result = await shop.run("{ grades }")

    assert result.data == {"grades": None}
    assert [(e["message"], e["path"]) for e in result.errors] == [
        ("Cannot return null for non-nullable field Query.grades.", ["grades", 1])
    ]


async def test_null_propagates_to_the_nearest_nullable_place(shop, users):
    users.change = lambda _: FetchResult(
        {"users": [{"name": "Ada"}, {"name": None}], "strict": [{"name": None}]}
    )

    result = await shop.run("{ users { name } }")
    everything = await shop.run("{ users { name } strict { name } }")

    assert result.data == {"users": [{"name": "Ada"}, None]}
    assert result.errors == [
        {
            "message": "Cannot return null for non-nullable field User.name.",
            "path": ["users", 1, "name"],
            "extensions": {"code": "SOURCE_BAD_ANSWER"},
        }
    ]
    assert everything.data is None


async def test_a_null_with_an_error_of_its_own_gets_no_second_one(shop, users):
    users.change = lambda _: FetchResult(
        {"users": [{"name": "Ada"}, None]},
        (FetchError("no name", ("users", 1, "name")),),
    )

    result = await shop.run("{ users { name } }")

    assert result.data == {"users": [{"name": "Ada"}, None]}
    assert [error["message"] for error in result.errors] == ["no name"]


async def test_an_entity_that_cannot_be_named_is_null_without_an_error(
    shop, users, orders
):
    users.change = lambda _: FetchResult({"user": {"id": None, "name": "Ada"}})

    result = await shop.run("{ user { name orders { id } } }")

    assert result.data == {"user": {"name": "Ada", "orders": None}}
    assert result.errors == []
    assert orders.calls == []


async def test_what_may_not_be_null_of_an_entity_that_cannot_be_named_is_an_error(
    shop, users, orders
):
    users.change = lambda _: FetchResult({"user": {"id": None, "name": "Ada"}})

    result = await shop.run("{ user { name total } }")

    assert result.data == {"user": None}
    assert [(error["message"], error["path"]) for error in result.errors] == [
        ("Cannot return null for non-nullable field User.total.", ["user", "total"])
    ]
    assert orders.calls == []


async def test_what_a_failed_fetch_leaves_out_has_its_error_alone(shop, users):
    errors = (FetchError("no id today", ("user", "id"), "SOURCE_ERROR"),)
    user = {"user": {"id": None, "name": "Ada"}}
    users.change = lambda _: FetchResult(user, errors)

    result = await shop.run("{ user { name total } }")

    assert result.data == {"user": None}
    assert [(error["message"], error["path"]) for error in result.errors] == [
        ("no id today", ["user"])
    ]


async def test_an_entity_that_is_not_found_nulls_what_it_would_have_given(shop, orders):
    orders.entities = {"User": orders.entities["User"][:1]}

    result = await shop.run("{ users { name orders { id } } }")

    assert result.data["users"][2] == {"name": "Bob", "orders": None}
    assert result.errors == []


BAD = "SOURCE_BAD_ANSWER"


@pytest.mark.parametrize(
    ("answer", "query", "data"),
    [
        pytest.param({"user": []}, "{user{age}}", {"user": None}, id="list-for-object"),
        pytest.param(
            {"user": "x"}, "{user{age}}", {"user": None}, id="text-for-object"
        ),
        pytest.param(
            {"users": {}}, "{users{age}}", {"users": None}, id="object-for-list"
        ),
        pytest.param({"users": [1]}, "{users{age}}", {"users": [None]}, id="int-item"),
        pytest.param(
            {"users": [[]]}, "{users{age}}", {"users": [None]}, id="list-item"
        ),
        pytest.param(
            {"user": {"age": "3"}},
            "{user{age}}",
            {"user": {"age": None}},
            id="text-int",
        ),
        pytest.param(
            {"user": {"age": True}},
            "{user{age}}",
            {"user": {"age": None}},
            id="bool-int",
        ),
        pytest.param(
            {"user": {"age": 2**31}},
            "{user{age}}",
            {"user": {"age": None}},
            id="big-int",
        ),
        pytest.param(
            {"user": {"age": {}}},
            "{user{age}}",
            {"user": {"age": None}},
            id="object-int",
        ),
    ],
)
async def test_a_value_of_the_wrong_kind_is_null_with_an_error(
    shop, users, answer, query, data
):
    users.change = lambda _: FetchResult(answer)

    result = await shop.run(query)

    assert result.data == data
    assert [error["extensions"]["code"] for error in result.errors] == [BAD]


@pytest.mark.parametrize(
    ("query", "rows", "expected"),
    [
        pytest.param("sku", {"sku": 7}, {"sku": "7"}, id="int-id"),
        pytest.param("price", {"price": 3}, {"price": 3}, id="int-float"),
        pytest.param("price", {"price": "3"}, {"price": None}, id="text-float"),
        pytest.param("tags", {"tags": ["a", 1]}, {"tags": None}, id="int-in-texts"),
        pytest.param("tags", {"tags": ["a", None]}, {"tags": None}, id="null-in-texts"),
        pytest.param("tags", {"tags": "a"}, {"tags": None}, id="text-for-list"),
        pytest.param("title", {}, {"title": None}, id="missing"),
    ],
)
async def test_leaves_are_held_to_their_types(shop, products, query, rows, expected):
    products.change = lambda _: FetchResult({"products": [rows]})

    result = await shop.run(f"{{ products {{ {query} }} }}")

    assert result.data == {"products": [expected]}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"id": "1"}, id="none"),
        pytest.param({"id": "1", "__typename": "Robot"}, id="unknown"),
        pytest.param({"id": "1", "__typename": "User"}, id="not-a-member"),
        pytest.param({"id": "1", "__typename": ["Book"]}, id="not-a-name"),
    ],
)
async def test_an_object_without_a_fitting_runtime_type_is_null_with_an_error(
    shop, products, item
):
    products.change = lambda _: FetchResult({"items": [item]})

    result = await shop.run("{ items { id } }")

    assert result.data == {"items": [None]}
    assert [error["extensions"]["code"] for error in result.errors] == [BAD]


async def test_refused_selections_come_out_null(shop, users):
    result = await shop.run("{ users { id age } }", refused={"User.age"})

    assert result.data["users"] == [
        {"id": "1", "age": None},
        None,
        {"id": "2", "age": None},
    ]
    assert result.errors == []
    assert "age" not in users.documents[0]


async def test_a_refused_selection_that_may_not_be_null_propagates_quietly(shop):
    result = await shop.run(
        "{ user { id name } strict { id } count }", refused={"User.name"}
    )

    assert result.data == {
        "user": None,
        "strict": [{"id": "1"}, {"id": "2"}],
        "count": 3,
    }
    assert result.errors == []


async def test_an_emptied_selection_gives_an_empty_object(shop):
    result = await shop.run(
        "query ($no: Boolean!) { user { name @include(if: $no) } }", {"no": False}
    )

    assert result.data == {"user": {}}
