"""The user subgraph: who the shop's customers are."""

from __future__ import annotations

from datetime import datetime

import strawberry

from graphgw import Subgraph, by, computed, embedded, resolved, sourced
from graphgw.directives import (
    Authenticated,
    CacheControl,
    CacheInvalidation,
    CacheTag,
    ListSize,
    Owner,
    RateLimit,
    RequiresScopes,
    Sunset,
)
from resolvers import user as resolve
from schema.shared import MOBILE, PageInfo, edges_of

__all__ = ["subgraph"]


@strawberry.type(description="Where parcels go.")
class Address:
    """A postal address."""

    street: str
    city: str
    postal_code: str
    country: str


@strawberry.federation.type(
    keys=["id"],
    description="A customer of the shop.",
    directives=[CacheControl(max_age=30), CacheTag(format="user-{$key.id}")],
)
class User:
    """A user's profile."""

    id: strawberry.ID = strawberry.federation.field(directives=[MOBILE])
    name: str = strawberry.federation.field(directives=[MOBILE])
    email: str | None = strawberry.federation.field(
        description="Only the user's own, or with the scope `users:contact`.",
        directives=[MOBILE, Owner(field="id", or_scopes=[["users:contact"]])],
    )
    phone: str | None = strawberry.federation.field(
        directives=[RequiresScopes(scopes=[["users:contact"]])]
    )
    bio: str | None
    address: Address
    created_at: datetime
    registered_at: datetime = sourced(
        "created_at",
        description="When the user joined, by its old name.",
        directives=[
            Sunset(on="2027-06-30", since="2026-09-01", replacement="User.createdAt")
        ],
    )


@strawberry.type(description="A user in a list, and the cursor after it.")
class UserEdge:
    """A user and the cursor that stands for it."""

    cursor: strawberry.ID
    node: User


@strawberry.type(description="A page of users.")
class UserConnection:
    """Some users, and how to ask for more."""

    nodes: list[User] = sourced("items")
    edges: list[UserEdge] = computed(edges_of, reads=("items",))
    page_info: PageInfo = embedded(has_more="has_more", end_cursor="next_cursor")
    total_count: int = sourced("total")


@strawberry.type
class Query:
    """What can be asked of users."""

    user: User | None = resolved(
        resolve.user_by_id, description="One user.", directives=[MOBILE]
    )
    users: UserConnection | None = resolved(
        resolve.users,
        description="Users by the time they joined; `search` looks in names.",
        directives=[
            ListSize(slicing_arguments=["first"], sized_fields=["nodes", "edges"])
        ],
    )
    me: User | None = resolved(
        resolve.me, description="Who is asking.", directives=[MOBILE, Authenticated()]
    )


@strawberry.type
class Mutation:
    """What can be changed about users."""

    update_profile: User | None = resolved(
        resolve.update_profile,
        description="Change a profile.",
        directives=[
            Authenticated(),
            RateLimit(limit=30, window="1m"),
            CacheInvalidation(tags=["user-{$args.id}"]),
        ],
    )


subgraph = Subgraph(
    "user",
    query=Query,
    mutation=Mutation,
    entities={User: by("id", resolve.users_by_id)},
)
