"""What the policies are told: who may be believed, and which rules are enforced."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from graphgw.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphgw.context import RequestContext

__all__ = [
    "AddressSettings",
    "ApiKeySettings",
    "AuthSettings",
    "CacheSettings",
    "CostSettings",
    "IssuerSettings",
    "PolicyFunction",
    "PolicySettings",
    "RateLimitSettings",
    "RowFunction",
    "StoreErrorMode",
    "SunsetSettings",
    "Switch",
    "find_auth_problems",
]

Switch: TypeAlias = Literal["off", "shadow", "enforce"]
"""``shadow`` refuses nothing and reports who would have been refused."""

StoreErrorMode: TypeAlias = Literal["open", "closed", "local"]
"""What a rate limit does while its store is down."""

PolicyFunction: TypeAlias = Callable[
    ["RequestContext", Mapping[str, Any]], Awaitable[bool]
]
"""``async def name(context, arguments) -> bool``, for ``@policy``."""

RowFunction: TypeAlias = Callable[
    ["RequestContext", list[dict[str, Any]], dict[str, Any]], Awaitable[list[bool]]
]
"""A function of ``@rowPolicy``, declared with ``graphgw.row_policy``."""

ASYMMETRIC: Final = frozenset(
    ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
)
SYMMETRIC: Final = frozenset(("HS256", "HS384", "HS512"))


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One issuer of tokens; its keys come from one of three places.

    ``jwks_url`` is asked again every ``jwks_refresh`` seconds and for unknown keys;
    ``key_file`` holds public keys or certificates in PEM; ``secret`` is for HMAC.
    """

    issuer: str
    audience: tuple[str, ...] = ()
    """One of these must be in ``aud``; empty accepts every audience."""
    algorithms: tuple[str, ...] = ("RS256", "ES256", "EdDSA")
    jwks_url: str | None = None
    key_file: Path | None = None
    secret: str | None = field(default=None, repr=False)
    jwks_refresh: float = 300.0
    jwks_timeout: float = 5.0
    jwks_max_age: float = 86_400.0
    """Seconds that the last good keys serve while the URL fails."""
    allows_plain_http: bool = False
    """Whether ``jwks_url`` may be ``http:`` to other hosts than this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeySettings:
    """API keys: their keyed hashes, in a JSON file or in Redis.

    The file is read again when it changes; what Redis says counts for some seconds.
    """

    file: Path | None = None
    redis_url: str | None = field(default=None, repr=False)
    header: str = "x-api-key"
    secret: str = field(default="", repr=False)
    """The key of the hashes; a stolen file is useless without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSettings:
    """Networks that may call, or may not; addresses and CIDR, v4 and v6."""

    allow: tuple[str, ...] = ()
    """Empty allows every address that is not denied."""
    deny: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    """Peers whose ``x-forwarded-for`` is believed."""
    switch: Switch = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthSettings:
    """Who is asking, and what becomes of what they may not have."""

    issuers: tuple[IssuerSettings, ...] = ()
    mode: Literal["filter", "reject"] = "filter"
    """``filter`` answers the rest; ``reject`` refuses the whole operation."""
    switch: Switch = "enforce"
    subject_claim: str = "sub"
    scope_claims: tuple[str, ...] = ("scope", "scp", "scopes")
    leeway: float = 60.0
    """Seconds by which clocks may differ."""
    api_keys: ApiKeySettings = field(default_factory=ApiKeySettings)
    addresses: AddressSettings = field(default_factory=AddressSettings)
    policies: Mapping[str, str | PolicyFunction] = field(default_factory=dict)
    """Functions of ``@policy`` by name, or their import paths ``module:function``."""
    row_policies: Mapping[str, str | RowFunction] = field(default_factory=dict)
    """Functions of ``@rowPolicy`` by name, or their import paths."""
    policy_timeout: float = 1.0
    cached_tokens: int = 10_000
    """How many verified tokens are remembered until they expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimitSettings:
    """How ``@rateLimit`` is enforced."""

    switch: Switch = "enforce"
    on_store_error: StoreErrorMode = "local"
    workers: int = 1
    """Processes that share the limits where each has a store of its own."""
    limit: int | None = None
    """Operations that one caller may send in each ``window``; ``None`` for any."""
    window: str = "1m"
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSettings:
    """How the cost of an operation is estimated and bounded."""

    switch: Switch = "enforce"
    limit: int | None = None
    """The highest estimate that is served; ``None`` serves any."""
    budget: int | None = None
    """What one caller's operations may cost in each ``window``.

    An operation debits its estimate before it runs and gets back what it did not use.
    """
    window: str = "1m"
    burst: int | None = None
    """What may be spent at once; the whole budget by default."""
    max_backend_calls: int | None = None
    """The most backend calls that a plan may need, each batch counted once."""
    list_size: int = 10
    """Items that a list without ``@listSize`` is assumed to have."""

    @property
    def is_estimated(self) -> bool:
        """Tell whether the cost of an operation matters."""
        has_bound = self.limit is not None or self.budget is not None
        return has_bound and self.switch != "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings:
    """How ``@cacheControl`` is obeyed."""

    is_enabled: bool = True
    max_bytes: int = 64 * 1024 * 1024
    """What the memory store may hold."""
    answers: bool = True
    """Whether whole answers are kept beside the rows, where these are kept."""
    max_answer_bytes: int = 1024 * 1024
    """The largest whole answer that is kept in Redis."""
    invalidation_scope: str | None = "cache:invalidate"
    """The scope that ``POST /cache/invalidate`` needs; ``null`` closes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunsetSettings:
    """What becomes of ``@deprecated``, and of ``@sunset`` after its day.

    ``off`` says and counts nothing; ``shadow`` counts and tells clients in headers;
    ``enforce`` also refuses what is over.
    """

    switch: Switch = "shadow"
    link: str | None = None
    """A page for people, named in the answers' ``Link`` header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """The switches and limits of every policy but authentication."""

    rate_limit: RateLimitSettings = field(default_factory=RateLimitSettings)
    cost: CostSettings = field(default_factory=CostSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    sunset: SunsetSettings = field(default_factory=SunsetSettings)


def find_auth_problems(settings: AuthSettings) -> list[Problem]:
    """Return everything that is wrong with the settings."""
    problems: list[Problem] = []
    seen: set[str] = set()
    for index, issuer in enumerate(settings.issuers):
        where = f"auth.issuers[{index}]"
        problems += (Problem(message, where) for message in _issuer(issuer))
        if issuer.issuer in seen:
            problems.append(Problem(f'issuer "{issuer.issuer}" is there twice', where))
        seen.add(issuer.issuer)
    addresses = settings.addresses
    for name in ("allow", "deny", "trusted_proxies"):
        for cidr in getattr(addresses, name):
            message = _network(cidr)
            if message:
                problems.append(Problem(message, f"auth.addresses.{name}"))
    return problems


def _issuer(issuer: IssuerSettings) -> Iterator[str]:
    if not issuer.issuer:
        yield "an issuer needs a name"
    given = (issuer.jwks_url, issuer.key_file, issuer.secret)
    if sum(source is not None for source in given) != 1:
        yield "an issuer needs one of jwks_url, key_file and secret"
    allowed = ASYMMETRIC if issuer.secret is None else SYMMETRIC
    wrong = [name for name in issuer.algorithms if name not in allowed]
    if wrong:
        yield f"{', '.join(wrong)} cannot be used with this issuer's keys"
    if not issuer.algorithms:
        yield "an issuer needs an algorithm"
    needed = max(
        (int(n[2:]) // 8 for n in issuer.algorithms if n in SYMMETRIC), default=0
    )
    if issuer.secret is not None and len(issuer.secret.encode()) < needed:
        yield f"the secret must have at least {needed} bytes"
    if issuer.jwks_url is not None:
        yield from _url(issuer.jwks_url, allows_http=issuer.allows_plain_http)


def _url(url: str, *, allows_http: bool) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield f"{url} is not an http URL"
    elif parts.scheme == "http" and not allows_http and not _is_local(parts.hostname):
        yield f"{url} must be https, or allows_plain_http be set"


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _network(cidr: str) -> str | None:
    try:
        ip_network(cidr, strict=False)
    except ValueError:
        return f'"{cidr}" is not an address or network'
    return None
