"""The policy directives: their specifications and definitions in a supergraph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["POLICIES_URL", "RULES", "RULE_NAMES", "RULE_TYPES", "RuleDefinition"]

POLICIES_URL: Final = "https://graphgw.dev/policies/v0.1"
"""The specification of the directives that only this gateway has."""


@dataclass(frozen=True, slots=True)
class RuleDefinition:
    """How one policy directive is written in a supergraph.

    ``purpose`` is the link's ``for``: what must not be served without it. Types of
    the definition's own carry the prefix of their specification.
    """

    url: str
    signature: str
    purpose: str | None = None

    @property
    def spec(self) -> str:
        """The specification's own name, which is its prefix here."""
        return self.url.rsplit("/", 2)[1]


def _apollo(name: str, version: str) -> str:
    return f"https://specs.apollo.dev/{name}/{version}"


_AUTH_PLACES: Final = "OBJECT | FIELD_DEFINITION | INTERFACE | SCALAR | ENUM"
_TAG_PLACES: Final = (
    "FIELD_DEFINITION | INTERFACE | OBJECT | UNION | ARGUMENT_DEFINITION | SCALAR"
    " | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION"
)
_COST_PLACES: Final = (
    "ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT"
    " | SCALAR"
)

RULES: Final[dict[str, RuleDefinition]] = {
    "inaccessible": RuleDefinition(
        _apollo("inaccessible", "v0.2"),
        f"on {_TAG_PLACES}",
        "SECURITY",
    ),
    "tag": RuleDefinition(
        _apollo("tag", "v0.3"), f"(name: String!) repeatable on {_TAG_PLACES} | SCHEMA"
    ),
    "authenticated": RuleDefinition(
        _apollo("authenticated", "v0.1"), f"on {_AUTH_PLACES}", "SECURITY"
    ),
    "requiresScopes": RuleDefinition(
        _apollo("requiresScopes", "v0.1"),
        f"(scopes: [[requiresScopes__Scope!]!]!) on {_AUTH_PLACES}",
        "SECURITY",
    ),
    "policy": RuleDefinition(
        _apollo("policy", "v0.1"),
        f"(policies: [[policy__Policy!]!]!) on {_AUTH_PLACES}",
        "SECURITY",
    ),
    "cost": RuleDefinition(
        _apollo("cost", "v0.1"), f"(weight: Int!) on {_COST_PLACES}"
    ),
    "listSize": RuleDefinition(
        _apollo("cost", "v0.1"),
        "(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!],"
        " requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION",
    ),
    "owner": RuleDefinition(
        POLICIES_URL,
        '(field: String!, claim: String = "sub", orScopes: [[policies__Scope!]!])'
        " repeatable on OBJECT | FIELD_DEFINITION",
    ),
    "rowPolicy": RuleDefinition(
        POLICIES_URL, "(name: String!) repeatable on OBJECT | FIELD_DEFINITION"
    ),
    "allowIps": RuleDefinition(
        POLICIES_URL, "(cidrs: [String!]!) repeatable on OBJECT | FIELD_DEFINITION"
    ),
    "rateLimit": RuleDefinition(
        POLICIES_URL,
        "(limit: Int!, window: policies__Duration!,"
        " key: [policies__RateKey!] = [PRINCIPAL], keyArgs: [String!],"
        " keyClaims: [String!], cost: Int = 1, costFromArg: String, burst: Int,"
        " bucket: String, message: String) repeatable on FIELD_DEFINITION | OBJECT",
    ),
    "cacheControl": RuleDefinition(
        POLICIES_URL,
        "(maxAge: Int, scope: policies__CacheControlScope = PUBLIC,"
        " inheritMaxAge: Boolean, swr: Int, staleIfError: Int, vary: [String!])"
        " repeatable on FIELD_DEFINITION | OBJECT | INTERFACE | UNION",
    ),
    "cacheTag": RuleDefinition(
        POLICIES_URL, "(format: String!) repeatable on FIELD_DEFINITION | OBJECT"
    ),
    "cacheInvalidation": RuleDefinition(
        POLICIES_URL, "(tags: [String!]!) repeatable on FIELD_DEFINITION"
    ),
    "sunset": RuleDefinition(
        POLICIES_URL,
        "(on: String!, replacement: String, since: String) repeatable on"
        " FIELD_DEFINITION | ARGUMENT_DEFINITION | ENUM_VALUE",
    ),
}
"""Every policy directive by canonical name, in the order in which they print.

Those of our own are repeatable in a supergraph: two subgraphs may each ask for one.
"""

RULE_NAMES: Final = frozenset(RULES)
"""Canonical names of the directives that the gateway acts on."""

RULE_TYPES: Final[dict[str, str]] = {
    "requiresScopes__Scope": "scalar requiresScopes__Scope",
    "policy__Policy": "scalar policy__Policy",
    "policies__Scope": "scalar policies__Scope",
    "policies__Duration": "scalar policies__Duration",
    "policies__RateKey": (
        "enum policies__RateKey {\n  PRINCIPAL\n  IP\n  API_KEY\n  GLOBAL\n  ARGS\n"
        "  CLAIMS\n}"
    ),
    "policies__CacheControlScope": (
        "enum policies__CacheControlScope {\n  PUBLIC\n  PRIVATE\n}"
    ),
}
"""Definitions of the types that the directives' arguments have."""
