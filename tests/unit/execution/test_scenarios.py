"""Federation features from supergraph to answer, through the planner."""

from support.fake_subgraph import REPRESENTATION, FakeSubgraph
from support.graphs import FakeGraph, new_context, supergraph_header


def graph(types, *subgraphs):
    ids = [subgraph.name.upper() for subgraph in subgraphs]
    has_mutation = "type Mutation" in types
    sdl = supergraph_header(*ids, has_mutation=has_mutation) + types
    return FakeGraph.read(sdl, dict(zip(ids, subgraphs, strict=True)))


async def test_a_shared_root_field_is_asked_of_every_graph_and_merged_by_index():
    names = FakeSubgraph(
        "names",
        "type Query { all: [Thing] one: Thing } type Thing { name: String }",
        {"all": [{"name": "a"}, None, {"name": "c"}], "one": {"name": "o"}},
    )
    sizes = FakeSubgraph(
        "sizes",
        "type Query { all: [Thing] one: Thing } type Thing { size: Int }",
        {"all": [{"size": 1}, None, {"size": 3}], "one": {"size": 9}},
    )
    shared = graph(
        """
        type Query @join__type(graph: NAMES) @join__type(graph: SIZES)
        { all: [Thing] one: Thing }
        type Thing @join__type(graph: NAMES) @join__type(graph: SIZES) {
          name: String @join__field(graph: NAMES)
          size: Int @join__field(graph: SIZES)
        }
        """,
        names,
        sizes,
    )

    result = await shared.run("{ all { size name } one { name size } }")

    assert result.errors == []
    assert result.data == {
        "all": [{"size": 1, "name": "a"}, None, {"size": 3, "name": "c"}],
        "one": {"name": "o", "size": 9},
    }


async def test_an_entity_without_its_second_key_is_null_and_others_stay_aligned():
    first = FakeSubgraph(
        "first",
        "type Query { books: [Book!] } type Book { id: ID! }",
        {"books": [{"id": "1"}, {"id": "2"}, {"id": "3"}]},
    )
    second = FakeSubgraph(
        "second",
        "type Query { _x: Int } type Book { id: ID! upc: ID! }",
        {},
        {"Book": [{"id": "1", "upc": "b1"}, {"id": "3", "upc": "b3"}]},
    )
    third = FakeSubgraph(
        "third",
        "type Query { _x: Int } type Book { upc: ID! author: Author } "
        "type Author { name: String }",
        {},
        {
            "Book": [
                {"upc": "b3", "author": {"name": "C"}},
                {"upc": "b1", "author": {"name": "A"}},
            ]
        },
    )
    chain = graph(
        """
        type Query @join__type(graph: FIRST) { books: [Book!] }
        type Book
          @join__type(graph: FIRST, key: "id")
          @join__type(graph: SECOND, key: "id") @join__type(graph: SECOND, key: "upc")
          @join__type(graph: THIRD, key: "upc")
        {
          id: ID! @join__field(graph: FIRST) @join__field(graph: SECOND)
          upc: ID! @join__field(graph: SECOND) @join__field(graph: THIRD)
          author: Author @join__field(graph: THIRD)
        }
        type Author @join__type(graph: THIRD) { name: String }
        """,
        first,
        second,
        third,
    )

    result = await chain.run("{ books { id author { name } } }")

    assert result.errors == []
    assert result.data == {
        "books": [
            {"id": "1", "author": {"name": "A"}},
            {"id": "2", "author": None},
            {"id": "3", "author": {"name": "C"}},
        ]
    }
    assert [r["upc"] for r in third.calls[0]] == ["b1", "b3"]


async def test_a_required_field_with_arguments_does_not_touch_the_clients_own():
    def price(_row, currency=None):
        return {"EUR": 10.0, "USD": 11.0, None: 9.0}[currency]

    catalog = FakeSubgraph(
        "catalog",
        "type Query { book: Book } "
        "type Book { id: ID! price(currency: String): Float }",
        {"book": {"id": "1", "price": price}},
        {"Book": [{"id": "1", "price": price}]},
    )
    shipping = FakeSubgraph(
        "shipping",
        "type Query { _x: Int } type Book { id: ID! cost: Float }",
        {},
        {"Book": [{"id": "1", "cost": lambda row: row[REPRESENTATION]["price"] * 2}]},
    )
    shop = graph(
        """
        type Query @join__type(graph: CATALOG) { book: Book }
        type Book
          @join__type(graph: CATALOG, key: "id") @join__type(graph: SHIPPING, key: "id")
        {
          id: ID!
          price(currency: String): Float
            @join__field(graph: CATALOG) @join__field(graph: SHIPPING, external: true)
          cost: Float
            @join__field(graph: SHIPPING, requires: "price(currency: \\"EUR\\")")
        }
        """,
        catalog,
        shipping,
    )

    result = await shop.run('{ book { price(currency: "USD") cost } }')

    assert result.errors == []
    assert result.data == {"book": {"price": 11.0, "cost": 20.0}}


async def test_fields_whose_types_differ_inside_one_graph_are_asked_under_aliases():
    zoo = FakeSubgraph(
        "zoo",
        """
        type Query { animals: [Animal] }
        union Animal = Cat | Dog
        type Cat { name: String! } type Dog { name: String }
        """,
        {
            "animals": [
                {"__typename": "Dog", "name": ValueError("no name")},
                {"__typename": "Cat", "name": "Tom"},
                {"__typename": "Dog", "name": "Rex"},
            ]
        },
    )
    animals = graph(
        """
        type Query @join__type(graph: ZOO) { animals: [Animal] }
        union Animal @join__type(graph: ZOO)
          @join__unionMember(graph: ZOO, member: "Cat")
          @join__unionMember(graph: ZOO, member: "Dog") = Cat | Dog
        type Cat @join__type(graph: ZOO)
        { name: String @join__field(graph: ZOO, type: "String!") }
        type Dog @join__type(graph: ZOO) { name: String }
        """,
        zoo,
    )

    result = await animals.run(
        "{ animals { ... on Cat { name } ... on Dog { name } } }"
    )

    assert result.data == {
        "animals": [{"name": None}, {"name": "Tom"}, {"name": "Rex"}]
    }
    assert [(e["message"], e["path"]) for e in result.errors] == [
        ("no name", ["animals", 0, "name"])
    ]


async def test_fields_of_an_interface_object_are_merged_under_the_real_types():
    owner = FakeSubgraph(
        "owner",
        """
        type Query { nodes: [Node] }
        interface Node { id: ID! }
        type Book implements Node { id: ID! pages: Int }
        type Film implements Node { id: ID! }
        """,
        {
            "nodes": [
                {"__typename": "Book", "id": "1", "pages": 3},
                {"__typename": "Film", "id": "2"},
            ]
        },
    )
    extra = FakeSubgraph(
        "extra",
        "type Query { _x: Int } type Node { id: ID! label: String }",
        {},
        {"Node": [{"id": "2", "label": "two"}, {"id": "1", "label": "one"}]},
    )
    nodes = graph(
        """
        type Query @join__type(graph: OWNER) { nodes: [Node] }
        interface Node
          @join__type(graph: OWNER, key: "id")
          @join__type(graph: EXTRA, key: "id", isInterfaceObject: true)
        { id: ID! label: String @join__field(graph: EXTRA) }
        type Book implements Node
          @join__implements(graph: OWNER, interface: "Node")
          @join__type(graph: OWNER, key: "id")
        { id: ID! pages: Int label: String @join__field }
        type Film implements Node
          @join__implements(graph: OWNER, interface: "Node")
          @join__type(graph: OWNER, key: "id")
        { id: ID! label: String @join__field }
        """,
        owner,
        extra,
    )

    result = await nodes.run("{ nodes { __typename label ... on Book { pages } } }")

    assert result.errors == []
    assert result.data == {
        "nodes": [
            {"__typename": "Book", "label": "one", "pages": 3},
            {"__typename": "Film", "label": "two"},
        ]
    }


class Loaders:
    def __init__(self):
        self.log = []

    def reset(self):
        self.log.append("reset")

    def forget(self):
        """Know nothing anyway."""


async def test_mutation_fields_run_in_order_with_empty_loaders_for_each():
    loaders = Loaders()

    def step(name):
        return lambda _row: loaders.log.append(name) or name

    one = FakeSubgraph(
        "one",
        "type Query { _x: Int } type Mutation { a: String c: String }",
        {"a": step("a"), "c": step("c")},
    )
    two = FakeSubgraph(
        "two",
        "type Query { _x: Int } type Mutation { b: String }",
        {"b": step("b")},
    )
    steps = graph(
        """
        type Query @join__type(graph: ONE) { _x: Int }
        type Mutation @join__type(graph: ONE) @join__type(graph: TWO) {
          a: String @join__field(graph: ONE)
          b: String @join__field(graph: TWO)
          c: String @join__field(graph: ONE)
        }
        """,
        one,
        two,
    )

    result = await steps.run("mutation { a b c }", context=new_context(loaders=loaders))

    assert result.data == {"a": "a", "b": "b", "c": "c"}
    assert loaders.log == ["a", "reset", "b", "reset", "c", "reset"]


async def test_a_failing_mutation_field_does_not_stop_the_next():
    one = FakeSubgraph(
        "one",
        "type Query { _x: Int } type Mutation { a: String }",
        {"a": ValueError("no")},
    )
    two = FakeSubgraph(
        "two", "type Query { _x: Int } type Mutation { b: String }", {"b": "b"}
    )
    steps = graph(
        """
        type Query @join__type(graph: ONE) { _x: Int }
        type Mutation @join__type(graph: ONE) @join__type(graph: TWO)
        { a: String @join__field(graph: ONE) b: String @join__field(graph: TWO) }
        """,
        one,
        two,
    )

    result = await steps.run("mutation { a b }")

    assert result.data == {"a": None, "b": "b"}
    assert [error["path"] for error in result.errors] == [["a"]]
