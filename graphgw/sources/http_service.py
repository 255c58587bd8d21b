"""One HTTP backend: builds requests, guards calls, reads JSON answers."""

from __future__ import annotations

import email.utils
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import orjson

from graphgw.errors import (
    SourceBadAnswerError,
    SourceError,
    SourceRateLimitedError,
)
from graphgw.sources.deadlines import shorten
from graphgw.sources.flights import Flights
from graphgw.sources.guard import Guard
from graphgw.sources.headers import select_headers
from graphgw.sources.http_transport.settings import read_transport_settings
from graphgw.sources.http_transport.stream import StreamTransport
from graphgw.sources.protocol import HTTPRequest
from graphgw.sources.urls import build_query, expand_template
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from graphgw.context import RequestContext
    from graphgw.sources.protocol import HTTPResponse, Transport
    from graphgw.sources.settings import ServiceSettings
    from graphgw.sources.urls import Params
    from graphgw.types import JSON, Clock, Deadline

__all__ = ["RAISE", "HTTPService"]

RAISE: Final[Any] = object()
"""The value of ``missing`` that makes a 404 an error."""

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_NO_CONTENT: Final = frozenset({204, 205})
_OK: Final = 200
_NOT_FOUND: Final = 404
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
_DETAIL_BYTES: Final = 16 * 1024


class HTTPService:
    """One HTTP backend, called within its limits; equal reads in flight sent once.

    It is a ``Transport`` itself: ``send`` guards any request, ``request`` and
    ``get`` speak JSON on top. It lives as long as the gateway's connections.
    """

    __slots__ = (
        "_base",
        "_clock",
        "_fixed_headers",
        "_flights",
        "_forward",
        "_own_headers",
        "_streams",
        "_transport",
        "guard",
        "settings",
    )

    def __init__(
        self,
        settings: ServiceSettings,
        transport: Transport,
        *,
        clock: Clock = SYSTEM_CLOCK,
        guard: Guard | None = None,
    ) -> None:
        self.settings = settings
        self.guard = guard or Guard(settings, clock=clock)
        self._clock = clock
        self._transport = transport
        self._streams: StreamTransport | None = None
        self._flights: Flights[HTTPResponse] = Flights(settings.name)
        self._base = settings.url.rstrip("/")
        self._own_headers = tuple(
            (name.lower(), value) for name, value in settings.headers
        )
        self._fixed_headers = (("accept", "application/json"), *self._own_headers)
        self._forward = tuple(name.lower() for name in settings.forward_headers)

    async def get(
        self,
        path: str,
        context: RequestContext,
        *,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> JSON:
        """Read JSON; see ``request``."""
        return await self.request(
            "GET",
            path,
            context,
            params=params,
            values=values,
            headers=headers,
            missing=missing,
        )

    async def request(
        self,
        method: str,
        path: str,
        context: RequestContext,
        *,
        json: JSON = None,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
    ) -> JSON:
        """Call the service and return the decoded JSON of its answer.

        Args:
            method: In capitals. Only ``GET`` and ``HEAD`` are ever tried again.
            path: After the base URL; ``{name}`` stands for one of ``values``. As
                written it names the endpoint in metrics, so keys go in ``values``.
            context: Gives the deadline, request id and forwarded headers.
            json: The body, if any.
            params: Query parameters.
            values: What ``{name}`` in the path stands for; percent-encoded.
            headers: Headers of this call.
            missing: What to return where the service answers 404, instead of an
                error.

        Returns:
            The decoded answer; ``None`` where it has no content (204).

        Raises:
            SourceError: The call failed; ``status`` tells what the service said.
        """
        settings = self.settings
        url = self._build_url(path, params, values)
        deadline = shorten(context.deadline, settings.timeout)
        shared = self._build_headers(context, headers, has_body=json is not None)
        own = self._identify(context)
        body = b"" if json is None else orjson.dumps(json)
        is_idempotent = method in _SAFE_METHODS
        answers: list[JSON] = []

        async def attempt(deadline: Deadline) -> tuple[str, HTTPResponse]:
            response = await self._transport.send(
                HTTPRequest(
                    method,
                    url,
                    deadline,
                    shared + own + self._tell_deadline(deadline),
                    body,
                    settings.name,
                    is_idempotent,
                )
            )
            # Read here, so that what cannot be read counts as the service's failure.
            answers.append(self._read_json(response, missing))
            status = response.status
            return "200" if status == _OK else str(status), response

        async def call(deadline: Deadline) -> HTTPResponse:
            return await self.guard.run(
                partial(attempt, deadline),
                endpoint=f"{method} {path.partition('?')[0]}",
                deadline=deadline,
                observer=context.observer,
                is_idempotent=is_idempotent,
            )

        if not is_idempotent:
            await self._write(call, deadline)
        elif context.may_share:
            key = (method, url, shared, body, missing is RAISE)
            response = await self._flights.run(key, deadline, call)
            if not answers:
                # Who joined another's call reads it for itself: rows may change.
                return self._read_json(response, missing)
        else:
            await call(deadline)
        return answers[-1]

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send a request within the service's limits; any status is an answer.

        A read that is answered with 429, 502, 503 or 504 is tried again first. The
        time is bounded by the request's deadline and the service's timeout.
        """
        deadline = shorten(request.deadline, self.settings.timeout)
        told = self.settings.deadline_header
        headers = self._own_headers + tuple(
            pair for pair in request.headers if pair[0] != told
        )
        last: HTTPResponse | None = None

        async def attempt(deadline: Deadline) -> tuple[str, HTTPResponse]:
            nonlocal last
            last = None
            response = await self._transport.send(
                HTTPRequest(
                    request.method,
                    request.url,
                    deadline,
                    headers + self._tell_deadline(deadline),
                    request.body,
                    self.settings.name,
                    request.is_idempotent,
                )
            )
            if response.status >= _SERVER_ERROR or response.status == _TOO_MANY:
                last = response
                raise self._status_error(response)
            if request.check is not None:
                request.check(response)
            return str(response.status), response

        async def call(deadline: Deadline) -> HTTPResponse:
            try:
                return await self.guard.run(
                    partial(attempt, deadline),
                    endpoint=request.endpoint,
                    deadline=deadline,
                    observer=request.observer,
                    is_idempotent=request.is_idempotent,
                )
            except SourceError:
                if last is not None:
                    return last
                raise

        if not request.is_idempotent:
            return await self._write(call, deadline)
        if not request.may_share:
            return await call(deadline)
        own = self.settings.request_id_header
        shared = tuple(pair for pair in headers if pair[0] != own)
        key = (request.method, request.url, shared, request.body)
        return await self._flights.run(key, deadline, call)

    @property
    def streams(self) -> StreamTransport:
        """The connections for what is passed on as it comes; not guarded here."""
        if self._streams is None:
            self._streams = StreamTransport(read_transport_settings(self.settings))
        return self._streams

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()
        if self._streams is not None:
            await self._streams.aclose()

    async def _write(
        self, call: Callable[[Deadline], Awaitable[HTTPResponse]], deadline: Deadline
    ) -> HTTPResponse:
        """Make a call that may change things; no read from before is joined after."""
        self._flights.separate()
        try:
            return await call(deadline)
        finally:
            self._flights.separate()

    def _build_url(
        self, path: str, params: Params | None, values: Params | None
    ) -> str:
        url = self._base + (expand_template(path, values) if values else path)
        if params and (query := build_query(params)):
            url += ("&" if "?" in url else "?") + query
        return url

    def _build_headers(
        self,
        context: RequestContext,
        headers: Mapping[str, str] | None,
        *,
        has_body: bool,
    ) -> tuple[tuple[str, str], ...]:
        built = [*self._fixed_headers]
        if has_body:
            built.append(("content-type", "application/json"))
        if self._forward:
            built.extend(select_headers(context.headers, self._forward))
        if headers:
            built.extend((name.lower(), value) for name, value in headers.items())
        return tuple(built)

    def _identify(self, context: RequestContext) -> tuple[tuple[str, str], ...]:
        """Return the header that is every request's own."""
        name = self.settings.request_id_header
        if name is None or not context.request_id:
            return ()
        return ((name, context.request_id),)

    def _tell_deadline(self, deadline: Deadline) -> tuple[tuple[str, str], ...]:
        """Return the header that says what is left; it shrinks with each attempt."""
        name = self.settings.deadline_header
        if name is None:
            return ()
        return ((name, str(int(deadline.remaining() * 1000) or 1)),)

    def _read_json(self, response: HTTPResponse, missing: Any) -> JSON:
        if response.status == _NOT_FOUND and missing is not RAISE:
            return missing
        if not 200 <= response.status < 300:  # noqa: PLR2004 - the class of success
            raise self._status_error(response)
        if response.status in _NO_CONTENT:
            return None
        kind = response.headers.get("content-type", "")
        if kind != "application/json" and not _is_json(kind):
            raise self._bad_answer(response, "what is not JSON")
        try:
            return orjson.loads(response.body)
        except orjson.JSONDecodeError as error:
            raise self._bad_answer(response, "JSON that is damaged") from error

    def _bad_answer(self, response: HTTPResponse, what: str) -> SourceBadAnswerError:
        name = self.settings.name
        return SourceBadAnswerError(
            f'service "{name}" answered {what}', source=name, detail=_detail(response)
        )

    def _status_error(self, response: HTTPResponse) -> SourceError:
        name, status = self.settings.name, response.status
        kind = SourceRateLimitedError if status == _TOO_MANY else SourceError
        return kind(
            f'service "{name}" answered {status}',
            source=name,
            status=status,
            detail=_detail(response),
            retry_after=self._read_retry_after(response),
        )

    def _read_retry_after(self, response: HTTPResponse) -> float | None:
        text = response.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:10])
        try:
            at = email.utils.parsedate_to_datetime(text)
        except (TypeError, ValueError):
            return None
        return max(0.0, at.timestamp() - self._clock.time())


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.endswith(("/json", "+json"))


def _detail(response: HTTPResponse) -> str:
    return response.body[:_DETAIL_BYTES].decode("utf-8", "replace")
