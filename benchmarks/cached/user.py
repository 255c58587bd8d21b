"""Users of the example graph; rows and pages of them are kept."""

from __future__ import annotations

from datetime import datetime

import strawberry

from benchmarks.cached.hour import AS_LONG, HOUR
from graphgw import Subgraph, by, resolved, sourced
from resolvers import user as resolve
from schema.user import Address

__all__ = ["subgraph"]


@strawberry.federation.type(keys=["id"], directives=[HOUR])
class User:
    """A user's profile, without what is for some callers alone."""

    id: strawberry.ID
    name: str
    bio: str | None
    address: Address = strawberry.federation.field(directives=[AS_LONG])
    created_at: datetime


@strawberry.type
class UserConnection:
    """A page of users."""

    nodes: list[User] = sourced("items")


@strawberry.type
class Query:
    """What is asked of users."""

    user: User | None = resolved(resolve.user_by_id)
    users: UserConnection | None = resolved(resolve.users, directives=[HOUR])


subgraph = Subgraph("user", query=Query, entities={User: by("id", resolve.users_by_id)})
