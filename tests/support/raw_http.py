"""HTTP/1.1 as bytes on a socket: what no client library would send."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

__all__ = ["RawAnswer", "RawConnection", "exchange", "post"]


@dataclass(frozen=True)
class RawAnswer:
    """One answer; ``is_closed`` tells whether the server ended the connection."""

    status: int
    headers: dict[str, str]
    body: bytes
    is_closed: bool = False


class RawConnection:
    """A connection that sends what it is told, and reads one answer at a time."""

    def __init__(self, url: str, seconds: float = 10.0) -> None:
        place = urlsplit(url)
        self.socket = socket.create_connection((place.hostname, place.port), seconds)
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has answered already need not read them."""
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            self.socket.sendall(data)

    def read(self) -> RawAnswer:
        """Read one answer; it must have a content-length."""
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        return RawAnswer(int(status_line.split()[1]), headers, body)

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError(f"closed after {self._rest!r}")
        self._rest += data

    def is_closed(self, seconds: float = 5.0) -> bool:
        """Tell whether the server closes the connection within some time."""
        self.socket.settimeout(seconds)
        try:
            while data := self.socket.recv(65536):
                self._rest += data
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        return True


def exchange(url: str, data: bytes, *, linger: float = 0.3) -> RawAnswer:
    """Send bytes on a new connection; read an answer, then whether it is closed."""
    with RawConnection(url) as connection:
        connection.send(data)
        answer = connection.read()
        closed = connection.is_closed(linger)
        return RawAnswer(answer.status, answer.headers, answer.body, closed)


def post(body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """Return the bytes of a GraphQL POST with more, or other, headers."""
    lines = (
        b"POST /graphql HTTP/1.1",
        b"host: gateway",
        b"content-type: application/json",
        b"content-length: %d" % (len(body) if length is None else length),
        *headers,
    )
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
