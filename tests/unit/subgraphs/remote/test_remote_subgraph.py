import pytest
from support.graphs import new_context
from support.recording_transport import RecordingTransport

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceUnreachableError,
)
from graphgw.federation.selection import Argument, Field, Fragment
from graphgw.operations.operation import VariableDefinition
from graphgw.planning.plan import EntityInput, Fetch, PathStep
from graphgw.sources.http_service import HTTPService
from graphgw.sources.settings import BreakerSettings, RetrySettings, ServiceSettings
from graphgw.subgraphs.protocol import FetchError, FetchResult
from graphgw.subgraphs.remote.answer import AnswerReader
from graphgw.subgraphs.remote.headers import HeaderRules
from graphgw.subgraphs.remote.subgraph import RemoteSettings, RemoteSubgraph
from graphgw.types import Deadline

URL = "http://users.test/graphql"
ROOT = Fetch(
    0, "A", "query", (Field("user", None, (Argument("id", "$id"),), (Field("name"),)),)
)
ENTITY = Fetch(
    7,
    "A",
    "query",
    (Fragment("User", (Field("name", None, (Argument("upper", "$up"),)),)),),
    (PathStep("user"),),
    (EntityInput(("User",), "User", (Field("id"),)),),
)
VARIABLES = (
    VariableDefinition("id", "ID!"),
    VariableDefinition("up", "Boolean"),
    VariableDefinition("other", "Int"),
)
USERS = [{"__typename": "User", "id": "1"}, {"__typename": "User", "id": "2"}]


def remote(answer=None, **options):
    transport = RecordingTransport(answer)
    return RemoteSubgraph("user-data", URL, transport, **options), transport


async def ask(subgraph, fetch=ROOT, variables=None, entities=(), **context):
    prepared = subgraph.prepare(fetch, VARIABLES)
    return await prepared.run(
        new_context(**context),
        {"id": "1"} if variables is None else variables,
        entities,
    )


async def test_a_root_fetch_sends_its_document_name_and_variables():
    subgraph, transport = remote({"data": {"user": {"name": "Ada"}}})

    result = await ask(subgraph, variables={"id": "1", "other": 3})

    assert result == FetchResult({"user": {"name": "Ada"}})
    assert transport.sent == [
        {
            "query": "query graphgw__user_data__0($id: ID!) {\n"
            "  user(id: $id) {\n    name\n  }\n}",
            "operationName": "graphgw__user_data__0",
            "variables": {"id": "1"},
        }
    ]
    (request,) = transport.requests
    assert (request.method, request.url, request.source) == ("POST", URL, "user-data")
    assert request.is_idempotent


async def test_an_entity_fetch_sends_representations_and_gives_entities():
    subgraph, transport = remote({"data": {"_entities": [{"name": "Ada"}, None]}})

    result = await ask(subgraph, ENTITY, {}, USERS)

    assert result.data == [{"name": "Ada"}, None]
    assert transport.sent[0]["variables"] == {"representations": USERS}
    assert "_entities(representations: $representations)" in transport.sent[0]["query"]


async def test_a_clients_variable_may_be_called_representations():
    subgraph, transport = remote({"data": {"_entities": [None, None]}})
    argument = Argument("upper", "$representations")
    selections = (Fragment("User", (Field("name", None, (argument,)),)),)
    fetch = Fetch(1, "A", "query", selections, ENTITY.path, ENTITY.inputs)
    prepared = subgraph.prepare(
        fetch, [VariableDefinition("representations", "Boolean")]
    )

    await prepared.run(new_context(), {"representations": True}, USERS)

    sent = transport.sent[0]
    assert sent["variables"] == {"representations": True, "_representations": USERS}
    assert "_entities(representations: $_representations)" in sent["query"]
    assert "($_representations: [_Any!]!, $representations: Boolean)" in sent["query"]


async def test_a_mutation_is_never_called_idempotent():
    subgraph, transport = remote({"data": {"user": None}, "errors": []})

    await ask(subgraph, Fetch(0, "A", "mutation", ROOT.selections))

    assert not transport.requests[0].is_idempotent
    assert transport.sent[0]["query"].startswith("mutation graphgw__user_data__0")


async def test_a_subscription_cannot_be_fetched():
    subgraph, transport = remote({})

    with pytest.raises(SourceError, match="cannot be subscribed to"):
        await ask(subgraph, Fetch(0, "A", "subscription", ROOT.selections))

    assert transport.requests == []


async def test_the_shorter_of_deadline_and_timeout_counts():
    settings = RemoteSettings(timeout=1, deadline_header="x-request-timeout-ms")
    subgraph, transport = remote({"data": {}}, settings=settings)

    await ask(subgraph)
    await ask(subgraph, deadline=Deadline.after(0.2))

    left = [request.deadline.remaining() for request in transport.requests]
    sent = [
        int(dict(request.headers)["x-request-timeout-ms"])
        for request in transport.requests
    ]
    assert 0.5 < left[0] <= 1
    assert left[1] <= 0.2
    assert 500 < sent[0] <= 1000
    assert sent[1] <= 200


async def test_the_request_id_goes_on():
    subgraph, transport = remote({"data": {}})

    await ask(subgraph, request_id="r1")

    assert ("x-request-id", "r1") in transport.requests[0].headers


async def test_headers_go_on_as_the_rules_say():
    rules = HeaderRules(
        forward=("Authorization", "connection", "x-team"),
        forward_matching=("x-trace-.*",),
        rename=(("x-old", "X-New"),),
        insert=(("X-Gateway", "graphgw"), ("x-team", "ours")),
        remove=("x-trace-secret",),
    )
    subgraph, transport = remote({"data": {}}, headers=rules)

    await ask(
        subgraph,
        headers={
            "authorization": "Bearer t",
            "connection": "close",
            "cookie": "c",
            "x-team": "theirs",
            "x-trace-a": "1",
            "x-trace-secret": "2",
            "x-old": "3",
            "x-trace-bad": "a\r\nb: c",
        },
    )

    sent = dict(transport.requests[0].headers)
    del sent["accept"], sent["content-type"]
    assert sent == {
        "authorization": "Bearer t",
        "x-trace-a": "1",
        "x-new": "3",
        "x-gateway": "graphgw",
        "x-team": "ours",
    }


async def test_a_pattern_does_not_reach_headers_that_tell_who_the_client_is():
    rules = HeaderRules(forward=("x-user-id",), forward_matching=(".*",))
    subgraph, transport = remote({"data": {}}, headers=rules)

    await ask(
        subgraph,
        headers={
            "accept-language": "de",
            "user-agent": "a",
            "authorization": "t",
            "cookie": "c",
            "forwarded": "for=1.2.3.4",
            "x-forwarded-for": "1.2.3.4",
            "x-api-key": "k",
            "x-user-id": "1",
            "x-user-role": "admin",
        },
    )

    sent = dict(transport.requests[0].headers)
    del sent["accept"], sent["content-type"]
    assert sent == {"accept-language": "de", "user-agent": "a", "x-user-id": "1"}


async def test_answers_that_are_not_graphql_count_against_the_subgraph():
    transport = RecordingTransport({"neither": "data"})
    breaker = BreakerSettings(min_requests=3, failure_ratio=1)
    service = HTTPService(
        ServiceSettings(name="user-data", url=URL, breaker=breaker), transport
    )
    subgraph = RemoteSubgraph("user-data", URL, service)

    for _ in range(3):
        with pytest.raises(SourceBadAnswerError):
            await ask(subgraph)
    with pytest.raises(SourceUnreachableError):
        await ask(subgraph)

    assert len(transport.requests) == 3


async def test_an_answer_is_read_once():
    transport = RecordingTransport({"data": {"user": {"name": "Ada"}}})
    service = HTTPService(ServiceSettings(name="user-data", url=URL), transport)
    subgraph = RemoteSubgraph("user-data", URL, service)
    reads = []

    class Reader:
        def read(self, response, entities, decoder=None):
            reads.append(entities)
            return AnswerReader("user-data").read(response, entities, decoder)

    subgraph.reader = Reader()
    result = await ask(subgraph)

    assert result.data == {"user": {"name": "Ada"}}
    assert reads == [None]


async def test_no_client_header_goes_on_by_default():
    subgraph, transport = remote({"data": {}})

    await ask(subgraph, headers={"authorization": "t", "cookie": "c"})

    assert {name for name, _ in transport.requests[0].headers} == {
        "accept",
        "content-type",
    }


async def test_only_allowed_headers_of_the_answer_come_back():
    subgraph, transport = remote({"data": {}}, headers=HeaderRules(answer=("X-Age",)))
    transport.headers |= {"x-age": "3", "set-cookie": "c"}

    result = await ask(subgraph)

    assert result.headers == (("x-age", "3"),)


async def test_errors_keep_message_code_and_path():
    subgraph, _ = remote(
        {
            "data": {"_entities": [None, {"name": None}]},
            "errors": [
                {
                    "message": "no name",
                    "path": ["_entities", 1, "name"],
                    "extensions": {"code": "NO_NAME", "stacktrace": ["secret"]},
                },
                {"message": "elsewhere", "path": ["_entities", 5]},
                {"message": "nowhere"},
            ],
        }
    )

    result = await ask(subgraph, ENTITY, {}, USERS)

    assert result.errors == (
        FetchError("no name", (1, "name"), "NO_NAME"),
        FetchError("elsewhere"),
        FetchError("nowhere"),
    )


async def test_named_extensions_are_kept():
    settings = RemoteSettings(error_extensions=("hint",))
    error = {"message": "no", "extensions": {"hint": 1, "stack": 2}}
    subgraph, _ = remote({"data": None, "errors": [error]}, settings=settings)

    result = await ask(subgraph)

    assert result == FetchResult(None, (FetchError("no", (), extensions={"hint": 1}),))


async def test_masked_errors_keep_their_path_alone():
    settings = RemoteSettings(errors="mask", error_extensions=("hint",))
    error = {
        "message": "secret",
        "path": ["user", "name"],
        "extensions": {"code": "SECRET", "hint": 1},
    }
    subgraph, _ = remote({"data": {}, "errors": [error]}, settings=settings)

    result = await ask(subgraph)

    assert result.errors == (
        FetchError('subgraph "user-data" reported an error', ("user", "name")),
    )


def over_service(answer, *, settings=None, rules=None, status=200, **options):
    transport = RecordingTransport(answer, status=status)
    known = ServiceSettings(name="user-data", url=URL, **options)
    service = HTTPService(known, transport)
    return RemoteSubgraph("user-data", URL, service, rules, settings), transport


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(RemoteSettings(), id="as-the-service"),
        pytest.param(RemoteSettings(request_id_header="x-trace"), id="another-id"),
        pytest.param(RemoteSettings(deadline_header="x-left"), id="another-deadline"),
    ],
)
async def test_a_service_adds_its_headers_to_those_of_the_subgraph(settings):
    rules = HeaderRules(insert=(("X-Gateway", "graphgw"),))
    subgraph, transport = over_service(
        {"data": {"user": None}},
        settings=settings,
        rules=rules,
        headers=(("X-Own", "1"),),
        deadline_header="x-deadline",
    )

    for _ in range(2):
        await ask(subgraph, request_id="r1")

    expected = {
        "accept": "application/graphql-response+json, application/json;q=0.9",
        "content-type": "application/json",
        "x-gateway": "graphgw",
        "x-own": "1",
        settings.request_id_header: "r1",
    }
    for request in transport.requests:
        headers = dict(request.headers)
        assert int(headers.pop("x-deadline")) > 0
        assert settings.deadline_header is None or headers.pop("x-left")
        assert headers == expected
        assert len(request.headers) == len(dict(request.headers))


async def test_what_a_subgraph_says_when_it_refuses_is_read_after_all_attempts():
    subgraph, transport = over_service(
        {"errors": [{"message": "too busy"}]},
        status=503,
        retries=RetrySettings(max_retries=1, backoff=0.001),
    )

    with pytest.raises(
        SourceError, match='subgraph "user-data" answered 503'
    ) as raised:
        await ask(subgraph)

    assert raised.value.status == 503
    assert len(transport.requests) == 2


async def test_mutations_over_a_service_are_sent_once():
    subgraph, transport = over_service({}, status=503)

    with pytest.raises(SourceError):
        await ask(subgraph, Fetch(0, "A", "mutation", ROOT.selections))

    assert len(transport.requests) == 1
