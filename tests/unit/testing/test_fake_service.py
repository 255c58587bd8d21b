"""A fake service: a real server, and a record of what it was asked."""

from __future__ import annotations

import threading

import httpx
import pytest

from graphgw.testing.fake_service import Answer, Call, FakeService


@pytest.fixture
def service():
    with FakeService("user") as service:
        yield service


def test_answers_are_values_answers_or_functions_of_the_call(service: FakeService):
    service.on("GET", "/value", {"a": 1})
    service.on("GET", "/answer", Answer([1], status=201, headers={"x-a": "b"}))
    service.on("POST", "/echo", lambda call: call.json())

    with httpx.Client(base_url=service.url) as client:
        value = client.get("/value")
        answer = client.get("/answer")
        echo = client.post("/echo", json={"b": 2})

    assert value.json() == {"a": 1}
    assert (answer.status_code, answer.headers["x-a"], answer.json()) == (201, "b", [1])
    assert echo.json() == {"b": 2}


def test_every_call_is_recorded_in_order(service: FakeService):
    with httpx.Client(base_url=service.url, headers={"X-Key": "k"}) as client:
        client.get("/users", params={"ids": "1,2", "empty": ""})
        client.patch("/users/1", content=b"{}")

    assert service.calls == [
        Call("GET", "/users", {"ids": "1,2", "empty": ""}),
        Call("PATCH", "/users/1", body=b"{}"),
    ]
    assert service.calls[0].headers["x-key"] == "k"
    assert "x-key" not in repr(service.calls[0])


def test_what_nobody_spoke_of_is_not_found(service: FakeService):
    answer = httpx.get(f"{service.url}/nothing")

    assert answer.status_code == 404
    assert answer.json() == {"error": "no GET /nothing"}


def test_a_function_that_fails_answers_with_its_error(service: FakeService):
    service.on("GET", "/", lambda call: call.query["missing"])

    answer = httpx.get(service.url)

    assert answer.status_code == 500
    assert answer.json() == {"error": "KeyError('missing')"}


def test_calls_are_answered_at_the_same_time(service: FakeService):
    both = threading.Barrier(2, timeout=10)
    service.on("GET", "/", lambda _: both.wait() and None)
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: answers.append(httpx.get(service.url).status_code)
        )
        for _ in range(2)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200, 200]


def test_closing_ends_connections_that_are_kept_alive():
    service = FakeService("user")
    with httpx.Client(base_url=service.url) as client:
        client.get("/")

        service.close()

        with pytest.raises(httpx.TransportError):
            client.get("/")
    assert not [t for t in threading.enumerate() if t.name == "fake-user"]
