"""Origins: where a URL's connections go, and what is left for the request line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from graphgw.sources.http_transport.failures import not_sendable

if TYPE_CHECKING:
    from graphgw.sources.protocol import HTTPRequest

__all__ = ["Origin", "encode_request", "parse_origin", "split_url"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PAST_SCHEME: Final = len("https://")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_FIXED_LINES: Final = 3


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
    if default is None or not parts.hostname or not is_plain or not _is_clean(prefix):
        raise not_sendable(source, "a URL")
    authority = parts.netloc.lower()
    return Origin(parts.hostname, port or default, parts.scheme == "https", authority)


def encode_request(
    request: HTTPRequest, origin: Origin, target: str, accept_encoding: str
) -> bytes:
    """Return the request as it goes over the wire.

    Raises:
        SourceError: A value holds a line break, or the URL characters that it
            cannot have: what is sent would not be this request.
    """
    method, headers, body = request.method, request.headers, request.body
    lines = [f"{method} {target} HTTP/1.1\r\nhost: {origin.authority}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in headers]
    count = len(headers) + _FIXED_LINES
    if accept_encoding:
        lines.append(f"accept-encoding: {accept_encoding}\r\n")
        count += 1
    if body or method in _WITH_BODY:
        lines.append(f"content-length: {len(body)}\r\n")
        count += 1
    lines.append("\r\n")
    head = "".join(lines)
    if not _is_clean(target) or not method.isalpha():
        raise not_sendable(request.source, "a URL")
    if head.count("\n") != count or head.count("\r") != count or "\0" in head:
        raise not_sendable(request.source, "headers")
    try:
        encoded = head.encode("latin-1")
    except UnicodeEncodeError as error:
        raise not_sendable(request.source, "headers") from error
    return encoded + body if body else encoded


def _is_clean(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text and "#" not in text
