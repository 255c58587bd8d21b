"""Who may use a route, and how often: the policies of fields, for whole requests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from graphgw.errors import (
    GraphGWError,
    OverloadedError,
    RateLimitedError,
    UnauthenticatedError,
    UnauthorizedError,
)
from graphgw.policies.authenticate.addresses import AddressList, is_address_allowed
from graphgw.policies.rate_rules import (
    RateRule,
    bucket_of,
    parse_duration,
    quota_rule,
)
from graphgw.policies.settings import Switch  # noqa: TC001 - read at run time
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import Draw, StoreError, Withdrawal
from graphgw.telemetry.events import RateLimitDecided
from graphgw.types import SYSTEM_CLOCK

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.policies.settings import RateLimitSettings
    from graphgw.stores.protocol import Store, Verdict
    from graphgw.types import Clock, Principal

__all__ = ["Places", "RouteAccess", "RoutePolicy", "RouteRateLimit", "RouteVerdict"]

_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAccess:
    """Who may use a route."""

    authenticated: bool = False
    scopes: tuple[str, ...] = ()
    needs_api_key: bool = False
    allow_ips: tuple[str, ...] = ()
    deny_ips: tuple[str, ...] = ()
    switch: Switch = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRateLimit:
    """How many requests a caller may send to a route in each window."""

    limit: int
    window: str = "1m"
    burst: int | None = None
    keys: tuple[Literal["PRINCIPAL", "API_KEY", "IP", "GLOBAL"], ...] = ("PRINCIPAL",)
    switch: Switch = "enforce"


@dataclass(frozen=True, slots=True)
class RouteVerdict:
    """Whether a request is refused, and the headers that its answer is to have."""

    refusal: GraphGWError | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


_ALLOWED: Final = RouteVerdict()


class Places:
    """How many requests may be under way at one time in this process."""

    __slots__ = ("limit", "taken")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0

    def enter(self) -> None:
        """Take a place.

        Raises:
            OverloadedError: There is none.
        """
        if self.taken >= self.limit:
            raise OverloadedError("this route has too many requests under way")
        self.taken += 1

    def leave(self) -> None:
        """Give a place back."""
        self.taken -= 1


class RoutePolicy:
    """Decides on each request of one route, in this order: address, caller, rate.

    Args:
        name: The route's.
        access: Who may use it.
        limit: How often; ``None`` for as often as they like.
        shared: What is said of all rate limits: their switch, and what to do while
            the store is down.
        store: Where requests are counted.
        clock: Tells the time.
        draws_quota: Whether a request counts for the quota of its API key; not where
            an operation follows that does.
    """

    __slots__ = (
        "_access",
        "_allow",
        "_coordinate",
        "_deny",
        "_draws_quota",
        "_is_open",
        "_is_rate_shadow",
        "_local",
        "_rule",
        "_shared",
        "_store",
    )

    def __init__(
        self,
        name: str,
        access: RouteAccess,
        limit: RouteRateLimit | None,
        shared: RateLimitSettings,
        store: Store,
        clock: Clock = SYSTEM_CLOCK,
        *,
        draws_quota: bool = True,
    ) -> None:
        self._coordinate = f"route:{name}"
        self._access = access
        self._allow = AddressList(access.allow_ips)
        self._deny = AddressList(access.deny_ips)
        self._shared = shared
        self._store = store
        self._local = MemoryStore(max_bytes=0, clock=clock)
        self._is_open = access.switch == "off" or not (
            access.authenticated
            or access.scopes
            or access.needs_api_key
            or access.allow_ips
            or access.deny_ips
        )
        self._draws_quota = draws_quota and shared.switch != "off"
        switches = () if limit is None else (limit.switch, shared.switch)
        self._is_rate_shadow = "shadow" in switches
        self._rule = (
            None
            if limit is None or "off" in switches
            else RateRule(
                bucket=self._coordinate,
                limit=limit.limit,
                window=parse_duration(limit.window),
                burst=limit.burst or limit.limit,
                keys=limit.keys,
            )
        )

    async def decide(self, context: RequestContext) -> RouteVerdict:
        """Decide on one request."""
        if not self._is_open:
            error = self._find_refusal(context.principal)
            if error is not None:
                if self._access.switch == "enforce":
                    return RouteVerdict(error)
                context.report_refusal(self._coordinate, error.code, is_shadow=True)
        quota = context.principal.quota if self._draws_quota else None
        if self._rule is None and quota is None:
            return _ALLOWED
        own = () if self._rule is None else (self._rule,)
        return await self._draw(
            own if quota is None else (*own, quota_rule(quota)), context
        )

    def _find_refusal(self, principal: Principal) -> GraphGWError | None:
        access = self._access
        if not is_address_allowed(principal.ip, self._allow, self._deny):
            return UnauthorizedError("this address may not call")
        needs_caller = access.authenticated or bool(access.scopes)
        if needs_caller and not principal.is_authenticated:
            return UnauthenticatedError("this needs credentials")
        if access.needs_api_key and principal.api_key is None:
            return UnauthenticatedError("this needs an API key")
        missing = [scope for scope in access.scopes if scope not in principal.scopes]
        if missing:
            return UnauthorizedError(f'this needs the scope "{missing[0]}"')
        return None

    async def _draw(
        self, rules: tuple[RateRule, ...], context: RequestContext
    ) -> RouteVerdict:
        try:
            verdict = await self._take(self._store, rules, context.principal)
        except StoreError:
            mode = self._shared.on_store_error
            if mode == "open":
                return _ALLOWED
            if mode == "closed":
                message = "the rate cannot be counted now"
                return RouteVerdict(
                    RateLimitedError(message, retry_after=_RETRY_SECONDS)
                )
            verdict = await self._take(self._local, rules, context.principal)
        for number, rule in enumerate(rules):
            is_allowed = verdict.is_allowed or verdict.refused != number
            context.observer.observe(
                RateLimitDecided(
                    rule.bucket,
                    is_allowed,
                    is_shadow=self._is_rate_shadow,
                    request_id=context.request_id,
                    subject=context.principal.subject,
                )
            )
        headers = tuple(_describe(rules, verdict))
        if not verdict.is_allowed and not self._is_rate_shadow:
            refusal = RateLimitedError(
                "the rate limit of this route is used up",
                retry_after=verdict.retry_after,
            )
            return RouteVerdict(refusal, headers)
        return RouteVerdict(None, headers)

    async def _take(
        self, store: Store, rules: tuple[RateRule, ...], principal: Principal
    ) -> Verdict:
        shares = 1 if store.is_shared else max(1, self._shared.workers)
        draws = tuple(
            Draw(bucket_of(rule, principal, {}, cost=1, workers=shares))
            for rule in rules
        )
        (verdict,) = await store.take([Withdrawal(draws)])
        return verdict


def _describe(
    rules: tuple[RateRule, ...], verdict: Verdict
) -> list[tuple[bytes, bytes]]:
    """Describe the buckets.

    See https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.
    """
    policy = ", ".join(
        f'"{rule.bucket}";q={rule.limit};w={math.ceil(rule.window)}' for rule in rules
    )
    state = ", ".join(
        f'"{rule.bucket}";r={remaining};t={math.ceil(reset)}'
        for rule, remaining, reset in zip(
            rules, verdict.remaining, verdict.reset, strict=True
        )
    )
    return [
        (b"ratelimit-policy", policy.encode("latin-1", "replace")),
        (b"ratelimit", state.encode("latin-1", "replace")),
    ]
