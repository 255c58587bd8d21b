"""GraphQL over HTTP, whoever carries the bytes: from a head and a body to an answer.

See https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from graphgw.errors import BadRequestError, BodyTooLargeError
from graphgw.operations.request import parse_graphql_parameters, parse_graphql_request
from graphgw.routes.entity_tags import revalidate
from graphgw.server.cors import allow_origin
from graphgw.server.csrf import is_forged
from graphgw.server.negotiate import JSON_TYPE, check_content, choose_media_type

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from graphgw.config.settings import ServerSettings
    from graphgw.errors import GraphGWError
    from graphgw.execution.response import GraphQLResponse
    from graphgw.gateway import Gateway
    from graphgw.operations.operation import GraphQLRequest
    from graphgw.types import Headers

    RawHeaders = Sequence[tuple[bytes, bytes]]

__all__ = [
    "Answer",
    "GraphQLHTTP",
    "RequestHead",
    "WrittenAnswer",
    "may_change",
    "read_headers",
    "write_answer",
]

WrittenAnswer: TypeAlias = tuple[int, bytes, bytes]
"""A status, header lines with their ends, and a body."""

_OK: Final = 200
_HEADER_SETS: Final = 512
_ENDS: Final = (b"\r", b"\n", b"\0")
_METHOD_NOT_ALLOWED: Final = 405
_NOT_ACCEPTABLE: Final = "accept must allow application/graphql-response+json or JSON"
_FORGED: Final = (
    "a page of another site sent this request; send JSON, or the"
    " header apollo-require-preflight"
)


class Answer(NamedTuple):
    """What is sent: ``headers`` have a content-length, and no ``connection``."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(frozen=True, slots=True)
class RequestHead:
    """What one request line and its headers come to; the same bytes, the same head.

    ``problem`` is why the request is refused whatever its body says, ``usual`` the
    first header of each answer, ``path`` that of a variant; ``None`` is the main one.
    """

    method: str
    headers: Headers = field(repr=False)
    media_type: str
    problem: GraphGWError | None
    usual: tuple[bytes, bytes]
    cross_origin: tuple[tuple[bytes, bytes], ...]
    path: str | None = None


class GraphQLHTTP:
    """Reads requests, has the gateway answer them, and writes what it answered."""

    def __init__(self, gateway: Gateway, settings: ServerSettings) -> None:
        self._gateway = gateway
        self._origins = frozenset(settings.allowed_origins)
        self._max_body_bytes = settings.max_body_bytes

    def variant_path(self, path: str) -> str | None:
        """Return the path if a variant of the graph is there."""
        return path if path in self._gateway.variant_paths else None

    def has_page(self, head: RequestHead) -> bool:
        """Tell whether GraphiQL may be shown where a request was sent to."""
        return self._gateway.has_page(head.path)

    def read_head(
        self, method: str, raw: RawHeaders, path: str | None = None
    ) -> RequestHead:
        """Return what a head asks for, or why it is refused.

        Args:
            method: The request's.
            raw: Its headers.
            path: That of a variant; ``None`` is the main one.
        """
        headers = read_headers(raw)
        media_type = choose_media_type(headers.get("accept"))
        problem: GraphGWError | None = None
        try:
            self._check(method, media_type, headers)
        except (BadRequestError, BodyTooLargeError) as error:
            problem = error
        media_type = media_type or JSON_TYPE
        return RequestHead(
            method,
            headers,
            media_type,
            problem,
            (b"content-type", f"{media_type}; charset=utf-8".encode()),
            self.cross_origin(headers),
            path,
        )

    def _check(self, method: str, media_type: str | None, headers: Headers) -> None:
        if method not in {"POST", "GET"}:
            message = f"{method} is not supported"
            raise BadRequestError(message, status=_METHOD_NOT_ALLOWED)
        if media_type is None:
            raise BadRequestError(_NOT_ACCEPTABLE, status=406)
        if is_forged(headers, self._origins):
            raise BadRequestError(_FORGED, status=403)
        if method == "POST":
            check_content(headers)
            declared = headers.get("content-length", "0")
            if not declared.isdecimal() or int(declared[:20]) > self._max_body_bytes:
                raise self.too_large()

    def too_large(self) -> BodyTooLargeError:
        """Return the refusal of a body that is larger than allowed."""
        return BodyTooLargeError(
            f"the body is larger than {self._max_body_bytes} bytes"
        )

    def read_request(self, head: RequestHead, content: bytes) -> GraphQLRequest:
        """Read the operation that is asked for.

        Args:
            head: The request's.
            content: The body of a POST, the query string of a GET.

        Raises:
            GraphGWError: It is refused for its head, or cannot be read.
        """
        if head.problem is not None:
            raise head.problem.with_traceback(None)  # it may be raised again
        if head.method == "POST":
            return parse_graphql_request(content)
        return parse_graphql_parameters(
            dict(parse_qsl(content.decode("latin-1"), keep_blank_values=True))
        )

    def handle(
        self, head: RequestHead, request: GraphQLRequest, peer: str | None
    ) -> Coroutine[Any, Any, GraphQLResponse]:
        """Have the gateway answer; ``peer`` is the address at the other end."""
        return self._gateway.handle(
            request,
            head.headers,
            peer=peer,
            allows_mutation=head.method == "POST",
            answers_json=head.media_type == JSON_TYPE,
            takes_bytes=True,
            variant=None if head.path is None else self._gateway.variant_at(head.path),
        )

    def refuse(self, head: RequestHead, error: GraphGWError) -> Answer:
        """Answer, and report, what never became a request."""
        return self.encode(head, self._gateway.refuse(error, head.headers))

    def encode(self, head: RequestHead, response: GraphQLResponse) -> Answer:
        """Return what is sent of a response."""
        body = response.encode()
        headers = [head.usual, (b"content-length", b"%d" % len(body))]
        if response.status == _METHOD_NOT_ALLOWED:
            headers.append((b"allow", b"GET, POST"))
        if response.headers:
            headers += _encode_headers(response.headers)
        if head.cross_origin:
            headers += head.cross_origin
        answer = Answer(response.status, headers, body)
        if head.method == "GET" and response.status == _OK and not response.errors:
            return Answer(*revalidate(answer, head.headers))
        return answer

    def write(self, head: RequestHead, response: GraphQLResponse) -> WrittenAnswer:
        """Return what is sent of a response, its headers as they are written."""
        status = response.status
        if head.method != "POST" or status == _METHOD_NOT_ALLOWED:
            return write_answer(self.encode(head, response))
        body = response.encode()
        lines = _join_lines(head.usual, response.headers, head.cross_origin)
        return status, b"%bcontent-length: %d\r\n" % (lines, len(body)), body

    def cross_origin(self, headers: Headers) -> tuple[tuple[bytes, bytes], ...]:
        """Return the headers that tell a browser whose pages may read the answer."""
        return allow_origin(headers, self._origins)


def write_answer(answer: Answer) -> WrittenAnswer:
    """Return an answer with its headers as they are written."""
    status, headers, body = answer
    return status, b"".join([b"%b: %b\r\n" % pair for pair in headers]), body


def may_change(request: GraphQLRequest) -> bool:
    """Tell whether a request may be a mutation.

    One that is runs to its end also when nobody waits for it any more.
    """
    return request.query is None or "mutation" in request.query


@functools.lru_cache(maxsize=_HEADER_SETS)
def _encode_headers(headers: tuple[tuple[str, str], ...]) -> RawHeaders:
    """Return headers as bytes, without what would end a line and begin another."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return [
        pair for pair in raw if not any(end in part for part in pair for end in _ENDS)
    ]


@functools.lru_cache(maxsize=_HEADER_SETS)
def _join_lines(
    usual: tuple[bytes, bytes],
    headers: tuple[tuple[str, str], ...],
    cross_origin: tuple[tuple[bytes, bytes], ...],
) -> bytes:
    """Return what stands in a head beside status and length, as it is written."""
    pairs = (usual, *_encode_headers(headers), *cross_origin)
    return b"".join([b"%b: %b\r\n" % pair for pair in pairs])


def read_headers(raw: RawHeaders) -> dict[str, str]:
    """Return headers by name; one that came in several lines is one list."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return headers if len(headers) == len(raw) else _join_headers(raw)


def _join_headers(raw: RawHeaders) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        before = headers.get(name)
        separator = "; " if name == "cookie" else ", "
        headers[name] = value if before is None else f"{before}{separator}{value}"
    return headers
