from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from graphgw.errors import ConfigurationError, Problem
from graphgw.telemetry.events import (
    FetchFinished,
    InternalFailure,
    OperationFinished,
    RateLimitDecided,
    SelectionRefused,
    SnapshotSwapped,
)
from graphgw.telemetry.logs import LogObserver


def finished(**fields: Any) -> OperationFinished:
    known: dict[str, Any] = {
        "request_id": "r1",
        "kind": "query",
        "name": None,
        "fingerprint": "f1",
        "client_name": None,
        "client_version": None,
        "seconds": 0.0125,
        "status": 200,
    }
    return OperationFinished(**{**known, **fields})


def write(event: object, **options: Any) -> str:
    file = io.StringIO()
    LogObserver(file=file, **options).observe(event)  # type: ignore[arg-type]
    return file.getvalue()


def test_an_operation_is_one_json_line():
    line = write(finished(name="A", error_codes=("SOURCE_ERROR",), ip="10.0.0.1"))

    record = json.loads(line)
    assert line.endswith("}\n")
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "level": "info",
        "event": "operation",
        "kind": "query",
        "name": "A",
        "ms": 12.5,
        "status": 200,
        "fetches": 0,
        "request_id": "r1",
        "fingerprint": "f1",
        "ip": "10.0.0.1",
        "errors": ["SOURCE_ERROR"],
    }


def test_a_failure_of_our_own_has_its_traceback():
    try:
        int("what went wrong")
    except ValueError as error:
        record = json.loads(write(InternalFailure("r1", "operation", error)))

    assert record["level"] == "error"
    assert "ValueError: invalid literal" in record["exception"]
    assert "test_logs.py" in record["exception"]


def test_what_the_operator_must_mend_is_written_without_a_trace():
    problem = Problem("there is no such method", "routes.r.grpc", "name another")
    error = ConfigurationError([problem])

    record = json.loads(write(InternalFailure("r1", "route r", error)))

    assert record["level"] == "error"
    assert "exception" not in record
    assert record["error"] == str(problem)


@pytest.mark.parametrize(
    ("event", "level"),
    [
        pytest.param(SnapshotSwapped("abc"), "info", id="swapped"),
        pytest.param(SnapshotSwapped("", "no such type"), "error", id="failed"),
    ],
)
def test_a_reload_is_written(event, level):
    assert json.loads(write(event))["level"] == level


def test_steps_within_an_operation_are_not_written():
    assert write(FetchFinished("user", 0.1)) == ""


def test_a_higher_level_leaves_operations_out():
    assert write(finished(), level="warning") == ""
    assert write(SnapshotSwapped("", "wrong"), level="warning") != ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_a_client_sends_cannot_make_a_line_of_its_own(log_format):
    text = write(
        finished(client_name="a\nlevel=error b", client_version="\x1b[31m"),
        log_format=log_format,
    )

    assert text.count("\n") == 1
    assert "\x1b" not in text


def test_people_read_plain_words():
    text = write(finished(name="Shop"), log_format="console")

    assert "operation" in text
    assert "name=Shop" in text
    assert "status=200" in text


async def test_lines_that_come_at_one_time_are_written_together():
    file = io.StringIO()
    observer = LogObserver(file=file)

    observer.observe(finished())
    observer.observe(finished())
    before = file.getvalue()
    await asyncio.sleep(0.1)

    assert before == ""
    assert file.getvalue().count("\n") == 2


async def test_a_failure_is_written_at_once_with_what_came_before():
    file = io.StringIO()
    observer = LogObserver(file=file)

    observer.observe(finished())
    observer.observe(InternalFailure("r1", "operation", ValueError("wrong")))

    assert [json.loads(line)["event"] for line in file.getvalue().splitlines()] == [
        "operation",
        "failure",
    ]


async def test_lines_that_wait_have_a_number():
    file = io.StringIO()
    observer = LogObserver(file=file)

    for _ in range(1500):
        observer.observe(finished())

    assert file.getvalue().count("\n") == 1000


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="plain"),
        pytest.param({"client_name": 'a"\n', "client_version": None}, id="client"),
        pytest.param({"variant": "public", "name": "Größe"}, id="variant"),
        pytest.param({"subject": "ü\ud800", "ip": "::1"}, id="subject"),
        pytest.param({"fingerprint": None, "kind": "unknown"}, id="unknown"),
    ],
)
def test_lines_of_one_layout_differ_in_what_differs(fields):
    file = io.StringIO()
    observer = LogObserver(file=file)

    observer.observe(finished(**fields))
    observer.observe(finished(**fields, request_id="r2", seconds=1.0))

    first, second = map(json.loads, file.getvalue().splitlines())
    assert (first.pop("request_id"), second.pop("request_id")) == ("r1", "r2")
    assert (first.pop("ms"), second.pop("ms")) == (12.5, 1000.0)
    assert first.pop("timestamp") <= second.pop("timestamp")
    assert first == second
    assert first.get("subject") == fields.get("subject")


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        pytest.param(
            SelectionRefused(
                "Query.me",
                "UNAUTHORIZED",
                is_shadow=True,
                request_id="r1",
                subject="u1",
            ),
            {"coordinate": "Query.me", "code": "UNAUTHORIZED"},
            id="selection",
        ),
        pytest.param(
            RateLimitDecided(
                "calls", is_allowed=False, is_shadow=True, request_id="r1", subject="u1"
            ),
            {"bucket": "calls", "code": "RATE_LIMITED"},
            id="limit",
        ),
    ],
)
def test_what_a_shadow_would_refuse_is_told_with_who_asked(event, fields):
    record = json.loads(write(event))

    del record["timestamp"]
    assert record == {
        "level": "info",
        "event": "would refuse",
        "request_id": "r1",
        "subject": "u1",
        **fields,
    }


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(SelectionRefused("Query.me", "UNAUTHORIZED"), id="enforced"),
        pytest.param(RateLimitDecided("calls", is_allowed=False), id="limit"),
        pytest.param(
            RateLimitDecided("calls", is_allowed=True, is_shadow=True), id="allowed"
        ),
    ],
)
def test_what_is_refused_in_earnest_has_no_line_of_its_own(event):
    assert write(event) == ""


def test_shadows_are_quiet_above_info():
    event = SelectionRefused("Query.me", "UNAUTHORIZED", is_shadow=True)

    assert write(event, level="warning") == ""
