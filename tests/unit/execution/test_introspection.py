from graphql import get_introspection_query, graphql_sync


async def test_introspection_is_answered_from_the_api_schema(shop, users):
    query = get_introspection_query()

    result = await shop.run(query)

    assert result.data == graphql_sync(shop.supergraph.api_schema, query).data
    assert users.calls == []


async def test_hidden_elements_do_not_show(shop):
    result = await shop.run(
        '{ ghost: __type(name: "Ghost") { name }'
        ' __type(name: "Grade") { enumValues { name } } }'
    )

    assert result.data == {
        "ghost": None,
        "__type": {"enumValues": [{"name": "GOOD"}, {"name": "BAD"}]},
    }


async def test_data_and_introspection_come_in_the_clients_order(shop):
    result = await shop.run("{ count __schema { queryType { name } } __typename }")

    assert list(result.data.items()) == [
        ("count", 3),
        ("__schema", {"queryType": {"name": "Query"}}),
        ("__typename", "Query"),
    ]


async def test_variables_count(shop):
    query = "query ($n: String!) { __type(name: $n) { kind } }"

    book = await shop.run(query, {"n": "Book"})
    grade = await shop.run(query, {"n": "Grade"})

    assert book.data == {"__type": {"kind": "OBJECT"}}
    assert grade.data == {"__type": {"kind": "ENUM"}}
