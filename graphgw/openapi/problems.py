"""Problem details (RFC 9457) as components of the document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.routes.problem import PROBLEM_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.types import JSONObject

__all__ = ["PROBLEM_SCHEMAS", "WARNINGS", "problem_responses", "refer_problems"]

_TEXTS: Final = {
    "400": ("BadRequest", "The request is wrong; `errors` says what."),
    "401": ("Unauthenticated", "The caller must be known."),
    "403": ("Forbidden", "The caller may not have this."),
    "404": ("NotFound", "There is nothing here."),
    "409": ("Conflict", "The request does not fit what is there."),
    "410": ("Gone", "This is not offered any more."),
    "413": ("TooLarge", "The body is too large."),
    "415": ("UnsupportedMediaType", "The body has a type that is not read here."),
    "422": ("Unprocessable", "The request's content is wrong."),
    "429": ("RateLimited", "Too many requests; `Retry-After` says when to come back."),
    "4XX": ("ClientProblem", "Something else is wrong with the request."),
    "5XX": ("ServerProblem", "The gateway or a service behind it failed."),
}

_PATH: Final[JSONObject] = {
    "type": "array",
    "items": {"type": ["string", "integer"]},
    "description": "Where in the answer it happened.",
}
# No type of a graph can have these names.
PROBLEM_SCHEMAS: Final[JSONObject] = {
    "problem-details": {
        "type": "object",
        "description": "What went wrong; see RFC 9457.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "The request's id."},
            "code": {"type": "string", "description": "What programs go by."},
            "errors": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/problem-part"},
            },
            "details": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"@type": {"type": "string"}},
                    "required": ["@type"],
                },
                "description": "What a gRPC service tells of it, as google.rpc has it.",
            },
        },
        "required": ["type", "title", "status", "detail", "instance", "code"],
    },
    "problem-part": {
        "type": "object",
        "description": "One thing that went wrong.",
        "properties": {
            "message": {"type": "string"},
            "code": {"type": "string"},
            "path": _PATH,
        },
        "required": ["message", "code"],
    },
}
WARNINGS: Final[JSONObject] = {
    "type": "array",
    "items": {"$ref": "#/components/schemas/problem-part"},
    "description": "What is missing from this answer, and why.",
}
_HEADERS: Final[JSONObject] = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "429": {"Retry-After": {"schema": {"type": "integer"}}},
}


def problem_responses() -> JSONObject:
    """Return all answers that are problems, by name."""
    return {
        name: {
            "description": text,
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
            "content": {
                PROBLEM_TYPE: {
                    "schema": {"$ref": "#/components/schemas/problem-details"}
                }
            },
        }
        for status, (name, text) in _TEXTS.items()
    }


def refer_problems(statuses: Iterable[str]) -> JSONObject:
    """Return the answers of an operation that are problems, by status."""
    found: JSONObject = {}
    for status in sorted(set(statuses)):
        name = _TEXTS[status if status in _TEXTS else f"{status[0]}XX"][0]
        found[status] = {"$ref": f"#/components/responses/{name}"}
    return found
