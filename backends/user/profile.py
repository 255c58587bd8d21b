"""Check what a user wants to change about the profile."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson

from backends.rest import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_profile"]

MAX_NAME = 100
MAX_EMAIL = 254
MAX_BIO = 500
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")


def check_profile(body: bytes) -> dict[str, str | None]:
    """Read the changes from a JSON body, with surrounding white space removed.

    Raises:
        ProblemError: If the body is not a JSON object, or names every field in it
            that is wrong.
    """
    try:
        profile = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(
            HTTPStatus.BAD_REQUEST, "The body is not valid JSON."
        ) from error
    if not isinstance(profile, dict):
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The body is not a JSON object."
        )
    changes: dict[str, str | None] = {}
    errors: dict[str, str] = {}
    for name, value in profile.items():
        text = value.strip() if isinstance(value, str) else value
        problem = _FIELDS[name](text) if name in _FIELDS else "cannot be changed"
        if problem:
            errors[name] = problem
        else:
            changes[name] = text
    if errors:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "The profile cannot be saved.", errors
        )
    return changes


def _find_name_problem(value: object) -> str | None:
    if isinstance(value, str) and 0 < len(value) <= MAX_NAME:
        return None
    return f"has to be 1 to {MAX_NAME} characters"


def _find_email_problem(value: object) -> str | None:
    if isinstance(value, str) and len(value) <= MAX_EMAIL and _EMAIL.fullmatch(value):
        return None
    return "is not an e-mail address"


def _find_bio_problem(value: object) -> str | None:
    if value is None or (isinstance(value, str) and len(value) <= MAX_BIO):
        return None
    return f"has to be null or at most {MAX_BIO} characters"


_FIELDS: dict[str, Callable[[object], str | None]] = {
    "name": _find_name_problem,
    "email": _find_email_problem,
    "bio": _find_bio_problem,
}
