"""The log lines of requests at routes: quick ones say the same as slow ones."""

from __future__ import annotations

import orjson
import pytest

from graphgw.telemetry.events import RouteFinished
from graphgw.telemetry.route_lines import RouteLines, route_fields

EVENTS = [
    pytest.param(RouteFinished("r-1", "user", "GET", 200, 0.01234), id="usual"),
    pytest.param(
        RouteFinished(
            'r"2', 'a"b\\c\né', "PUT", 502, 1.0, "SOURCE_ERROR", is_whole=False
        ),
        id="broken",
    ),
    pytest.param(
        RouteFinished("r-3", "user", "GET", 200, 0.0, subject='u"1', ip="::1"),
        id="known",
    ),
]


@pytest.mark.parametrize("event", EVENTS)
def test_a_line_is_json_with_the_fields_of_the_event(event: RouteFinished):
    lines = RouteLines()
    for _ in range(2):
        text = lines.write(event)
        line = orjson.loads(text)

        assert text.endswith("}\n")
        assert text.count("\n") == 1
        del line["timestamp"]
        expected = {"level": "info", "event": "request", **route_fields(event)}
        assert line == orjson.loads(orjson.dumps(expected))
