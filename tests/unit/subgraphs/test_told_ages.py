"""What REST services say of their answers' age counts where it is stricter."""

from __future__ import annotations

import asyncio

import pytest
import strawberry
from support.graphs import new_context

from graphgw import Gateway, Subgraph, batched, by, loader, resolved, rest_source
from graphgw.directives import CacheControl, CacheScope
from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.call_loader import LoaderSharing
from graphgw.subgraphs.loaders import RequestLoaders
from graphgw.subgraphs.told_ages import ToldRows, read_max_age

service = rest_source("shop")


class Backend:
    """A real HTTP server that says of every answer what it is told to say."""

    def __init__(self):
        self.headers = {}
        self.paths = []

    async def serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split()[1].decode()
                self.paths.append(path)
                name = path.split("?")[0]
                lines = [f"{k}: {v}" for k, v in self.headers.get(name, {}).items()]
                text = "".join(f"{line}\r\n" for line in lines)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: 10\r\n" + text.encode() + b'\r\n{"name":1}'
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@loader(shared=True)
async def products_by_id(ids, context):
    page = await service.get("/products", context, params={"ids": ",".join(ids)})
    return [{"id": key, **page} for key in ids]


@loader
async def stock_by_product(ids, context):
    await service.get("/stock", context)
    await service.get("/shelves", context)
    return [7 for _ in ids]


async def top(context) -> int:
    page = await service.get("/top", context)
    return page["name"]


async def product(context, *, id: strawberry.ID):  # noqa: A002 - the field's argument
    return await context.load(products_by_id, id)


@strawberry.federation.type(keys=["id"], directives=[CacheControl(max_age=60)])
class Product:
    id: strawberry.ID
    name: int
    stock: int = batched(
        stock_by_product,
        key="id",
        directives=[CacheControl(max_age=60, scope=CacheScope.PUBLIC)],
    )


@strawberry.type
class Query:
    product: Product | None = resolved(product)
    top: int = resolved(
        top, directives=[CacheControl(max_age=60, scope=CacheScope.PUBLIC)]
    )


@pytest.fixture
async def backend():
    made = Backend()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


@pytest.fixture
async def gateway(backend):
    subgraph = Subgraph(
        "shop", query=Query, entities={Product: by("id", products_by_id)}
    )
    async with Gateway(subgraphs=[subgraph], services={"shop": backend.url}) as made:
        yield made


ROWS = ('{ product(id: "p1") { name } }', "/products")
FIELD = ('{ product(id: "p1") { stock } }', "/stock")
ROOT = ("{ top }", "/top")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        pytest.param(*ROWS, id="entity"),
        pytest.param(*FIELD, id="batched"),
        pytest.param(FIELD[0], "/shelves", id="one-of-two-answers"),
        pytest.param(*ROOT, id="root"),
    ],
)
@pytest.mark.parametrize(
    ("headers", "is_kept"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"cache-control": "max-age=600"}, True, id="longer"),
        pytest.param({"cache-control": "no-store"}, False, id="no-store"),
        pytest.param({"cache-control": "private, max-age=9"}, False, id="private"),
        pytest.param({"cache-control": "max-age=0"}, False, id="zero"),
        pytest.param({"cache-control": "max-age=9", "age": "9"}, False, id="old"),
    ],
)
async def test_the_stricter_one_wins(gateway, backend, asked, path, headers, is_kept):
    backend.headers[path] = headers

    for _ in range(3):
        response = await gateway.execute(asked)
        assert not response.errors

    asked_for = [p for p in backend.paths if p.split("?")[0] == path]
    assert len(asked_for) == (1 if is_kept else 3)


async def test_what_several_requests_read_together_is_told_to_each():
    @loader(shared=True)
    async def rows(keys, context):
        context.noted_ages.append(("max-age=5", None))
        if "bad" in keys:
            raise SourceBadAnswerError("bad", source="x")
        return keys

    class Cache:
        def __init__(self):
            self.fetched = []

        def peek(self, *_, **__):
            return None

        async def load(self, _rule, keys, fetch, **_):
            self.fetched.append(await fetch(keys))
            return self.fetched[-1]

    cache, sharing = Cache(), LoaderSharing()

    async def ask(*keys):
        context = RequestLoaders.attach(new_context(), cache, sharing)
        return await context.loaders.load_many(rows, keys, {}, "rule")

    await asyncio.gather(ask("a", "b"), ask("b", "c"))
    await ask("d", "bad", "e", "f")

    assert [list(found) for found in cache.fetched[:2]] == [["a", "b"], ["b", "c"]]
    assert all(isinstance(found, ToldRows) for found in cache.fetched)
    assert cache.fetched[0].told == (("max-age=5", None),)


async def test_nobody_takes_notes_where_nothing_is_kept():
    noted = []

    async def rows(keys, context):
        noted.append(context.noted_ages)
        return keys

    context = RequestLoaders.attach(new_context())

    await context.load(rows, "a")

    assert noted == [None]


@pytest.mark.parametrize(
    ("control", "age", "seconds"),
    [
        ("max-age=60", "10", 50.0),
        ("max-age=60", "100", 0.0),
        ("max-age=60", "soon", 60.0),
        ("public", "10", None),
        (None, "10", None),
    ],
)
def test_the_time_that_an_answer_was_kept_on_its_way_counts(control, age, seconds):
    assert read_max_age(control, age, is_private=False) == seconds
