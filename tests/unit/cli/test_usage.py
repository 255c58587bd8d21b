"""``graphgw usage``: the metrics of a gateway as a table of clients."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.command import graphgw_in_process

from graphgw.telemetry.events import DeprecatedUsed
from graphgw.telemetry.metrics import MetricsObserver


@pytest.fixture
def metrics() -> MetricsObserver:
    return MetricsObserver()


@pytest.fixture
def url(metrics: MetricsObserver) -> Iterator[str]:
    """Serve the metrics."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = metrics.render() if self.path == "/metrics" else b"}{"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_clients_stand_by_what_they_use(url: str, metrics: MetricsObserver):
    for client in ("web", "ios", "ios", None):
        metrics.observe(DeprecatedUsed("User.mail", client, "1" if client else None))
    metrics.observe(DeprecatedUsed("Kind.OLD", "web", "2"))

    done = graphgw_in_process("usage", f"{url}/metrics")

    assert done.stdout.splitlines() == [
        "coordinate  client  version  operations",
        "Kind.OLD    web     2        1",
        "User.mail   ios     1        2",
        "User.mail   -       -        1",
        "User.mail   web     1        1",
    ]


def test_where_nothing_deprecated_is_used_it_says_so(url: str):
    done = graphgw_in_process("usage", f"{url}/metrics")

    assert done.stdout == "nobody has used anything deprecated\n"


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "http://127.0.0.1:1/metrics", "wrong"]
)
def test_metrics_that_cannot_be_read_are_told(place: str, url: str):
    done = graphgw_in_process("usage", f"{url}/wrong" if place == "wrong" else place)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr
