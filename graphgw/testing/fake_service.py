"""A fake backend: a real HTTP server on loopback that records what it is asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Answer", "Call", "FakeService"]

_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Call:
    """One request that a fake service was sent; ``headers`` by lower-case name."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    body: bytes = b""

    def json(self) -> Any:
        """Return the decoded body."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a fake service answers; ``delay`` seconds go by before it does."""

    json: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


Responder: TypeAlias = Callable[[Call], Any]
"""Makes an ``Answer``, or the JSON value of one, from a call."""


class FakeService:
    """A backend for tests; its threads end with ``close``.

    Example::

        users = FakeService("user")
        users.on("GET", "/users", lambda call: {"items": find(call.query["ids"])})
        users.on("PATCH", "/users/u1", Answer(status=503))
        ...
        assert [call.query for call in users.calls] == [{"ids": "u1,u2"}]
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls: list[Call] = []
        """What was asked, in order of arrival."""
        self._responders: dict[tuple[str, str], Responder] = {}
        self._server = _Server(self.answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_POLL_SECONDS,),
            name=f"fake-{name}",
        )
        self._thread.start()

    def on(self, method: str, path: str, answer: Any) -> Self:
        """Say what is answered to a method and path; the last word counts.

        Args:
            method: Such as ``"GET"``.
            path: Without the query string.
            answer: A JSON value, an ``Answer``, or a function from the call to either.
        """
        responder = answer if callable(answer) else lambda _: answer
        self._responders[method.upper(), path] = responder
        return self

    def answer(self, call: Call) -> Answer:
        """Record a call and answer it; 404 to what nobody spoke of."""
        self.calls.append(call)
        responder = self._responders.get((call.method, call.path))
        if responder is None:
            return Answer({"error": f"no {call.method} {call.path}"}, status=404)
        made = responder(call)
        return made if isinstance(made, Answer) else Answer(made)

    def close(self) -> None:
        """Close every connection and end the threads."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[Call], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the threads that wait for another request."""
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        call = Call(self.command, parts.path, query, headers, body)
        try:
            answer = self.server.answer(call)
        except Exception as error:  # noqa: BLE001 - the test's own function failed
            answer = Answer({"error": repr(error)}, status=500)
        time.sleep(answer.delay)
        content = json.dumps(answer.json).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - the base class's names

    def handle(self) -> None:
        """Answer until the connection ends, however it does."""
        try:
            super().handle()
        except OSError:
            return

    def log_message(self, *_: Any) -> None:
        """Say nothing: the calls are recorded."""
