"""What is told of variants: several graphs for several kinds of clients."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from graphgw.errors import Problem
from graphgw.federation.contract_filter import ContractFilter
from graphgw.federation.sunset import parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.operations.settings import LimitSettings

__all__ = [
    "VariantAddresses",
    "VariantLimits",
    "VariantSettings",
    "find_variant_problems",
]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PATH: Final = re.compile(r"/[A-Za-z0-9_.~/-]*")
_RESERVED: Final = re.compile(r"/|/health|/metrics|/cache/invalidate|/graphiql(/.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantLimits:
    """Limits on documents of one variant; what is not given is as for all."""

    document_bytes: int | None = None
    tokens: int | None = None
    depth: int | None = None
    aliases: int | None = None
    root_fields: int | None = None
    directives: int | None = None
    expanded_selections: int | None = None

    def apply(self, limits: LimitSettings) -> LimitSettings:
        """Return the limits with those of the variant in their place."""
        given = {item.name: getattr(self, item.name) for item in fields(self)}
        return replace(limits, **{k: v for k, v in given.items() if v is not None})


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantAddresses:
    """Networks that may use a variant, or may not, beside those for the gateway."""

    allow: tuple[str, ...] = ()
    """Empty allows every address that is not denied."""
    deny: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantSettings:
    """One variant: the part of the graph that it shows, and for whom.

    All variants are one supergraph behind one set of connections; each has an API
    schema, documents and plans of its own.
    """

    name: str
    path: str | None = None
    """Where it is served; ``/NAME/graphql`` by default."""
    include: tuple[str, ...] = ()
    """Tags of what it shows; empty for everything that is not excluded."""
    exclude: tuple[str, ...] = ()
    """Tags of what it does not show."""
    hides_unreachable: bool = True
    """Whether types go to which none of its fields leads."""
    limits: VariantLimits = field(default_factory=VariantLimits)
    max_age: int | None = None
    """The most seconds that its answers may be kept by clients and caches."""
    has_introspection: bool = True
    has_graphiql: bool = True
    """Whether GraphiQL is at its path, if the server has it at all."""
    addresses: VariantAddresses = field(default_factory=VariantAddresses)
    scopes: tuple[str, ...] = ()
    """Scopes that its callers need, all of them."""
    deprecated: str | None = None
    """The day since when clients should leave it."""
    sunset: str | None = None
    """The day on which it goes."""
    replacement: str | None = None
    """The variant to use instead."""

    @property
    def graphql_path(self) -> str:
        """The path at which it is served."""
        return self.path or f"/{self.name}/graphql"

    @property
    def contract(self) -> ContractFilter:
        """The filter that its API schema comes through."""
        return ContractFilter(
            include=self.include,
            exclude=self.exclude,
            hides_unreachable=self.hides_unreachable,
        )


def find_variant_problems(variants: Sequence[VariantSettings]) -> Iterator[Problem]:
    """Yield everything that is wrong with variants, each and beside each other."""
    paths: dict[str, str] = {}
    names = {variant.name for variant in variants}
    for variant in variants:
        where = f"variants.{variant.name}"
        yield from _check_variant(variant, where)
        path = variant.graphql_path
        if path in paths:
            message = f'"{path}" is the path of "{paths[path]}" already'
            yield Problem(message, f"{where}.path", "give each a path of its own")
        paths[path] = variant.name
        if variant.replacement is not None and variant.replacement not in names:
            message = f'there is no variant "{variant.replacement}"'
            yield Problem(message, f"{where}.replacement", "name one of variants")


def _check_variant(variant: VariantSettings, where: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(variant.name):
        mend = "use letters, digits, and _ . - within it"
        yield Problem("this is no name for a variant", where, mend)
    elif not _PATH.fullmatch(variant.graphql_path):
        mend = f"write it as /{variant.name}/graphql"
        yield Problem('must be a path that starts with "/"', f"{where}.path", mend)
    elif _RESERVED.fullmatch(variant.graphql_path):
        mend = f"write it as /{variant.name}/graphql"
        yield Problem("is a path of the gateway itself", f"{where}.path", mend)
    for name in ("deprecated", "sunset"):
        text = getattr(variant, name)
        if text is not None:
            try:
                parse_moment(text)
            except ValueError as error:
                yield Problem(str(error), f"{where}.{name}", "write it as 2027-01-31")
    for name in ("allow", "deny"):
        for cidr in getattr(variant.addresses, name):
            try:
                ip_network(cidr, strict=False)
            except ValueError:
                message = f'"{cidr}" is not an address or network'
                yield Problem(message, f"{where}.addresses.{name}")
