import httpx
import pytest

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceOverloadedError,
    SourceRateLimitedError,
    SourceUnreachableError,
)
from graphgw.sources.guard import Guard
from graphgw.sources.http_service import HTTPService
from graphgw.sources.httpx_transport import HTTPXTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.sources.settings import RetrySettings, ServiceSettings
from graphgw.telemetry.events import SourceCalled
from graphgw.types import Deadline


class Backend:
    """Answers from a list, and remembers what it was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def json_answer(value, status=200, **headers):
    return httpx.Response(status, json=value, headers=headers)


def make_service(backend, clock, **options):
    settings = ServiceSettings(name="user", url="http://users/api/", **options)
    client = httpx.AsyncClient(transport=httpx.MockTransport(backend))
    guard = Guard(settings, clock=clock, sleep=clock.sleep, draw=lambda: 0.5)
    return HTTPService(settings, HTTPXTransport(client), clock=clock, guard=guard)


async def test_get_decodes_json_from_under_the_base_url(clock, make_context):
    backend = Backend(json_answer([{"id": "1"}]))
    service = make_service(backend, clock)

    rows = await service.get("/users", make_context(), params={"ids": "1,2", "x": None})

    assert rows == [{"id": "1"}]
    assert str(backend.requests[0].url) == "http://users/api/users?ids=1,2"


async def test_values_cannot_leave_their_place_in_the_path(clock, make_context):
    backend = Backend(json_answer({}))
    service = make_service(backend, clock)

    await service.get("/users/{id}", make_context(), values={"id": "../a/b?c#d e"})

    sent = backend.requests[0].url.raw_path
    assert sent == b"/api/users/..%2Fa%2Fb%3Fc%23d%20e"


async def test_the_deadline_travels_as_what_is_left_of_it(clock, make_context):
    backend = Backend(json_answer({}))
    service = make_service(backend, clock, timeout=60)

    await service.get("/", make_context(seconds=2.0))

    assert 1500 < int(backend.requests[0].headers["x-request-timeout-ms"]) <= 2000


async def test_only_configured_headers_of_the_client_are_forwarded(clock, make_context):
    backend = Backend(json_answer({}))
    service = make_service(
        backend,
        clock,
        forward_headers=("Authorization", "x-tenant"),
        headers=(("X-Key", "k"),),
    )
    context = make_context(
        request_id="r1",
        headers={"authorization": "Bearer t", "cookie": "c", "x-tenant": "a\r\nb: c"},
    )

    await service.get("/", context)

    headers = backend.requests[0].headers
    assert headers["authorization"] == "Bearer t"
    assert headers["x-request-id"] == "r1"
    assert headers["x-key"] == "k"
    assert "cookie" not in headers
    assert "x-tenant" not in headers


async def test_not_found_is_the_value_asked_for(clock, make_context):
    service = make_service(Backend(json_answer({"title": "none"}, 404)), clock)

    assert await service.get("/users/9", make_context(), missing=None) is None


async def test_not_found_is_an_error_unless_a_value_is_asked_for(clock, make_context):
    service = make_service(Backend(json_answer({"title": "none"}, 404)), clock)

    with pytest.raises(SourceError) as caught:
        await service.get("/users/9", make_context())

    assert caught.value.status == 404
    assert caught.value.message == 'service "user" answered 404'
    assert caught.value.detail == '{"title":"none"}'


async def test_no_content_is_none(clock, make_context):
    service = make_service(Backend(httpx.Response(204)), clock)

    assert await service.request("DELETE", "/users/1", make_context()) is None


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, html="<p>hi</p>"), id="html"),
        pytest.param(httpx.Response(200, content=b"{}"), id="no-type"),
        pytest.param(
            httpx.Response(
                200, content=b"{", headers={"content-type": "application/json"}
            ),
            id="garbage",
        ),
        pytest.param(
            httpx.Response(
                200, content=b"", headers={"content-type": "application/json"}
            ),
            id="empty",
        ),
        pytest.param(
            httpx.Response(
                200, content=b"NaN", headers={"content-type": "application/json"}
            ),
            id="nan",
        ),
    ],
)
async def test_what_is_not_json_is_a_bad_answer(answer, clock, make_context):
    service = make_service(Backend(answer), clock)

    with pytest.raises(SourceBadAnswerError):
        await service.get("/", make_context())


async def test_json_types_with_a_suffix_are_json(clock, make_context):
    answer = httpx.Response(
        200, content=b"[1]", headers={"content-type": "application/hal+JSON; v=1"}
    )
    service = make_service(Backend(answer), clock)

    assert await service.get("/", make_context()) == [1]


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_reads_are_tried_again_after_a_gateway_error(status, clock, make_context):
    backend = Backend(
        httpx.Response(status), httpx.Response(status), json_answer({"ok": 1})
    )
    service = make_service(backend, clock)

    assert await service.get("/", make_context()) == {"ok": 1}
    assert len(backend.requests) == 3


async def test_a_read_is_tried_no_more_than_three_times(clock, make_context):
    backend = Backend(httpx.Response(503))
    service = make_service(backend, clock)

    with pytest.raises(SourceError) as caught:
        await service.get("/", make_context())

    assert caught.value.status == 503
    assert len(backend.requests) == 3


async def test_mutations_are_never_tried_again(clock, make_context):
    backend = Backend(httpx.Response(503), json_answer({}))
    service = make_service(backend, clock)

    with pytest.raises(SourceError):
        await service.request("POST", "/users", make_context(), json={"name": "x"})

    assert len(backend.requests) == 1


async def test_an_internal_error_is_not_tried_again(clock, make_context):
    backend = Backend(httpx.Response(500), json_answer({}))

    with pytest.raises(SourceError):
        await make_service(backend, clock).get("/", make_context())

    assert len(backend.requests) == 1


async def test_a_connection_that_fails_is_tried_once_more(clock, make_context):
    backend = Backend(httpx.ConnectError("refused"))

    with pytest.raises(SourceUnreachableError):
        await make_service(backend, clock).get("/", make_context())

    assert len(backend.requests) == 2


async def test_retry_after_is_waited_for_where_it_fits(clock, make_context):
    backend = Backend(httpx.Response(429, headers={"retry-after": "1"}), json_answer(1))
    service = make_service(backend, clock)
    start = clock.now

    assert await service.get("/", make_context()) == 1
    assert clock.now - start == 1.0


async def test_retry_after_beyond_the_deadline_is_an_error_at_once(clock, make_context):
    backend = Backend(httpx.Response(429, headers={"retry-after": "3600"}))

    with pytest.raises(SourceRateLimitedError) as caught:
        await make_service(backend, clock).get("/", make_context())

    assert caught.value.retry_after == 3600
    assert caught.value.code == "RATE_LIMITED"
    assert len(backend.requests) == 1


async def test_the_breaker_opens_and_then_nothing_is_sent(clock, make_context):
    backend = Backend(httpx.Response(500))
    service = make_service(backend, clock)
    for _ in range(10):
        with pytest.raises(SourceError):
            await service.get("/", make_context())

    with pytest.raises(SourceUnreachableError, match="left alone"):
        await service.get("/", make_context())

    assert len(backend.requests) == 10


async def test_a_retry_storm_stays_within_the_budget(clock, make_context):
    backend = Backend(httpx.Response(503))
    service = make_service(backend, clock, retries=RetrySettings())

    for _ in range(1000):
        with pytest.raises(SourceError):
            await service.get("/", make_context())

    assert len(backend.requests) <= 1000 * 1.1 + 3


async def test_more_calls_than_places_are_refused(clock, make_context):
    service = make_service(Backend(json_answer(1)), clock, max_in_flight=1)
    assert service.guard.places.enter()

    with pytest.raises(SourceOverloadedError):
        await service.get("/", make_context())


async def test_every_attempt_is_observed(clock, make_context, observer):
    backend = Backend(httpx.Response(503), json_answer(1))
    service = make_service(backend, clock)

    await service.get("/users/{id}", make_context(observer=observer), values={"id": 1})

    assert [
        (event.source, event.endpoint, event.status, event.attempt)
        for event in observer.events
        if isinstance(event, SourceCalled)
    ] == [
        ("user", "GET /users/{id}", "503", 1),
        ("user", "GET /users/{id}", "200", 2),
    ]


async def test_send_hands_back_any_status_after_its_retries(clock):
    backend = Backend(httpx.Response(503, text="busy"))
    service = make_service(backend, clock)
    request = HTTPRequest(
        "GET", "http://users/x", Deadline.after(5), is_idempotent=True, source="user"
    )

    response = await service.send(request)

    assert (response.status, response.body) == (503, b"busy")
    assert len(backend.requests) == 3


async def test_send_adds_what_is_left_of_the_time_and_the_services_headers(clock):
    backend = Backend(json_answer(1))
    service = make_service(backend, clock, headers=(("X-Key", "k"),))
    request = HTTPRequest(
        "POST",
        "http://users/graphql",
        Deadline.after(2),
        (("x-request-timeout-ms", "99999"),),
    )

    await service.send(request)

    headers = backend.requests[0].headers
    assert headers["x-key"] == "k"
    assert 1500 < int(headers["x-request-timeout-ms"]) <= 2000


async def test_what_a_check_refuses_counts_against_the_service(clock):
    service = make_service(Backend(json_answer([])), clock)

    def refuse(response):
        raise SourceBadAnswerError(f"{response.status} but no object")

    request = HTTPRequest(
        "POST", "http://users/graphql", Deadline.after(60), check=refuse
    )
    for _ in range(10):
        with pytest.raises(SourceBadAnswerError):
            await service.send(request)

    assert service.guard.breaker.is_open
