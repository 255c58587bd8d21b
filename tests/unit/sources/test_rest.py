import asyncio

import pytest
from support.faulty_backend import FaultyBackend

from graphgw.errors import (
    ConfigurationError,
    SourceBadAnswerError,
    SourceError,
    SourceOverloadedError,
    SourceTimeoutError,
)
from graphgw.sources.connections import Connections
from graphgw.sources.http_answers import JSONText
from graphgw.sources.http_service import HTTPService
from graphgw.sources.protocol import HTTPResponse
from graphgw.sources.rest import rest_source
from graphgw.sources.settings import ServiceSettings


@pytest.fixture
async def backend():
    async with FaultyBackend() as running:
        yield running


@pytest.fixture
async def connections(backend):
    made = Connections([ServiceSettings(name="user", url=backend.url(""))])
    yield made
    await made.aclose()


class Rows:
    """A transport that answers with rows, and remembers the URLs."""

    def __init__(self, body):
        self.body = body
        self.urls = []

    async def send(self, request):
        self.urls.append(request.url)
        return HTTPResponse(200, {"content-type": "application/json"}, self.body)

    async def aclose(self):
        pass


class Services:
    def __init__(self, transport):
        settings = ServiceSettings(name="user", url="http://users")
        self.service = HTTPService(settings, transport)

    def http(self, name):
        assert name == "user"
        return self.service


@pytest.mark.parametrize("method", ["post", "put", "patch"])
async def test_bodies_are_sent_as_json(method, connections, make_context):
    users = rest_source("user")
    context = make_context(sources=connections)

    echoed = await getattr(users, method)("/echo", context, json={"a": [1]})

    assert echoed["method"] == method.upper()
    assert echoed["body"] == '{"a":[1]}'
    assert echoed["headers"]["content-type"] == "application/json"


async def test_delete_and_get_have_no_body(connections, make_context):
    users = rest_source("user")
    context = make_context(sources=connections)

    deleted = await users.delete("/echo", context, params={"a": 1})
    read = await users.get("/echo", context)

    assert (deleted["method"], deleted["query"]) == ("DELETE", {"a": "1"})
    assert (read["method"], read["body"]) == ("GET", "")
    assert "content-length" not in read["headers"]


async def test_a_missing_row_is_none_where_asked_for(connections, make_context):
    users = rest_source("user")
    context = make_context(sources=connections)

    assert await users.get("/none", context, missing=None) is None
    with pytest.raises(SourceError):
        await users.get("/none", context)


async def test_a_service_that_is_not_configured_is_named_with_those_that_are(
    connections, make_context
):
    with pytest.raises(ConfigurationError, match=r'no http service "usr".*\n.*"user"'):
        await rest_source("usr").get("/", make_context(sources=connections))


async def test_a_batch_asks_once_and_keeps_the_keys_order(make_context):
    transport = Rows(b'[{"id":2,"n":"b"},{"id":1,"n":"a"}]')
    load = rest_source("user").batch("/users?ids={ids}")

    rows = await load(["1", "9", "2"], make_context(sources=Services(transport)))

    assert rows == [{"id": 1, "n": "a"}, None, {"id": 2, "n": "b"}]
    assert transport.urls == ["http://users/users?ids=1,9,2"]


async def test_a_batch_finds_its_rows_in_the_answers_field(make_context):
    transport = Rows(b'{"items":[{"id":"1"}]}')
    load = rest_source("user").batch("/users?ids={ids}", items="items")

    assert await load(["1"], make_context(sources=Services(transport))) == [{"id": "1"}]


async def test_a_batch_may_give_lists(make_context):
    transport = Rows(b'[{"u":1,"n":1},{"u":2,"n":2},{"u":1,"n":3},{"u":7,"n":4}]')
    load = rest_source("user").batch("/orders?users={ids}", key="u", many=True)

    rows = await load(["1", "2", "3"], make_context(sources=Services(transport)))

    assert [[row["n"] for row in group] for group in rows] == [[1, 3], [2], []]


async def test_a_large_batch_is_several_calls(make_context):
    transport = Rows(b'[{"id":"1"},{"id":"3"},{"id":"5"}]')
    load = rest_source("user").batch("/users?ids={ids}", max_batch=2)

    rows = await load(list("12345"), make_context(sources=Services(transport)))

    assert [row and row["id"] for row in rows] == ["1", None, "3", None, "5"]
    assert sorted(url[-3:] for url in transport.urls) == ["1,2", "3,4", "s=5"]


async def test_no_keys_are_no_call(make_context):
    transport = Rows(b"[]")
    load = rest_source("user").batch("/users?ids={ids}")

    assert await load([], make_context(sources=Services(transport))) == []
    assert transport.urls == []


@pytest.mark.parametrize("body", [b"{}", b'"x"', b"[1]", b'[{"name":"x"}]', b"null"])
async def test_a_batch_without_rows_is_a_bad_answer(body, make_context):
    load = rest_source("user").batch("/users?ids={ids}")

    with pytest.raises(SourceBadAnswerError):
        await load(["1"], make_context(sources=Services(Rows(body))))


async def test_equal_reads_in_flight_are_one_call_with_rows_of_their_own(
    backend, connections, make_context
):
    users = rest_source("user")
    reads = [
        asyncio.ensure_future(
            users.get("/gate", make_context(sources=connections, request_id=f"r{at}"))
        )
        for at in range(500)
    ]
    await backend.has_waiting(1)
    backend.release.set()

    rows = await asyncio.gather(*reads)

    assert backend.stats.requests == 1
    rows[0]["data"]["ok"] = "changed"
    assert rows[1:] == [{"data": {"ok": True}}] * 499


async def test_reads_for_other_callers_are_calls_of_their_own(backend, make_context):
    settings = ServiceSettings(
        name="user", url=backend.url(""), forward_headers=("authorization",)
    )
    connections = Connections([settings])
    users = rest_source("user")
    reads = [
        asyncio.ensure_future(
            users.get(
                "/gate",
                make_context(sources=connections, headers={"authorization": token}),
            )
        )
        for token in ("a", "b")
    ]
    await backend.has_waiting(2)
    backend.release.set()
    await asyncio.gather(*reads)

    tokens = {hit.headers["authorization"] for hit in backend.stats.hits}
    assert tokens == {"a", "b"}
    await connections.aclose()


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("/garbage", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/empty", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/wrong-type", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/no-type", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/invalid-utf8", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/lone-surrogate", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/nan", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/infinity", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/deep", SourceBadAnswerError, "SOURCE_BAD_ANSWER"),
        ("/redirect", SourceError, "SOURCE_ERROR"),
        ("/redirect-out", SourceError, "SOURCE_ERROR"),
        ("/html", SourceError, "SOURCE_ERROR"),
        ("/status?code=500", SourceError, "SOURCE_ERROR"),
        ("/reset", SourceError, "SOURCE_ERROR"),
        ("/hang", SourceTimeoutError, "SOURCE_TIMEOUT"),
        ("/retry-after?s=3600", SourceError, "RATE_LIMITED"),
    ],
)
async def test_every_fault_has_its_code_and_hides_the_backends_words(
    path, error, code, connections, make_context
):
    context = make_context(sources=connections, seconds=0.5)

    with pytest.raises(error) as caught:
        await rest_source("user").get(path, context)

    assert caught.value.code == code
    assert "Oops" not in caught.value.message
    assert "127.0.0.1" not in caught.value.message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/dup-keys", {"data": {"ok": 2}}),
        ("/scalar", 42),
        ("/null", None),
        ("/array", [1, 2]),
        (
            "/proto-keys",
            {"data": {"__proto__": {"a": 1}, "constructor": 2, "ok": True}},
        ),
    ],
)
async def test_odd_json_is_only_data(path, value, connections, make_context):
    context = make_context(sources=connections)

    assert await rest_source("user").get(path, context) == value


async def test_a_reset_read_is_tried_once_more_and_a_write_never(
    backend, connections, make_context
):
    users = rest_source("user")
    context = make_context(sources=connections)

    with pytest.raises(SourceError):
        await users.get("/reset", context)
    assert backend.stats.by_path["/reset"] == 2

    with pytest.raises(SourceError):
        await users.post("/reset-mid-body", context, json={})
    assert backend.stats.by_path["/reset-mid-body"] == 1


async def test_a_flaky_service_is_read_through_its_retries(
    backend, connections, make_context
):
    users = rest_source("user")
    context = make_context(sources=connections, seconds=60)

    for at in range(100):
        answer = await users.get("/flaky", context, params={"every": 20, "at": at})
        assert answer == {"data": {"ok": True}}

    assert backend.stats.requests <= 100 * 1.1 + 3


def test_a_batch_path_without_a_place_for_keys_is_refused_at_once():
    with pytest.raises(ConfigurationError, match="no place for the keys"):
        rest_source("user").batch("/users")


async def test_a_service_that_hangs_leaves_the_others_alone(
    backend, connections, make_context
):
    connections.open(ServiceSettings(name="other", url=backend.url("")))
    users, other = rest_source("user"), rest_source("other")
    hanging = [
        asyncio.ensure_future(
            users.get(f"/hang?{at}", make_context(sources=connections, seconds=30))
        )
        for at in range(100)
    ]
    await backend.has_waiting(100)

    with pytest.raises(SourceOverloadedError):
        await users.get("/ok", make_context(sources=connections))
    answer = await other.get("/ok", make_context(sources=connections))

    assert answer == {"data": {"ok": True}}
    for call in hanging:
        call.cancel()
    await backend.is_quiet()
    assert backend.stats.cancelled == 100
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_text_is_not_decoded(make_context):
    services = Services(Rows(b'{"id": 1}'))
    users = rest_source("user")
    context = make_context(sources=services)

    text = await users.get_text("/users/1", context)

    assert isinstance(text, JSONText)
    assert text.value == {"id": 1} == await users.get("/users/1", context)
