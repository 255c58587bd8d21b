"""Paths and methods that nothing answers, as problem details."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from graphgw.errors import BadRequestError
from graphgw.routes.headers import read_headers
from graphgw.routes.problem import PROBLEM_TYPE, describe_problem
from graphgw.server.cors import allow_origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.types import ExceptionHandler

    from graphgw.gateway import Gateway

__all__ = ["miss_handlers"]

_NOT_FOUND: Final = "there is nothing at this path"


def miss_handlers(gateway: Gateway) -> Mapping[type[Exception], ExceptionHandler]:
    """Return what Starlette answers its own refusals with.

    Args:
        gateway: Names requests, and the origins whose pages may read the answer.
    """
    return {HTTPException: partial(_answer, gateway)}


async def _answer(gateway: Gateway, request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = read_headers(request.scope["headers"])
    problem = describe_problem(
        BadRequestError(_say(error, request.method), status=error.status_code),
        gateway.request_id(headers),
    )
    answer = Response(problem.encode(), problem.status, error.headers)
    answer.headers["content-type"] = PROBLEM_TYPE
    answer.headers["cache-control"] = "no-store"
    origins = frozenset(gateway.settings.server.allowed_origins)
    for name, value in allow_origin(headers, origins):
        answer.headers.append(name.decode("latin-1"), value.decode("latin-1"))
    return answer


def _say(error: HTTPException, method: str) -> str:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return _NOT_FOUND
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{method} is not supported here"
    return error.detail
