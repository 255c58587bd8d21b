"""One HTTP backend: builds requests, guards calls, reads JSON answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import orjson

from graphgw.sources.balancing.transport import BalancedStreams, BalancedTransport
from graphgw.sources.guard import Guard
from graphgw.sources.headers import select_headers
from graphgw.sources.http_answers import RAISE, AnswerReader, is_refusal
from graphgw.sources.http_caller import HTTPCall, HTTPCaller
from graphgw.sources.http_transport.origins import encode_headers, is_clean, split_url
from graphgw.sources.http_transport.settings import read_transport_settings
from graphgw.sources.http_transport.stream import StreamTransport
from graphgw.sources.urls import build_query, expand_template
from graphgw.types import SYSTEM_CLOCK, record

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable, Iterable, Mapping

    from graphgw.context import RequestContext
    from graphgw.sources.protocol import HTTPRequest, HTTPResponse, Transport
    from graphgw.sources.settings import ServiceSettings
    from graphgw.sources.urls import Params
    from graphgw.types import JSON, Clock, Deadline

__all__ = ["RAISE", "HTTPService", "PostTarget"]

T = TypeVar("T")

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_MOST_PATHS: Final = 1000


@record
class _Path:
    """What is known of a path as resolvers write it."""

    endpoint: str
    is_clean: bool


@record
class _URL:
    """What is known of a URL that others ask us to send to."""

    origin: str
    target: str
    is_plain: bool


@record
class PostTarget:
    """A URL that is posted to with the same headers each time."""

    url: str
    origin: str
    path: str
    headers: tuple[tuple[str, str], ...]
    lines: str
    endpoint: str
    is_plain: bool


class HTTPService:
    """One HTTP backend, called within its limits; equal reads in flight sent once.

    It is a ``Transport`` itself: ``send`` guards any request, ``request`` and
    ``get`` speak JSON on top. It lives as long as the gateway's connections.
    """

    __slots__ = (
        "_balanced",
        "_base",
        "_caller",
        "_fixed_headers",
        "_fixed_lines",
        "_forward",
        "_last_headers",
        "_last_lines",
        "_name",
        "_origin",
        "_own_headers",
        "_paths",
        "_read_json",
        "_reader",
        "_root",
        "_streams",
        "_urls",
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
        self._name = settings.name
        self._caller = HTTPCaller(settings, transport, self.guard, clock)
        self._reader = AnswerReader(settings.name, clock)
        self._read_json = self._reader.read_json
        self._streams: StreamTransport | BalancedStreams | None = None
        self._balanced = transport if isinstance(transport, BalancedTransport) else None
        self._base = settings.base_url.rstrip("/")
        self._origin = split_url(self._base)[0]
        self._root = self._base.removeprefix(self._origin)
        self._own_headers = tuple(
            (name.lower(), value) for name, value in settings.headers
        )
        self._fixed_headers = (("accept", "application/json"), *self._own_headers)
        self._fixed_lines = ""
        self._forward = tuple(name.lower() for name in settings.forward_headers)
        self._paths: dict[str, _Path] = {}
        self._urls: dict[str, _URL] = {}
        self._last_headers: tuple[tuple[str, str], ...] = ()
        self._last_lines = ""

    def get(
        self,
        path: str,
        context: RequestContext,
        *,
        params: Params | None = None,
        values: Params | None = None,
        headers: Mapping[str, str] | None = None,
        missing: Any = RAISE,
        as_text: bool = False,
    ) -> Coroutine[Any, Any, Any]:
        """Read JSON, ``as_text`` a ``JSONText`` of it; see ``request``."""
        known = self._paths.get(path) or self._learn(path)
        suffix = expand_template(path, values) if values else path
        if params and (query := build_query(params)):
            suffix = f"{suffix}{'&' if '?' in suffix else '?'}{query}"
        pairs, lines = self._fixed_headers, self._fixed_lines
        if not lines or self._forward or headers:
            pairs, lines = self._build_headers(context, headers)
        target = f"{self._root}{suffix}"
        read: Callable[[HTTPResponse], Any]
        read = self._reader.read_text if as_text else self._read_json
        key: Hashable | None = None
        if missing is not RAISE:
            read = partial(read, missing=missing)
        if context.noted_ages is not None:
            read = partial(_note_age, context.noted_ages, read)
        if context.may_share:
            is_usual = lines is self._fixed_lines and missing is RAISE
            key = target if is_usual else (target, lines, missing is RAISE)
        return self._caller.call(
            HTTPCall(
                "GET",
                self._origin,
                target,
                pairs,
                lines,
                b"",
                context.deadline,
                known.endpoint,
                context.observer,
                context.request_id,
                read,
                key,
                is_plain=known.is_clean,
            )
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
        if method == "GET" and json is None:
            return await self.get(
                path,
                context,
                params=params,
                values=values,
                headers=headers,
                missing=missing,
            )
        target = self._root + (expand_template(path, values) if values else path)
        if params and (query := build_query(params)):
            target += ("&" if "?" in target else "?") + query
        pairs, lines = self._build_headers(context, headers, has_body=json is not None)
        body = b"" if json is None else orjson.dumps(json)
        is_idempotent, key = method in _SAFE_METHODS, None
        if is_idempotent and context.may_share:
            key = (method, target, lines, body, missing is RAISE)
        read: Callable[[HTTPResponse], JSON] = partial(self._read_json, missing=missing)
        if context.noted_ages is not None:
            read = partial(_note_age, context.noted_ages, read)
        return await self._caller.call(
            HTTPCall(
                method,
                self._origin,
                target,
                pairs,
                lines,
                body,
                context.deadline,
                f"{method} {path.partition('?')[0]}",
                context.observer,
                context.request_id,
                read,
                key,
                is_idempotent=is_idempotent,
                is_plain=False,
            )
        )

    async def send(self, request: HTTPRequest) -> HTTPResponse:
        """Send a request within the service's limits; any status is an answer.

        A read that is answered with 429, 502, 503 or 504 is tried again first. The
        time is bounded by the request's deadline and the service's timeout.
        """
        own, told = self.settings.request_id_header, self.settings.deadline_header
        request_id = ""
        pairs = [*self._own_headers]
        for pair in request.headers:
            if pair[0] == own:
                request_id = pair[1]
            elif pair[0] != told:
                pairs.append(pair)
        headers = tuple(pairs)
        if headers != self._last_headers:
            # Most requests to a service have the headers of the one before.
            self._last_lines = encode_headers(headers, self._name)
            self._last_headers = headers
        lines = self._last_lines
        method, url, body = request.method, request.url, request.body
        known = self._urls.get(url) or self._learn_url(url)
        is_idempotent, key = request.is_idempotent, None
        if is_idempotent and request.may_share:
            key = (method, url, lines, body)
        return await self._caller.call(
            HTTPCall(
                method,
                known.origin,
                known.target,
                headers,
                lines,
                body,
                request.deadline,
                request.endpoint,
                request.observer,
                request_id,
                partial(self._check, request),
                key,
                is_idempotent=is_idempotent,
                is_plain=is_idempotent
                and known.is_plain
                and (method in _SAFE_METHODS or (method == "POST" and body != b"")),
                is_raw=True,
            )
        )

    def open_target(
        self, url: str, headers: Iterable[tuple[str, str]], endpoint: str
    ) -> PostTarget:
        """Return what ``post`` needs to know of a URL.

        Raises:
            SourceError: The headers cannot be sent.
        """
        names = self.settings.request_id_header, self.settings.deadline_header
        others = (pair for pair in headers if pair[0] not in names)
        pairs = (*self._own_headers, *others)
        known = self._urls.get(url) or self._learn_url(url)
        lines = encode_headers(pairs, self._name)
        return PostTarget(
            url, known.origin, known.target, pairs, lines, endpoint, known.is_plain
        )

    def post(
        self,
        target: PostTarget,
        body: bytes,
        context: RequestContext,
        deadline: Deadline,
        read: Callable[[HTTPResponse], T],
        *,
        is_idempotent: bool,
        may_share: bool,
    ) -> Coroutine[Any, Any, T | HTTPResponse]:
        """Post a body as ``send`` does; the context says who asks.

        ``read`` makes a value of an answer while the call is guarded. The answer
        itself is returned where nothing was made of it: it refuses the call, or is
        that of an equal call.
        """
        key = None
        if is_idempotent and may_share:
            key = ("POST", target.url, target.lines, body)
        call: HTTPCall[T | HTTPResponse] = HTTPCall(
            "POST",
            target.origin,
            target.path,
            target.headers,
            target.lines,
            body,
            deadline,
            target.endpoint,
            context.observer,
            context.request_id,
            partial(self._read_post, read),
            key,
            is_idempotent=is_idempotent,
            is_plain=is_idempotent and target.is_plain and body != b"",
            is_raw=True,
        )
        return self._caller.call(call)

    def _read_post(
        self, read: Callable[[HTTPResponse], T], response: HTTPResponse
    ) -> T:
        if is_refusal(response.status):
            raise self._reader.status_error(response)
        return read(response)

    @property
    def streams(self) -> StreamTransport | BalancedStreams:
        """The connections for what is passed on as it comes; not guarded here."""
        if self._streams is None:
            self._streams = (
                StreamTransport(read_transport_settings(self.settings))
                if self._balanced is None
                else BalancedStreams(self._balanced)
            )
        return self._streams

    @property
    def balanced(self) -> BalancedTransport | None:
        """What spreads the calls, where there may be several addresses."""
        return self._balanced

    async def aclose(self) -> None:
        """Close every connection."""
        await self._caller.transport.aclose()
        if self._streams is not None:
            await self._streams.aclose()

    def _check(self, request: HTTPRequest, response: HTTPResponse) -> HTTPResponse:
        if is_refusal(response.status):
            raise self._reader.status_error(response)
        if request.check is not None:
            request.check(response)
        return response

    def _learn(self, path: str) -> _Path:
        known = _Path(
            f"GET {path.partition('?')[0]}", path.startswith("/") and is_clean(path)
        )
        if len(self._paths) < _MOST_PATHS:
            self._paths[path] = known
        return known

    def _learn_url(self, url: str) -> _URL:
        origin, target = split_url(url)
        known = _URL(origin, target, origin == self._origin and is_clean(target))
        if len(self._urls) < _MOST_PATHS:
            self._urls[url] = known
        return known

    def _build_headers(
        self,
        context: RequestContext,
        headers: Mapping[str, str] | None,
        *,
        has_body: bool = False,
    ) -> tuple[tuple[tuple[str, str], ...], str]:
        """Return the headers that equal requests have, and as they are written."""
        built = [*self._fixed_headers]
        if has_body:
            built.append(("content-type", "application/json"))
        if self._forward:
            built.extend(select_headers(context.headers, self._forward))
        if headers:
            built.extend((name.lower(), value) for name, value in headers.items())
        lines = encode_headers(built, self._name)
        if len(built) == len(self._fixed_headers):
            self._fixed_lines = lines
        return tuple(built), lines


def _note_age(
    noted: list[tuple[str, str | None]],
    read: Callable[[HTTPResponse], JSON],
    response: HTTPResponse,
) -> JSON:
    """Read an answer, and note what it says of how long it may be kept."""
    control = response.headers.get("cache-control")
    if control is not None:
        noted.append((control, response.headers.get("age")))
    return read(response)
