"""Who may use a route and how often, decided without a backend."""

from __future__ import annotations

from typing import Any

import pytest
from support.clock import ManualClock

from graphgw.context import RequestContext
from graphgw.errors import (
    OverloadedError,
    RateLimitedError,
    UnauthenticatedError,
    UnauthorizedError,
)
from graphgw.policies.route_policy import (
    Places,
    RouteAccess,
    RoutePolicy,
    RouteRateLimit,
)
from graphgw.policies.settings import RateLimitSettings
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import StoreError
from graphgw.types import ANONYMOUS, Deadline, Principal

ADA = Principal("ada", scopes=frozenset({"read"}), ip="10.0.0.1")
KEY = Principal(api_key="k", ip="10.0.0.2")


class Events:
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def observe(self, event: Any) -> None:
        self.seen.append(event)


class DownStore(MemoryStore):
    async def take(self, withdrawals: Any) -> Any:
        raise StoreError(f"{len(withdrawals)} cannot be counted")


def context(principal: Principal, events: Events | None = None) -> RequestContext:
    return RequestContext(
        deadline=Deadline.after(1), principal=principal, observer=events or Events()
    )


def policy(
    access: RouteAccess | None = None,
    limit: RouteRateLimit | None = None,
    shared: RateLimitSettings | None = None,
    store: MemoryStore | None = None,
) -> RoutePolicy:
    clock = ManualClock()
    return RoutePolicy(
        "r",
        access or RouteAccess(),
        limit,
        shared or RateLimitSettings(),
        store or MemoryStore(clock=clock),
        clock,
    )


@pytest.mark.parametrize(
    ("access", "principal", "refusal"),
    [
        ({}, ANONYMOUS, None),
        ({"authenticated": True}, ANONYMOUS, UnauthenticatedError),
        ({"authenticated": True}, KEY, None),
        ({"scopes": ("read",)}, ADA, None),
        ({"scopes": ("read", "write")}, ADA, UnauthorizedError),
        ({"scopes": ("read",)}, ANONYMOUS, UnauthenticatedError),
        ({"needs_api_key": True}, ADA, UnauthenticatedError),
        ({"needs_api_key": True}, KEY, None),
        ({"allow_ips": ("10.0.0.0/30",)}, ADA, None),
        ({"allow_ips": ("10.1.0.0/16",)}, ADA, UnauthorizedError),
        ({"allow_ips": ("10.0.0.0/8",)}, ANONYMOUS, UnauthorizedError),
        ({"deny_ips": ("10.0.0.1",)}, ADA, UnauthorizedError),
        ({"authenticated": True, "switch": "off"}, ANONYMOUS, None),
    ],
)
async def test_a_caller_is_refused_for_what_the_route_asks(
    access: dict[str, Any], principal: Principal, refusal: type[Exception] | None
):
    verdict = await policy(RouteAccess(**access)).decide(context(principal))

    assert type(verdict.refusal) is (refusal or type(None))


async def test_a_shadow_rule_only_reports():
    events = Events()
    access = RouteAccess(authenticated=True, switch="shadow")

    verdict = await policy(access).decide(context(ANONYMOUS, events))

    assert verdict.refusal is None
    assert [event.is_shadow for event in events.seen] == [True]


async def test_each_caller_has_a_bucket_and_is_told_of_it():
    made = policy(limit=RouteRateLimit(limit=1, window="1m"))

    first, second, other = [
        await made.decide(context(principal)) for principal in (ADA, ADA, KEY)
    ]

    assert first.refusal is None
    assert dict(first.headers)[b"ratelimit-policy"] == b'"route:r";q=1;w=60'
    assert isinstance(second.refusal, RateLimitedError)
    assert second.refusal.retry_after == pytest.approx(60)
    assert other.refusal is None


async def test_all_share_one_bucket_where_the_route_says_so():
    made = policy(limit=RouteRateLimit(limit=1, keys=("GLOBAL",)))

    await made.decide(context(ADA))

    assert (await made.decide(context(KEY))).refusal is not None


@pytest.mark.parametrize(
    ("mode", "refused"),
    [("open", [False, False]), ("closed", [True, True]), ("local", [False, True])],
)
async def test_a_store_that_is_down_is_met_as_the_settings_say(
    mode: Any, refused: list[bool]
):
    made = policy(
        limit=RouteRateLimit(limit=1),
        shared=RateLimitSettings(on_store_error=mode),
        store=DownStore(),
    )

    found = [(await made.decide(context(ADA))).refusal is not None for _ in range(2)]

    assert found == refused


@pytest.mark.parametrize("where", ["route", "all"])
async def test_a_limit_that_is_switched_off_counts_nothing(where: str):
    is_own = where == "route"
    made = policy(
        limit=RouteRateLimit(limit=1, switch="off" if is_own else "enforce"),
        shared=RateLimitSettings(switch="enforce" if is_own else "off"),
    )

    found = [await made.decide(context(ADA)) for _ in range(3)]

    assert all(verdict.refusal is None for verdict in found)


def test_places_are_bounded_and_come_back():
    places = Places(1)
    places.enter()
    with pytest.raises(OverloadedError):
        places.enter()

    places.leave()

    places.enter()
