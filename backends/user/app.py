"""The user service's routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.routing import Route

from backends.data.users import EmailTakenError, User, UserRepository
from backends.rest import (
    ProblemError,
    answer_json,
    answer_page,
    answer_rows,
    create_rest_app,
    note_call,
    read_ids,
    read_limit,
    refuse_large_batch,
    refuse_unknown_parameters,
)
from backends.user.profile import check_profile

if TYPE_CHECKING:
    import sqlite3

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from backends.calls import CallLog

__all__ = ["create_app"]


def create_app(connection: sqlite3.Connection, calls: CallLog) -> Starlette:
    """Make the service over one database."""
    service = _UserService(UserRepository(connection), calls)
    return create_rest_app(
        [
            Route("/users", service.list_users, methods=["GET"]),
            Route("/users/{id}", service.get_user, methods=["GET"]),
            Route("/users/{id}", service.change_user, methods=["PATCH"]),
        ],
        calls,
    )


class _UserService:
    def __init__(self, users: UserRepository, calls: CallLog) -> None:
        self._users = users
        self._calls = calls

    async def list_users(self, request: Request) -> Response:
        if "ids" in request.query_params:
            return await self._get_users(request)
        search = request.query_params.get("search", "")
        endpoint = "GET /users?search" if search else "GET /users"
        await note_call(self._calls, request, endpoint)
        refuse_unknown_parameters(request, ["limit", "after", "search"])
        page = self._users.page(
            limit=read_limit(request),
            after=request.query_params.get("after"),
            search=search,
        )
        return answer_page(page)

    async def _get_users(self, request: Request) -> Response:
        ids = read_ids(request)
        await note_call(self._calls, request, "GET /users?ids", keys=len(ids))
        refuse_unknown_parameters(request, ["ids"])
        refuse_large_batch(ids)
        return answer_rows(self._users.get_many(ids))

    async def get_user(self, request: Request) -> Response:
        await note_call(self._calls, request, "GET /users/{id}", keys=1)
        user_id = request.path_params["id"]
        return answer_json(_found(self._users.get(user_id), user_id))

    async def change_user(self, request: Request) -> Response:
        await note_call(self._calls, request, "PATCH /users/{id}", keys=1)
        user_id = request.path_params["id"]
        changes = check_profile(await request.body())
        try:
            user = self._users.update(user_id, changes)
        except EmailTakenError as error:
            raise ProblemError(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "The profile cannot be saved.",
                {"email": "belongs to another user"},
            ) from error
        return answer_json(_found(user, user_id))


def _found(user: User | None, user_id: str) -> User:
    if user is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, f'There is no user "{user_id}".')
    return user
