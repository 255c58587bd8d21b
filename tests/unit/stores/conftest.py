"""Both stores, the shared one on a real Redis."""

import pytest
from support.redis_server import RedisServer

from graphgw.stores.memory import MemoryStore
from graphgw.stores.redis import RedisStore


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """Start one Redis for all tests of the stores."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def open_redis(redis_server, request):
    """Open stores on the running Redis, each test with keys of its own."""
    opened = []

    def build(**options):
        options.setdefault("prefix", f"{request.node.nodeid}:")
        options.setdefault("timeout", 2.0)
        opened.append(RedisStore(redis_server.url, **options))
        return opened[-1]

    yield build
    for store in opened:
        await store.aclose()


@pytest.fixture(params=["memory", "redis"])
def either(request):
    """Return each kind of store in turn."""
    if request.param == "memory":
        return MemoryStore()
    return request.getfixturevalue("open_redis")()
