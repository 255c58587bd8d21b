"""Users, from the REST service ``user``."""

from __future__ import annotations

from typing import Any

import strawberry

from graphgw import JSONText, RequestContext, loader, rest_source
from resolvers.ownership import check_owner
from resolvers.refusals import tell_refusals

__all__ = ["ProfileInput", "me", "update_profile", "user_by_id", "users", "users_by_id"]

service = rest_source("user")


@strawberry.input(description="What a user may change; what is left out stays.")
class ProfileInput:
    """The arguments of ``updateProfile``."""

    name: str | None = strawberry.UNSET
    email: str | None = strawberry.UNSET
    bio: str | None = strawberry.UNSET


@loader(max_batch=200, shared=True)
async def users_by_id(
    user_ids: list[str], context: RequestContext
) -> list[dict[str, Any] | None]:
    """Get users by their ids, ``None`` where there is none."""
    reply = await service.get("/users", context, params={"ids": ",".join(user_ids)})
    found = {row["id"]: row for row in reply["items"]}
    return [found.get(user_id) for user_id in user_ids]


async def user_by_id(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> dict[str, Any] | None:
    """Get one user."""
    row: dict[str, Any] | None = await context.load(users_by_id, id)
    return row


async def me(context: RequestContext) -> dict[str, Any] | None:
    """Get the user who is asking."""
    subject = context.principal.subject
    if subject is None:
        return None
    return await user_by_id(context, id=strawberry.ID(subject))


async def users(
    context: RequestContext,
    *,
    first: int = 20,
    after: strawberry.ID | None = None,
    search: str | None = None,
) -> JSONText:
    """List users, a page at a time."""
    params = {"limit": first, "after": after, "search": search}
    with tell_refusals():
        return await service.get_text("/users", context, params=params)


async def update_profile(
    context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
    profile: ProfileInput,
) -> dict[str, Any]:
    """Change what users tell about themselves.

    Users change their own profile; ``users:write`` changes any.
    """
    check_owner(context, id, "users:write")
    changes = {
        name: value
        for name, value in vars(profile).items()
        if value is not strawberry.UNSET
    }
    with tell_refusals():
        row: dict[str, Any] = await service.patch(
            "/users/{id}", context, values={"id": id}, json=changes
        )
    return row
