"""HTTP content negotiation for GraphQL: what came in, what goes out.

See https://graphql.github.io/graphql-over-http/draft/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.errors import BadRequestError

if TYPE_CHECKING:
    from graphgw.types import Headers

__all__ = [
    "GRAPHQL_RESPONSE",
    "JSON_TYPE",
    "check_content",
    "choose_media_type",
    "prefers_html",
]

JSON_TYPE: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"


def choose_media_type(accept: str | None) -> str | None:
    """Return the answer's media type, ``None`` where none is acceptable.

    A client that names no preference gets ``application/json``.
    """
    if not accept or accept in {"*/*", JSON_TYPE}:
        return JSON_TYPE
    best: tuple[float, int] | None = None
    choice = None
    for name, quality in _accepted(accept):
        media_type = {
            GRAPHQL_RESPONSE: GRAPHQL_RESPONSE,
            JSON_TYPE: JSON_TYPE,
            "application/*": GRAPHQL_RESPONSE,
            "*/*": JSON_TYPE,
        }.get(name)
        if media_type is None or quality <= 0:
            continue
        rank = (quality, 0 if "*" in name else 1)
        if best is None or rank > best:
            best, choice = rank, media_type
    return choice


def prefers_html(accept: str | None) -> bool:
    """Tell whether a browser asks for a page."""
    if not accept or "text/html" not in accept:
        return False
    qualities = dict(_accepted(accept))
    html = qualities.get("text/html", 0.0)
    return html > 0 and html >= max(
        qualities.get(JSON_TYPE, 0.0), qualities.get(GRAPHQL_RESPONSE, 0.0)
    )


def _accepted(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        found.append((name, quality))
    return found


def check_content(headers: Headers) -> None:
    """Check that a POST body is plain UTF-8 JSON.

    Raises:
        BadRequestError: With status 415 where it is not.
    """
    content_type = headers.get("content-type")
    if content_type != JSON_TYPE:
        _check_content_type(content_type)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        raise BadRequestError("request bodies must not be compressed", status=415)


def _check_content_type(content_type: str | None) -> None:
    name, *parameters = (
        piece.strip() for piece in (content_type or "").lower().split(";", 8)
    )
    if name != JSON_TYPE:
        raise BadRequestError("content-type must be application/json", status=415)
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "charset" and value.strip(" \"'") not in {"utf-8", "utf8"}:
            raise BadRequestError("the charset must be utf-8", status=415)
