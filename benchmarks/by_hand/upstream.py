"""A keep-alive HTTP client on bare httptools protocols: GET and a JSON answer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import httptools
import orjson

__all__ = ["Upstream"]

_OK = 200


class Upstream:
    """The connections to one host; as many as there are calls at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._idle: list[_Connection] = []

    async def get(self, target: str) -> Any:
        """Return the decoded answer.

        Raises:
            ConnectionError: The answer is not a 200, or the connection broke.
        """
        connection = await self._connection()
        try:
            status, body = await connection.get(target)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if status != _OK:
            raise ConnectionError(f"{target} answered {status}")
        return orjson.loads(body)

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, fresh = await loop.create_connection(_Connection, self._host, self._port)
        return fresh


class _Connection(asyncio.Protocol):
    __slots__ = ("_answer", "_loop", "_parser", "_parts", "_transport", "is_open")

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._parts: list[bytes] = []
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.is_open = False

    def get(self, target: str) -> asyncio.Future[tuple[int, bytes]]:
        self._answer = self._loop.create_future()
        transport = cast("asyncio.Transport", self._transport)
        transport.write(f"GET {target} HTTP/1.1\r\nhost: bench\r\n\r\n".encode())
        return self._answer

    def close(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._parts = []

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._parser.get_status_code(), body))
