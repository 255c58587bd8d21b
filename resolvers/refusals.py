"""What a service refuses for the client's input, in words for the client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from graphgw import ResolverError, SourceError

__all__ = ["tell_refusals"]

_BY_INPUT = frozenset((404, 422, "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS"))


@contextlib.contextmanager
def tell_refusals() -> Iterator[None]:
    """Pass a service's own words on where the client can mend what is wrong.

    By default clients do not see what a backend says: it may be meant for others.
    These services are ours, and what they say of an input is meant for its author.
    """
    try:
        yield
    except SourceError as error:
        if error.status not in _BY_INPUT or not error.detail:
            raise
        words = _words(error.detail)
        raise ResolverError(words, code="BAD_USER_INPUT") from error


def _words(detail: str) -> str:
    """Return what a problem document says, or the text of a gRPC status."""
    try:
        problem = json.loads(detail)
        said: str = problem["detail"]
        wrong = [
            f"{item['field']} {item['message']}"
            for item in problem.get("errors", ())
            if item["message"] not in said
        ]
    except (ValueError, KeyError, TypeError):
        return detail
    return f"{said} {'; '.join(wrong)}".rstrip()
