import pytest
import strawberry

from graphgw import (
    ResolverError,
    SourceError,
    Subgraph,
    batched,
    by,
    computed,
    reference,
    resolved,
)
from graphgw.errors import PlanningError


class Graph:
    """Products with two keys, and users of whom only the key is known."""

    def __init__(self):
        self.calls = []
        graph = self

        async def products_by_id(ids, _context):
            graph.calls.append(("id", ids))
            return [graph.product(key) for key in ids]

        async def products_by_place(places, _context):
            graph.calls.append(("place", places))
            return [{"id": "-".join(place), "name": "placed"} for place in places]

        async def find_reviews(ids, _context, *, first: int = 10):
            graph.calls.append(("reviews", ids, first))
            return [[{"text": f"about {key}", "author_id": "u1"}] for key in ids]

        async def find_shipping(keys, _context):
            graph.calls.append(("shipping", keys))
            return [weight * 2 for _, weight in keys]

        async def find_product(_context):
            return {"id": "p1", "name": "one"}

        @strawberry.federation.type(keys=["id"])
        class User:
            id: strawberry.ID
            shout: str = computed("{}!".format, reads=("id",))

        @strawberry.type
        class Review:
            text: str
            author: User = reference(id="author_id")

        @strawberry.type
        class Shelf:
            zone: str
            number: int

        @strawberry.federation.type(keys=["id", "sku shelf { zone }"])
        class Product:
            id: strawberry.ID
            sku: str | None
            name: str
            shelf: Shelf | None
            weight: int | None = strawberry.federation.field(external=True)
            reviews: list[Review] = batched(find_reviews, key="id")
            shipping: int | None = batched(
                find_shipping, key=("id", "weight"), requires=["weight"]
            )

        @strawberry.type
        class Query:
            product: Product = resolved(find_product)

        self.subgraph = Subgraph(
            "product",
            query=Query,
            entities={
                Product: [
                    by("id", products_by_id),
                    by("sku shelf { zone }", products_by_place),
                ]
            },
        )

    def product(self, key):
        if key == "missing":
            return None
        if key == "broken":
            return SourceError("product broke")
        return {"id": key, "name": f"name of {key}", "weight": -1}


@pytest.fixture
def graph():
    return Graph()


ONE = [{"__typename": "Product", "id": "p1"}]
BY_ID = {"Product": "id"}


async def test_a_batched_field_needs_no_entity_loader(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { __typename id reviews(first: 3) { text } } }",
        ONE,
        keys=BY_ID,
    )

    assert result.data == [
        {"__typename": "Product", "id": "p1", "reviews": [{"text": "about p1"}]}
    ]
    assert graph.calls == [("reviews", ["p1"], 3)]


async def test_a_field_beyond_the_representation_loads_the_row(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { id name reviews { text } } }",
        [{"__typename": "Product", "id": key} for key in ("p1", "p2")],
        keys=BY_ID,
    )

    assert [(p["id"], p["name"]) for p in result.data] == [
        ("p1", "name of p1"),
        ("p2", "name of p2"),
    ]
    assert graph.calls == [("id", ["p1", "p2"]), ("reviews", ["p1", "p2"], 10)]


async def test_required_fields_come_from_the_representation(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name shipping weight } }",
        [{"__typename": "Product", "id": "p1", "weight": 21}],
        keys={"Product": "id weight"},
    )

    assert result.data == [{"name": "name of p1", "shipping": 42, "weight": 21}]
    assert graph.calls == [("id", ["p1"]), ("shipping", [("p1", 21)])]


async def test_a_missing_entity_is_null_without_error(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name } }",
        [{"__typename": "Product", "id": key} for key in ("missing", "p1")],
        keys=BY_ID,
    )

    assert result.data == [None, {"name": "name of p1"}]
    assert result.errors == ()


async def test_a_failed_entity_is_null_with_its_own_error(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name } }",
        [{"__typename": "Product", "id": key} for key in ("p1", "broken")],
        keys=BY_ID,
    )

    assert result.data == [{"name": "name of p1"}, None]
    assert [(e.message, e.path, e.code) for e in result.errors] == [
        ("product broke", (1,), "SOURCE_ERROR")
    ]


async def test_the_key_that_the_representation_has_is_used(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name shelf { zone } } }",
        [{"__typename": "Product", "sku": "s", "shelf": {"zone": "z"}}],
        keys={"Product": "sku shelf { zone }"},
    )

    assert result.data == [{"name": "placed", "shelf": {"zone": "z"}}]
    assert graph.calls == [("place", [("s", "z")])]


async def test_nested_selections_beyond_the_representation_come_from_the_row(
    graph, ask_entities
):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { shelf { zone number } } }",
        [{"__typename": "Product", "sku": "s", "shelf": {"zone": "z"}}],
        keys={"Product": "sku shelf { zone }"},
    )

    assert result.data == [{"shelf": None}]
    assert graph.calls == [("place", [("s", "z")])]


async def test_a_representation_without_a_whole_key_is_an_error(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name } }",
        [{"__typename": "Product", "id": None}, *ONE],
        keys=BY_ID,
    )

    assert result.data == [None, {"name": "name of p1"}]
    assert [e.path for e in result.errors] == [(0,)]


async def test_entities_of_several_types_keep_their_places(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on Product { name } ... on User { shout } }",
        [
            {"__typename": "User", "id": "u1"},
            {"__typename": "Product", "id": "p1"},
            {"__typename": "User", "id": "u2"},
        ],
        keys={"Product": "id", "User": "id"},
    )

    assert result.data == [{"shout": "u1!"}, {"name": "name of p1"}, {"shout": "u2!"}]


async def test_null_in_a_non_null_field_nulls_the_entity(graph, ask_entities):
    result = await ask_entities(
        graph.subgraph,
        "{ ... on User { id shout } }",
        [{"__typename": "User", "id": None}, {"__typename": "User", "id": "u"}],
        keys={"User": "id"},
    )

    assert result.data == [None, {"id": "u", "shout": "u!"}]
    assert [(e.path, e.message) for e in result.errors] == [
        ((0, "id"), "Cannot return null for non-nullable field User.id.")
    ]


async def test_a_fetch_without_fitting_loader_is_refused(graph, prepare):
    with pytest.raises(PlanningError, match="no loader of 'Product'"):
        prepare(
            graph.subgraph, "{ ... on Product { name } }", keys={"Product": "weight"}
        )


async def test_a_reference_calls_nothing_for_its_key(graph, ask):
    result = await ask(
        graph.subgraph, "{ product { reviews { author { __typename id shout } } } }"
    )

    assert result.data["product"]["reviews"] == [
        {"author": {"__typename": "User", "id": "u1", "shout": "u1!"}}
    ]
    assert graph.calls == [("reviews", ["p1"], 10)]


async def test_a_reference_loads_what_lies_beyond_its_key(ask):
    calls = []

    async def users_by_id(ids, _context):
        calls.append(ids)
        return [{"id": k, "name": k.upper()} if k != "none" else None for k in ids]

    async def find_posts(_context):
        return [{"by": "a"}, {"by": None}, {"by": "none"}, {"by": "a"}]

    @strawberry.federation.type(keys=["id"])
    class User:
        id: strawberry.ID
        name: str

    @strawberry.type
    class Post:
        author: User | None = reference(id="by")

    @strawberry.type
    class Query:
        posts: list[Post] = resolved(find_posts)

    subgraph = Subgraph("u", query=Query, entities={User: by("id", users_by_id)})
    result = await ask(subgraph, "{ posts { author { id name } } }")

    assert [post["author"] for post in result.data["posts"]] == [
        {"id": "a", "name": "A"},
        None,
        None,
        {"id": "a", "name": "A"},
    ]
    assert result.errors == ()
    assert calls == [["a", "none"]]


async def test_an_error_inside_a_loaded_entity_has_the_index_first(ask_entities):
    async def users_by_id(ids, _context):
        return [{"id": key, "tags": ["a", None]} for key in ids]

    async def fail(_ids, _context):
        raise ResolverError("no friends")

    @strawberry.federation.type(keys=["id"])
    class User:
        id: strawberry.ID
        tags: list[str] | None
        friend: str | None = batched(fail, key="id")

    subgraph = Subgraph("u", types=[User], entities={User: by("id", users_by_id)})
    result = await ask_entities(
        subgraph,
        "{ ... on User { tags friend } }",
        [{"__typename": "User", "id": "u"}],
        keys={"User": "id"},
    )

    assert result.data == [{"tags": None, "friend": None}]
    assert [e.path for e in result.errors] == [(0, "tags", 1), (0, "friend")]


async def test_an_entity_interface_is_loaded_and_told_by_its_rows(ask_entities):
    async def media_by_id(ids, _context):
        kinds = {"b": "Book", "f": "Film"}
        return [{"id": k, "__typename": kinds[k[0]], "title": k} for k in ids]

    @strawberry.federation.interface(keys=["id"])
    class Media:
        id: strawberry.ID
        title: str

    @strawberry.federation.type(keys=["id"])
    class Book(Media):
        pages: int | None

    @strawberry.federation.type(keys=["id"])
    class Film(Media):
        minutes: int | None

    load = by("id", media_by_id)
    subgraph = Subgraph(
        "media", types=[Book, Film], entities={Media: load, Book: load, Film: load}
    )
    result = await ask_entities(
        subgraph,
        "{ ... on Media { __typename title ... on Book { pages } } }",
        [{"__typename": "Media", "id": key} for key in ("b1", "f1")],
        keys={"Media": "id"},
    )

    assert result.data == [
        {"__typename": "Book", "title": "b1", "pages": None},
        {"__typename": "Film", "title": "f1"},
    ]
