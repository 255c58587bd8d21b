"""WebSocket connections through a route of a gateway process."""

from __future__ import annotations

import threading
import time
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from support.gateways import DEAD, running_gateway, write_settings
from support.integration_gateways import wait_for
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIB = 1024


class EchoServer:
    """Echoes messages; ``close CODE REASON``, ``big N``, ``quiet`` and ``flood``."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.closed: list[tuple[int | None, str | None]] = []
        self.sent = 0
        self.open = 0
        self._server = serve(
            self._serve,
            "127.0.0.1",
            0,
            subprotocols=["two", "one"],  # type: ignore[list-item]
            select_subprotocol=lambda _, offered: max(offered, default=None),
            process_request=self._check,
            compression=None,
            max_size=None,
        )
        self.port = self._server.socket.getsockname()[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()

    def _check(self, connection: ServerConnection, request: Any) -> Any:
        self.requests.append(request)
        return connection.respond(418, "no") if "refused" in request.path else None

    def _serve(self, connection: ServerConnection) -> None:
        self.open += 1
        try:
            for message in connection:
                self._answer(connection, message)
        except ConnectionClosed:
            pass
        finally:
            self.open -= 1
            self.closed.append((connection.close_code, connection.close_reason))

    def _answer(self, connection: ServerConnection, message: str | bytes) -> None:
        word, *rest = message.split() if isinstance(message, str) else [""]
        if word == "close":
            connection.close(int(rest[0]), rest[1])
        elif word == "big":
            connection.send(b"b" * int(rest[0]))
        elif word == "flood":
            while self.sent < 512:
                connection.send(b"f" * 64 * KIB)
                self.sent += 1
        elif word == "break":
            connection.socket.shutdown(SHUT_RDWR)
        else:
            connection.send(message)


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def url(echo: EchoServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("sockets")
    socket = {"max_frame_bytes": "64KiB", "idle_timeout": "1s"}
    settings = {
        "services": {
            "echo": f"http://127.0.0.1:{echo.port}",
            "dead": DEAD,
        },
        "routes": {
            "socket": {
                "path": "/ws/*",
                "service": "echo",
                "strip_prefix": "/ws",
                "websocket": socket,
                "request": {"headers": {"set": {"x-from": "gateway"}}},
            },
            "chosen": {
                "path": "/chosen",
                "service": "echo",
                "websocket": {"subprotocols": ["one"]},
            },
            "known": {
                "path": "/known",
                "service": "echo",
                "authenticated": True,
                "websocket": {},
            },
            "plain": {"path": "/plain", "service": "echo"},
            "dead": {"path": "/dead", "service": "dead", "websocket": {}},
            "one": {
                "path": "/one",
                "service": "echo",
                "concurrency": 1,
                "websocket": {},
            },
        },
    }
    config = write_settings(folder, settings)
    with running_gateway(config) as (_, found):
        yield found.replace("http://", "ws://")


def test_messages_pass_both_ways_as_they_are(url: str, echo: EchoServer):
    with connect(f"{url}/ws/a%20b?c=d", additional_headers={"cookie": "a=1"}) as socket:
        socket.send("é")
        socket.send(b"\x00\xff")
        answers = [socket.recv(5), socket.recv(5)]

    assert answers == ["é", b"\x00\xff"]
    request = echo.requests[-1]
    assert request.path == "/a%20b?c=d"
    assert request.headers["x-from"] == "gateway"
    assert request.headers["x-forwarded-for"] == "127.0.0.1"
    assert request.headers["via"] == "1.1 graphgw"
    assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("path", "offered", "agreed"),
    [
        ("/ws/a", ["one", "two"], "two"),
        ("/chosen", ["one", "two"], "one"),
        ("/ws/a", None, None),
    ],
)
def test_a_subprotocol_is_agreed_on(
    url: str, path: str, offered: Any, agreed: str | None
):
    with connect(url + path, subprotocols=offered) as socket:
        assert socket.subprotocol == agreed


def test_a_close_of_the_service_reaches_the_client(url: str):
    with connect(f"{url}/ws/a") as socket:
        socket.send("close 4321 enough")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)

        assert socket.close_code == 4321
        assert socket.close_reason == "enough"


def test_a_close_of_the_client_reaches_the_service(url: str, echo: EchoServer):
    with connect(f"{url}/ws/a") as socket:
        socket.send("x")
        socket.recv(5)
        socket.close(4001, "bye")

    wait_for(lambda: (4001, "bye") in echo.closed)


def test_a_client_that_vanishes_ends_the_connection(url: str, echo: EchoServer):
    with connect(f"{url}/ws/a") as socket:
        socket.send("x")
        socket.recv(5)
        socket.socket.shutdown(SHUT_RDWR)

    wait_for(lambda: echo.open == 0)


def test_a_service_that_breaks_off_ends_the_connection(url: str):
    with connect(f"{url}/ws/a") as socket:
        socket.send("break")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)

        assert socket.close_code == 1014


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_message_that_is_too_large_ends_the_connection(
    url: str, echo: EchoServer, way: str
):
    with connect(f"{url}/ws/a") as socket:
        socket.send(b"x" * 65 * KIB if way == "up" else f"big {65 * KIB}")
        with pytest.raises(ConnectionClosed):
            socket.recv(5)

        assert socket.close_code == 1009
    wait_for(lambda: echo.open == 0)


def test_a_connection_in_which_nothing_is_said_ends(url: str, echo: EchoServer):
    with connect(f"{url}/ws/a") as socket:
        for _ in range(3):
            time.sleep(0.5)
            socket.send("still here")
            socket.recv(5)
        with pytest.raises(ConnectionClosed):
            socket.recv(5)

        assert socket.close_code == 1001
    wait_for(lambda: echo.open == 0)


def test_a_client_that_does_not_read_slows_the_service(url: str, echo: EchoServer):
    options: dict[str, Any] = {"max_queue": 1, "close_timeout": 0.5}
    with connect(f"{url}/ws/a", compression=None, **options) as socket:
        socket.send("flood")
        wait_for(lambda: echo.sent > 8)
        time.sleep(0.5)
        held = echo.sent
        time.sleep(0.2)

        assert echo.sent == held < 512


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/plain", 403),
        ("/known", 401),
        ("/dead", 502),
        ("/ws/refused", 418),
        ("/ws/../known", 400),
    ],
)
def test_a_handshake_is_refused_like_a_request(url: str, path: str, status: int):
    with pytest.raises(InvalidStatus) as caught:
        connect(url + path)

    assert caught.value.response.status_code == status


def test_a_page_of_another_site_cannot_connect(url: str, echo: EchoServer):
    seen = len(echo.requests)

    with pytest.raises(InvalidStatus) as caught:
        connect(f"{url}/ws/a", origin="https://evil.example")  # type: ignore[arg-type]

    assert caught.value.response.status_code == 403
    assert len(echo.requests) == seen


def test_connections_count_as_requests_under_way(url: str):
    with connect(f"{url}/one"):
        with pytest.raises(InvalidStatus) as caught:
            connect(f"{url}/one")

        assert caught.value.response.status_code == 503
    wait_for(lambda: _connects(f"{url}/one"))


def test_connections_are_counted_by_route(url: str):
    with connect(f"{url}/ws/a"):
        pass
    metrics = f"{url.replace('ws://', 'http://')}/metrics"

    wait_for(
        lambda: (
            'method="WEBSOCKET",route="socket",status="101"' in httpx.get(metrics).text
        )
    )


def _connects(url: str) -> bool:
    try:
        with connect(url):
            return True
    except InvalidStatus:
        return False
