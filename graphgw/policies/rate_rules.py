"""``@rateLimit`` as data, and the buckets that a selection draws from."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import orjson

from graphgw.errors import Problem
from graphgw.stores.protocol import Bucket
from graphgw.types import Principal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.federation.supergraph import AppliedDirective, Supergraph
    from graphgw.types import JSONObject, Quota

__all__ = [
    "RateRule",
    "RateRules",
    "bucket_of",
    "parse_duration",
    "print_duration",
    "quota_rule",
]

_DURATION: Final = re.compile(r"(\d{1,9})(ms|s|m|h|d)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_KEYS: Final = frozenset(("PRINCIPAL", "IP", "API_KEY", "GLOBAL", "ARGS", "CLAIMS"))
_QUOTA: Final = "api-key"
_PRINCIPAL_ALONE: Final = ("PRINCIPAL",)
_NO_SCOPES: Final[frozenset[str]] = frozenset()
_MAX_COST: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RateRule:
    """One ``@rateLimit``; ``bucket`` is its name, ``window`` is in seconds."""

    bucket: str
    limit: int
    window: float
    burst: int
    keys: tuple[str, ...] = ("PRINCIPAL",)
    key_args: tuple[str, ...] = ()
    key_claims: tuple[str, ...] = ()
    cost: int = 1
    cost_from_arg: str | None = None
    message: str | None = field(default=None, compare=False)

    @property
    def needs_arguments(self) -> bool:
        """Tell whether the arguments of the field matter."""
        return self.cost_from_arg is not None or "ARGS" in self.keys

    def cost_of(self, arguments: JSONObject) -> int:
        """Return how many uses one selection takes."""
        if self.cost_from_arg is None:
            return self.cost
        given = arguments.get(self.cost_from_arg)
        if isinstance(given, bool) or not isinstance(given, int | float):
            return self.cost
        return max(1, min(int(given), _MAX_COST)) * self.cost


class RateRules:
    """Answers which rate limits a selection draws from.

    A limit on a type counts for fields that return it; on an interface or union the
    limits of every type that may be met there count.
    """

    def __init__(self, supergraph: Supergraph) -> None:
        self._supergraph = supergraph
        self._known: dict[tuple[str, str], tuple[RateRule, ...]] = {}
        self.problems: list[Problem] = []
        self._declared = {
            coordinate: rules
            for coordinate, applied in supergraph.rules.items()
            if (rules := tuple(self._read(coordinate, applied)))
        }
        self._check_shared_buckets()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is no limit at all."""
        return not self._declared

    def of(self, type_name: str, field_name: str) -> tuple[RateRule, ...]:
        """Return the limits of a field as it is selected on a type."""
        key = (type_name, field_name)
        found = self._known.get(key)
        if found is None:
            found = tuple(dict.fromkeys(self._collect(type_name, field_name)))
            self._known[key] = found
        return found

    def _collect(self, type_name: str, field_name: str) -> Iterator[RateRule]:
        supergraph = self._supergraph
        names = dict.fromkeys((type_name, *supergraph.possible_types(type_name)))
        for name in names:
            definition = supergraph.types.get(name)
            if definition is None:
                continue
            for interfaces in ((name,), *definition.interfaces.values()):
                for owner in interfaces:
                    yield from self._declared.get(f"{owner}.{field_name}", ())
            returned = definition.fields.get(field_name)
            if returned is not None:
                yield from self._declared.get(returned.named_type, ())
                for target in supergraph.possible_types(returned.named_type):
                    yield from self._declared.get(target, ())

    def _read(
        self, coordinate: str, applied: tuple[AppliedDirective, ...]
    ) -> Iterator[RateRule]:
        for directive in applied:
            if directive.name != "rateLimit":
                continue
            try:
                yield _rule(coordinate, directive.arguments)  # type: ignore[arg-type]  # a mapping
            except (TypeError, ValueError) as error:
                self.problems.append(Problem(f"@rateLimit: {error}", coordinate))

    def _check_shared_buckets(self) -> None:
        known: dict[str, RateRule] = {}
        for coordinate, rules in self._declared.items():
            for rule in rules:
                first = known.setdefault(rule.bucket, rule)
                if (first.limit, first.window, first.burst) != (
                    rule.limit,
                    rule.window,
                    rule.burst,
                ):
                    message = f'bucket "{rule.bucket}" has another limit elsewhere'
                    self.problems.append(Problem(message, coordinate))


def parse_duration(text: object) -> float:
    """Return the seconds of a duration such as ``90s``, ``1m``, ``2h`` or ``1d``.

    Raises:
        ValueError: It is no duration, or none at all.
    """
    found = _DURATION.fullmatch(text) if isinstance(text, str) else None
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise ValueError(f"{text!r} is not a duration such as 30s, 1m, 2h or 1d")
    return seconds


def print_duration(seconds: float) -> str:
    """Return the shortest text that ``parse_duration`` reads as so many seconds."""
    milliseconds = round(seconds * 1000)
    for unit, length in reversed(_SECONDS.items()):
        count, rest = divmod(milliseconds, round(length * 1000))
        if rest == 0:
            return f"{count}{unit}"
    return f"{milliseconds}ms"


@lru_cache(maxsize=1024)
def quota_rule(quota: Quota) -> RateRule:
    """Return the limit that the quota of an API key makes."""
    return RateRule(
        bucket=_QUOTA,
        limit=quota.limit,
        window=quota.window,
        burst=quota.limit,
        keys=("API_KEY",),
    )


def bucket_of(
    rule: RateRule,
    principal: Principal,
    arguments: JSONObject,
    *,
    cost: int = 1,
    workers: int = 1,
) -> Bucket:
    """Return the bucket that a caller draws ``cost`` uses from.

    With several ``workers``, each of which has a store of its own, the bucket holds
    this worker's share, rounded up; what the whole bucket could give at once, the
    share can.
    """
    share = -(-rule.burst // workers)
    if rule.keys == _PRINCIPAL_ALONE:
        issuer = principal.claims.get("iss")
        if issuer is None or isinstance(issuer, str):
            caller = (principal.subject, issuer, principal.api_key, principal.ip)
            digest = _principal_digest(*caller)
        else:
            digest = _digest([_principal_part(principal)])
    else:
        digest = _digest([_part(rule, k, principal, arguments) for k in rule.keys])
    return Bucket(
        f"{rule.bucket}:{digest}",
        -(-rule.limit // workers),
        rule.window,
        max(share, min(cost, rule.burst)),
    )


def _part(
    rule: RateRule, key: str, principal: Principal, arguments: JSONObject
) -> object:
    if key == "IP":
        return principal.ip
    if key == "API_KEY":
        return principal.api_key
    if key == "ARGS":
        names = rule.key_args or sorted(arguments)
        return [[name, arguments.get(name)] for name in names]
    if key == "CLAIMS":
        return [[name, principal.claims.get(name)] for name in rule.key_claims]
    return None if key == "GLOBAL" else _principal_part(principal)


def _principal_part(principal: Principal) -> object:
    if principal.subject is not None:
        return ["subject", principal.claims.get("iss"), principal.subject]
    if principal.api_key is not None:
        return ["key", principal.api_key]
    return ["ip", principal.ip]


@lru_cache(maxsize=4096)
def _principal_digest(
    subject: str | None, issuer: str | None, api_key: str | None, ip: str | None
) -> str:
    """Return the digest of a caller; most send more than one request."""
    claims = {"iss": issuer}
    return _digest(
        [_principal_part(Principal(subject, _NO_SCOPES, claims, api_key, ip))]
    )


def _digest(parts: list[object]) -> str:
    text = orjson.dumps(parts, default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _rule(coordinate: str, arguments: JSONObject) -> RateRule:
    limit = _positive(arguments.get("limit"), "limit")
    window = parse_duration(arguments.get("window"))
    burst = arguments.get("burst")
    cost = arguments.get("cost")
    keys = _texts(arguments.get("key")) or ("PRINCIPAL",)
    unknown = [key for key in keys if key not in _KEYS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not a key")
    key_args = _texts(arguments.get("keyArgs"))
    key_claims = _texts(arguments.get("keyClaims"))
    implied = (*(("ARGS",) if key_args else ()), *(("CLAIMS",) if key_claims else ()))
    named = arguments.get("bucket")
    message, from_arg = arguments.get("message"), arguments.get("costFromArg")
    return RateRule(
        bucket=named or f"{coordinate}/{limit}/{arguments.get('window')}",
        limit=limit,
        window=window,
        burst=limit if burst is None else _positive(burst, "burst"),
        keys=tuple(sorted({*keys, *implied})),
        key_args=key_args,
        key_claims=key_claims,
        cost=1 if cost is None else _positive(cost, "cost"),
        cost_from_arg=from_arg,
        message=message,
    )


def _positive(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be a whole number above 0")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r} is not a list")
    return tuple(map(str, value))
