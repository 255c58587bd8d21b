"""Origins: where a URL's connections go, and what is left for the request line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from graphgw.sources.http_transport.failures import not_sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphgw.sources.protocol import HTTPRequest

__all__ = [
    "Origin",
    "encode_headers",
    "encode_origin",
    "encode_request",
    "is_clean",
    "parse_origin",
    "split_url",
]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PAST_SCHEME: Final = len("https://")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


@dataclass(frozen=True, slots=True)
class Origin:
    """One server: scheme, host and port; ``authority`` goes into ``host``."""

    host: str
    port: int
    is_tls: bool
    authority: str


def split_url(url: str) -> tuple[str, str]:
    """Split an absolute URL before its path: ``("http://host:80", "/path?query")``."""
    at = url.find("/", _PAST_SCHEME)
    return (url[:at], url[at:]) if at > 0 else (url, "/")


def parse_origin(prefix: str, source: str) -> Origin:
    """Read the part of a URL before its path.

    Raises:
        SourceError: It is not scheme, host and port alone.
    """
    try:
        parts = urlsplit(prefix)
        port = parts.port
    except ValueError as error:
        raise not_sendable(source, "a URL") from error
    default = _DEFAULT_PORTS.get(parts.scheme)
    is_plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if default is None or not parts.hostname or not is_plain or not is_clean(prefix):
        raise not_sendable(source, "a URL")
    authority = parts.netloc.lower()
    return Origin(parts.hostname, port or default, parts.scheme == "https", authority)


def encode_request(request: HTTPRequest, origin_head: str, target: str) -> bytes:
    """Return the request as it goes over the wire.

    Args:
        request: What is sent.
        origin_head: The headers that all requests to the origin have.
        target: What of its URL goes into the request line.

    Raises:
        SourceError: A value holds a line break, or the URL characters that it
            cannot have: what is sent would not be this request.
    """
    method, body, source = request.method, request.body, request.source
    if not is_clean(target) or not method.isalpha():
        raise not_sendable(source, "a URL")
    headers = encode_headers(request.headers, source)
    if body or method in _WITH_BODY:
        headers += f"content-length: {len(body)}\r\n"
    head = f"{method} {target} HTTP/1.1\r\n{origin_head}{headers}\r\n"
    encoded = head.encode("latin-1")
    return encoded + body if body else encoded


def encode_headers(headers: Sequence[tuple[str, str]], source: str) -> str:
    """Return header lines, each with its end.

    Raises:
        SourceError: A name or a value is none that can be sent.
    """
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    count = len(headers)
    if text.count("\n") != count or text.count("\r") != count or "\0" in text:
        raise not_sendable(source, "headers")
    if not text.isascii():
        try:
            text.encode("latin-1")
        except UnicodeEncodeError as error:
            raise not_sendable(source, "headers") from error
    return text


def encode_origin(origin: Origin, accept_encoding: str) -> str:
    """Return the header lines that all requests to an origin have."""
    accept = f"accept-encoding: {accept_encoding}\r\n" if accept_encoding else ""
    return f"host: {origin.authority}\r\n{accept}"


def is_clean(text: str) -> bool:
    """Tell whether a text can stand in a URL as it is."""
    return text.isascii() and text.isprintable() and " " not in text and "#" not in text
