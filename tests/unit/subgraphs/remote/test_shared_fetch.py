import asyncio

import orjson
import pytest
from support.graphs import new_context

from graphgw.errors import SourceError
from graphgw.federation.selection import Argument, Field, Fragment
from graphgw.operations.operation import VariableDefinition
from graphgw.planning.plan import EntityInput, Fetch, PathStep
from graphgw.sources.protocol import HTTPResponse
from graphgw.subgraphs.protocol import FetchError
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSettings, RemoteSubgraph

ENTITY = Fetch(
    7,
    "A",
    "query",
    (Fragment("User", (Field("name", None, (Argument("upper", "$up"),)),)),),
    (PathStep("user"),),
    (EntityInput(("User",), "User", (Field("id"),)),),
)
VARIABLES = (VariableDefinition("up", "Boolean"),)


class UserService:
    """Answers entity fetches; fails for ids that it was told of."""

    def __init__(self):
        self.asked = []
        self.requests = []
        self.unknown = ()
        self.poison = ()
        self.code = "INTERNAL_SERVER_ERROR"
        self.status = 200

    async def send(self, request):
        await asyncio.sleep(0)
        self.requests.append(request)
        variables = orjson.loads(request.body)["variables"]
        ids = [item["id"] for item in variables["representations"]]
        self.asked.append(ids)
        answer = {
            "data": {
                "_entities": [
                    None if key in self.unknown else {"name": key, "tags": [key]}
                    for key in ids
                ]
            },
            "errors": [
                {"message": f"no {key}", "path": ["_entities", index, "name"]}
                for index, key in enumerate(ids)
                if key in self.unknown
            ],
        }
        if any(key in self.poison for key in ids):
            error = {"message": "poison", "extensions": {"code": self.code}}
            answer = {"data": None, "errors": [error]}
        headers = {"content-type": "application/json", "x-served-by": "s1"}
        return HTTPResponse(self.status, headers, orjson.dumps(answer))

    async def aclose(self):
        """Close nothing."""


def remote(**options):
    service = UserService()
    subgraph = RemoteSubgraph("users", "http://users.test", service, **options)
    return subgraph.prepare(ENTITY, VARIABLES), service


def ask(prepared, ids, variables=None, *, may_share=True, **context):
    opened = new_context(**context)
    opened.may_share = may_share
    users = [{"__typename": "User", "id": key} for key in ids]
    return asyncio.ensure_future(prepared.run(opened, variables or {}, users))


def names(result):
    return [entity and entity["name"] for entity in result.data]


async def test_requests_share_an_entity_fetch():
    prepared, service = remote()

    found = await asyncio.gather(ask(prepared, "ab"), ask(prepared, "cb"))

    assert [names(result) for result in found] == [["a", "b"], ["c", "b"]]
    assert service.asked == [["a", "b", "c"]]


async def test_a_result_says_whether_others_have_the_same_objects():
    prepared, _ = remote()

    both = await asyncio.gather(ask(prepared, "ab"), ask(prepared, "b"))
    apart = await asyncio.gather(ask(prepared, "a"), ask(prepared, "b"))
    alone = await ask(prepared, "a")

    assert [found.is_shared for found in both] == [True, True]
    assert [found.is_shared for found in (*apart, alone)] == [False, False, False]


async def test_keys_of_several_kinds_are_kept_apart():
    prepared, service = remote()

    found = await asyncio.gather(
        ask(prepared, [1, "1"]), ask(prepared, [True, "1"]), ask(prepared, [1])
    )

    assert [names(result) for result in found] == [[1, "1"], [True, "1"], [1]]
    assert service.asked[0][:2] == [1, "1"]
    assert sum(key is True for key in service.asked[0]) == 1


async def test_other_variables_and_headers_keep_requests_apart():
    prepared, service = remote(headers=HeaderRules(forward=("x-tenant",)))

    await asyncio.gather(
        ask(prepared, "a", {"up": True}),
        ask(prepared, "b", {"up": False}),
        ask(prepared, "c", headers={"x-tenant": "t1"}),
        ask(prepared, "d", headers={"x-tenant": "t2"}),
        ask(prepared, "e", headers={"x-tenant": "t1", "x-other": "1"}),
    )

    assert sorted(service.asked) == [["a"], ["b"], ["c", "e"], ["d"]]


@pytest.mark.parametrize(
    ("rules", "headers"),
    [
        pytest.param(
            HeaderRules(forward=("authorization",)),
            {"authorization": "Bearer t"},
            id="authorization",
        ),
        pytest.param(HeaderRules(forward=("cookie",)), {"cookie": "s=1"}, id="cookie"),
        pytest.param(
            HeaderRules(forward=("x-a",), rename=(("x-a", "x-user-id"),)),
            {"x-a": "u1"},
            id="renamed-to-one",
        ),
        pytest.param(
            HeaderRules(rename=(("Authorization", "x-a"),)),
            {"authorization": "Bearer t"},
            id="renamed-from-one",
        ),
        pytest.param(HeaderRules(answer=("set-cookie",)), {}, id="set-cookie"),
    ],
)
async def test_requests_with_credentials_ask_alone(rules, headers):
    prepared, service = remote(headers=rules)

    await asyncio.gather(
        ask(prepared, "a", headers=headers), ask(prepared, "b", headers=headers)
    )

    assert service.asked == [["a"], ["b"]]


async def test_the_gateways_own_credentials_keep_nobody_apart():
    prepared, service = remote(
        headers=HeaderRules(
            forward=("authorization",), insert=(("Authorization", "gateway"),)
        )
    )

    await asyncio.gather(
        ask(prepared, "a", headers={"authorization": "one"}),
        ask(prepared, "b", headers={"authorization": "two"}),
    )

    assert service.asked == [["a", "b"]]
    assert ("authorization", "gateway") in service.requests[0].headers


async def test_a_request_that_changed_something_asks_alone():
    prepared, service = remote()

    await asyncio.gather(
        ask(prepared, "a"), ask(prepared, "b", may_share=False), ask(prepared, "c")
    )

    assert sorted(service.asked) == [["a", "c"], ["b"]]
    alone = service.requests[service.asked.index(["b"])]
    assert not alone.may_share


async def test_errors_go_to_those_who_asked_for_the_entity():
    prepared, service = remote()
    service.unknown = ("x",)

    first, second, third = await asyncio.gather(
        ask(prepared, "ab"), ask(prepared, "cx"), ask(prepared, "x")
    )

    assert first.errors == ()
    assert second.errors == (FetchError("no x", (1, "name")),)
    assert third.errors == (FetchError("no x", (0, "name")),)
    assert names(second) == ["c", None]


async def test_an_error_about_no_entity_is_narrowed_down():
    prepared, service = remote()
    service.poison = ("x",)

    found = await asyncio.gather(*(ask(prepared, key) for key in "abxd"))

    assert [result.data and names(result) for result in found] == [
        ["a"],
        ["b"],
        None,
        ["d"],
    ]
    assert [error.message for error in found[2].errors] == ["poison"]
    assert service.asked[0] == ["a", "b", "x", "d"]


async def test_a_refusal_is_everyones():
    prepared, service = remote()
    service.poison, service.code = ("x",), "RATE_LIMITED"

    found = await asyncio.gather(*(ask(prepared, key) for key in "abxd"))

    assert [result.errors[0].code for result in found] == ["RATE_LIMITED"] * 4
    assert len(service.asked) == 1


async def test_a_subgraph_that_is_down_is_asked_once():
    prepared, service = remote()
    service.status = 503

    found = await asyncio.gather(
        *(ask(prepared, key) for key in "abc"), return_exceptions=True
    )

    assert [(type(error), error.status) for error in found] == [(SourceError, 503)] * 3
    assert len(service.asked) == 1


async def test_a_fetch_never_grows_beyond_its_limit():
    prepared, service = remote(settings=RemoteSettings(max_batch=3))

    await asyncio.gather(ask(prepared, "ab"), ask(prepared, "cd"), ask(prepared, "e"))

    assert service.asked == [["a", "b"], ["c", "d", "e"]]


async def test_headers_for_the_client_reach_every_request():
    prepared, _ = remote(headers=HeaderRules(answer=("x-served-by",)))

    found = await asyncio.gather(ask(prepared, "a"), ask(prepared, "b"))

    assert [result.headers for result in found] == [(("x-served-by", "s1"),)] * 2
