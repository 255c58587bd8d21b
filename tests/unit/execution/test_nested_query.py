"""A field that returns the query type: its fields are asked for as at the root."""

import pytest
import strawberry
from support.fake_subgraph import FakeSubgraph
from support.graphs import FakeGraph, new_context
from support.plans import PLANNING_CASES

from graphgw import Subgraph, resolved
from graphgw.errors import SourceUnreachableError
from graphgw.subgraphs.loaders import RequestLoaders

SUPERGRAPH = (PLANNING_CASES / "query_again/supergraph.graphql").read_text()
ADD_AND_READ = 'mutation { add(book: "1") { ok query { books { title copies } } } }'


@pytest.fixture
def carts():
    again = [
        {"id": "c1", "again": {}},
        {"id": "c2", "again": None},
        {"id": "c3", "again": {}},
    ]
    return FakeSubgraph(
        "carts",
        """
        type Query { carts: [Cart!] }
        type Mutation { add(book: ID!): Added }
        type Added { ok: Boolean query: Query! }
        type Cart { id: ID! again: Query }
        type Book { id: ID! copies: Int }
        """,
        {"carts": again, "add": {"ok": True, "query": {}}},
        {"Book": [{"id": "1", "copies": 3}]},
    )


@pytest.fixture
def shelf():
    return FakeSubgraph(
        "shelf",
        "type Query { books: [Book!] } type Book { id: ID! title: String }",
        {"books": [{"id": "1", "title": "Emma"}, {"id": "2", "title": "Ulysses"}]},
    )


@pytest.fixture
def graph(carts, shelf):
    return FakeGraph.read(SUPERGRAPH, {"CARTS": carts, "SHELF": shelf})


async def test_what_a_mutation_changed_is_read_from_the_root(graph, shelf):
    result = await graph.run(ADD_AND_READ)

    assert result.errors == []
    assert result.data == {
        "add": {
            "ok": True,
            "query": {
                "books": [
                    {"title": "Emma", "copies": 3},
                    {"title": "Ulysses", "copies": None},
                ]
            },
        }
    }
    assert shelf.documents == ["query {\n  books {\n    title\n    id\n  }\n}"]


async def test_one_answer_stands_at_every_place(graph, shelf):
    result = await graph.run("{ carts { again { books { title } } } }")

    books = {"books": [{"title": "Emma"}, {"title": "Ulysses"}]}
    assert result.errors == []
    assert result.data == {
        "carts": [{"again": books}, {"again": None}, {"again": books}]
    }
    assert len(shelf.calls) == 1


async def test_nothing_is_asked_where_there_is_no_such_object(graph, carts, shelf):
    carts.data["carts"][:] = [{"id": "c2", "again": None}]

    result = await graph.run("{ carts { again { books { title } } } }")

    assert result.data == {"carts": [{"again": None}]}
    assert shelf.calls == []


async def test_an_error_is_told_at_every_place(graph, shelf):
    shelf.data["books"][1]["title"] = ValueError("torn")

    result = await graph.run("{ carts { again { books { title } } } }")

    assert [(error["message"], error["path"]) for error in result.errors] == [
        ("torn", ["carts", 0, "again", "books", 1, "title"]),
        ("torn", ["carts", 2, "again", "books", 1, "title"]),
    ]


async def test_a_failure_nulls_what_was_asked_for(graph, shelf):
    shelf.fails = SourceUnreachableError("shelf is away")

    result = await graph.run(ADD_AND_READ)

    assert result.data == {"add": {"ok": True, "query": {"books": None}}}
    assert [(error["message"], error["path"]) for error in result.errors] == [
        ("shelf is away", ["add", "query", "books"])
    ]


async def books(_context):
    return [{"id": "1", "title": "Emma"}]


@strawberry.type
class Book:
    id: strawberry.ID
    title: str | None


@strawberry.type
class Query:
    books: list[Book] | None = resolved(books)


async def test_a_local_subgraph_answers_below_the_root(carts):
    local = Subgraph("shelf", query=Query)
    graph = FakeGraph.read(SUPERGRAPH, {"CARTS": carts, "SHELF": local})
    context = RequestLoaders.attach(new_context())

    result = await graph.run("{ carts { again { books { title } } } }", context=context)

    books = {"books": [{"title": "Emma"}]}
    assert result.errors == []
    assert result.data == {
        "carts": [{"again": books}, {"again": None}, {"again": books}]
    }
