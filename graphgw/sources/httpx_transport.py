"""An adapter that lets any ``httpx.AsyncClient`` carry the calls."""

from __future__ import annotations

import asyncio
import ssl
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

import httpx

from graphgw.errors import (
    SourceAnswerTooLargeError,
    SourceBadAnswerError,
    SourceDisconnectedError,
    SourceError,
    SourceTimeoutError,
    SourceUnreachableError,
)
from graphgw.sources.content_encoding import ACCEPT_ENCODING, inflate
from graphgw.sources.protocol import HTTPResponse

if TYPE_CHECKING:
    from graphgw.sources.protocol import HTTPRequest

__all__ = ["HTTPXTransport"]

_TRANSLATIONS: Final[tuple[tuple[type[Exception], type[SourceError], str], ...]] = (
    (httpx.ConnectTimeout, SourceUnreachableError, "could not be reached in time"),
    (httpx.ConnectError, SourceUnreachableError, "could not be reached"),
    (httpx.TimeoutException, SourceTimeoutError, "did not answer in time"),
    (httpx.RemoteProtocolError, SourceDisconnectedError, "broke off its answer"),
    (httpx.NetworkError, SourceDisconnectedError, "broke off its answer"),
    (httpx.DecodingError, SourceBadAnswerError, "answered with a damaged body"),
    (httpx.HTTPError, SourceError, "could not be called"),
    (httpx.InvalidURL, SourceError, "has a URL that is none"),
    (ssl.SSLError, SourceUnreachableError, "could not be reached"),
    (TimeoutError, SourceTimeoutError, "did not answer in time"),
)


class HTTPXTransport:
    """Sends requests through a client of httpx: for HTTP/2, proxies, own auth.

    The client's pool, connect timeout and TLS settings hold; redirects are not
    followed and cookies not kept. The client is closed with the transport.
    """

    __slots__ = ("_client", "_max_answer_bytes")

    def __init__(
        self, client: httpx.AsyncClient, *, max_answer_bytes: int = 10 * 1024 * 1024
    ) -> None:
        # A backend's cookies must not travel from one caller's answer to the next.
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._client = client
        self._max_answer_bytes = max_answer_bytes

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send one request; see ``Transport.send``."""
        try:
            async with asyncio.timeout(request.deadline.remaining()):
                return await self._send(request)
        except tuple(entry[0] for entry in _TRANSLATIONS) as error:
            raise _translate(error, request.source) from error

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def _send(self, request: HTTPRequest) -> HTTPResponse:
        async with self._client.stream(
            request.method,
            request.url,
            headers=[*request.headers, ("accept-encoding", ACCEPT_ENCODING)],
            content=request.body or None,
            follow_redirects=False,
        ) as response:
            body = await self._read(response, request.source)
        return HTTPResponse(response.status_code, dict(response.headers.items()), body)

    async def _read(self, response: httpx.Response, source: str) -> bytes:
        limit = self._max_answer_bytes
        if response.is_stream_consumed:
            # A transport that answers from memory, as in tests, has inflated it too.
            if len(response.content) > limit:
                raise _too_large(source, limit)
            return response.content
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise _too_large(source, limit)
        encoding = response.headers.get("content-encoding", "")
        return inflate(encoding, bytes(body), limit, source)


def _translate(error: Exception, source: str) -> SourceError:
    for kind, translated, words in _TRANSLATIONS:
        if isinstance(error, kind):
            return translated(f'service "{source}" {words}', source=source)
    return SourceError(f'service "{source}" could not be called', source=source)


def _too_large(source: str, limit: int) -> SourceAnswerTooLargeError:
    return SourceAnswerTooLargeError(
        f'service "{source}" answered with more than {limit} bytes', source=source
    )
