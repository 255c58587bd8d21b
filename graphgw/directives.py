"""The policies as Strawberry schema directives: what a schema's authors write.

Federation's own directives keep their names and meaning there; those of graphgw
travel through composition under ``@link(url: "https://graphgw.dev/policies/v0.1")``.
An argument that is left out does not print and takes the default given here.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, Final

import strawberry
from strawberry import UNSET
from strawberry.federation.schema_directive import Location, schema_directive
from strawberry.federation.schema_directives import (
    Authenticated,
    Cost,
    FederationDirective,
    ImportedFrom,
    Inaccessible,
    Policy,
    RequiresScopes,
    Tag,
)
from strawberry.schema_directive import schema_directive as plain_directive

from graphgw.federation.rule_definitions import POLICIES_URL

__all__ = [
    "AllowIps",
    "Authenticated",
    "CacheControl",
    "CacheInvalidation",
    "CacheScope",
    "CacheTag",
    "Cost",
    "Inaccessible",
    "ListSize",
    "Owner",
    "Policy",
    "RateKey",
    "RateLimit",
    "RequiresScopes",
    "RowPolicy",
    "Sunset",
    "Tag",
]

_FIELD_OR_TYPE: Final = [Location.FIELD_DEFINITION, Location.OBJECT]


@strawberry.enum(name="policies__RateKey")
class RateKey(Enum):
    """What callers are told apart by when they draw from a bucket."""

    PRINCIPAL = "PRINCIPAL"
    """The API key or subject; the address of an anonymous caller."""
    IP = "IP"
    API_KEY = "API_KEY"
    GLOBAL = "GLOBAL"
    """One bucket for all callers."""
    ARGS = "ARGS"
    """The arguments named in ``key_args``, or all of them."""
    CLAIMS = "CLAIMS"
    """The claims named in ``key_claims``."""


@strawberry.enum(name="policies__CacheControlScope")
class CacheScope(Enum):
    """Who may share a cached value."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"


@schema_directive(
    locations=_FIELD_OR_TYPE,
    name="owner",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class Owner:
    """Only the row's owner may have it: ``field`` must equal the caller's claim.

    A caller with one of ``or_scopes`` (outer OR, inner AND) may have every row.
    """

    field: str
    claim: str | None = UNSET
    or_scopes: list[list[str]] | None = UNSET


@schema_directive(
    locations=_FIELD_OR_TYPE,
    name="rowPolicy",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class RowPolicy:
    """A Python function decides for each row who may have it."""

    name: str


@schema_directive(
    locations=_FIELD_OR_TYPE,
    name="allowIps",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class AllowIps:
    """Only callers from these networks, such as ``10.0.0.0/8``, may have it."""

    cidrs: list[str]


@schema_directive(
    locations=_FIELD_OR_TYPE,
    name="rateLimit",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class RateLimit:
    """At most ``limit`` uses in each ``window`` (``10s``, ``1m``, ``2h``, ``1d``).

    ``burst`` uses may come at once (``limit`` by default). ``cost`` is what one use
    takes, ``cost_from_arg`` names the argument that says so instead. Fields with the
    same ``bucket`` draw from one. Every alias is a use.
    """

    limit: int
    window: str
    key: list[RateKey] | None = UNSET
    key_args: list[str] | None = UNSET
    key_claims: list[str] | None = UNSET
    cost: int | None = UNSET
    cost_from_arg: str | None = UNSET
    burst: int | None = UNSET
    bucket: str | None = UNSET
    message: str | None = UNSET


@plain_directive(
    locations=[Location.FIELD_DEFINITION], name="listSize", print_definition=False
)
class ListSize(FederationDirective):
    """How many items a list has, for the estimate of an operation's cost.

    ``slicing_arguments`` name the arguments that bound the list, ``sized_fields``
    the lists below it that they bound instead.
    """

    assumed_size: int | None = UNSET
    slicing_arguments: list[str] | None = UNSET
    sized_fields: list[str] | None = UNSET
    require_one_slicing_argument: bool | None = UNSET
    imported_from: ClassVar[ImportedFrom] = ImportedFrom(name="listSize")
    minimum_version: ClassVar[tuple[int, int]] = (2, 9)


@schema_directive(
    locations=[
        Location.FIELD_DEFINITION,
        Location.OBJECT,
        Location.INTERFACE,
        Location.UNION,
    ],
    name="cacheControl",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class CacheControl:
    """A value may be kept for ``max_age`` seconds.

    On a type: its entity loader's rows; on a batched or root field: that loader's
    rows; on a plain field it only lowers the age of the answer. For ``swr`` seconds
    more a stale value serves while one refresh runs, for ``stale_if_error`` seconds
    while the source fails. ``vary`` names headers that change the value.
    """

    max_age: int | None = UNSET
    scope: CacheScope | None = UNSET
    inherit_max_age: bool | None = UNSET
    swr: int | None = UNSET
    stale_if_error: int | None = UNSET
    vary: list[str] | None = UNSET


@schema_directive(
    locations=_FIELD_OR_TYPE,
    name="cacheTag",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class CacheTag:
    """Names cached values, so that they can be dropped together.

    ``format`` may hold ``{$key.id}`` and ``{$args.first}``.
    """

    format: str


@schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cacheInvalidation",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class CacheInvalidation:
    """This mutation drops the cached values that have these tags.

    A tag may hold ``{$args.id}``.
    """

    tags: list[str]


@schema_directive(
    locations=[
        Location.FIELD_DEFINITION,
        Location.ARGUMENT_DEFINITION,
        Location.ENUM_VALUE,
    ],
    name="sunset",
    repeatable=True,
    compose=True,
    import_url=POLICIES_URL,
)
class Sunset:
    """This element goes away on a day, such as ``2027-01-31``.

    ``replacement`` is the coordinate of what to use instead, such as ``Order.total``;
    ``since`` is the day since when it is deprecated.
    """

    on: str
    replacement: str | None = UNSET
    since: str | None = UNSET
