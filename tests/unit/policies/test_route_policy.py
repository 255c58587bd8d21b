"""Routes: who may use them and how often, the quota of an API key included."""

from __future__ import annotations

from support.clock import ManualClock
from support.graphs import new_context

from graphgw.policies.route_policy import RouteAccess, RoutePolicy, RouteRateLimit
from graphgw.policies.settings import RateLimitSettings
from graphgw.stores.memory import MemoryStore
from graphgw.types import Principal, Quota

METERED = Principal(api_key="metered", quota=Quota(2, 3600.0))


def policy(limit=None, *, clock=None, switch="enforce", **options):
    clock = clock or ManualClock()
    shared = RateLimitSettings(switch=switch)
    store = MemoryStore(clock=clock)
    return RoutePolicy("r", RouteAccess(), limit, shared, store, clock, **options)


async def decide(made, principal=METERED):
    return await made.decide(new_context(principal=principal))


async def test_requests_count_for_the_quota_of_the_api_key():
    made = policy()

    verdicts = [await decide(made) for _ in range(3)]

    assert [v.refusal is None for v in verdicts] == [True, True, False]
    assert dict(verdicts[0].headers) == {
        b"ratelimit-policy": b'"api-key";q=2;w=3600',
        b"ratelimit": b'"api-key";r=1;t=1800',
    }
    assert (await decide(made, Principal("ann"))).refusal is None


async def test_limit_and_quota_are_drawn_together_or_not_at_all():
    made = policy(RouteRateLimit(limit=1))

    verdicts = [await decide(made) for _ in range(3)]

    assert [v.refusal is None for v in verdicts] == [True, False, False]
    assert dict(verdicts[2].headers)[b"ratelimit"].startswith(
        b'"route:r";r=0;t=60, "api-key";r=1;'
    )


async def test_an_operation_behind_a_route_counts_once():
    made = policy(draws_quota=False)

    assert [(await decide(made)).refusal for _ in range(3)] == [None, None, None]


async def test_without_rate_limits_there_is_no_quota():
    made = policy(switch="off")

    assert [(await decide(made)).refusal for _ in range(3)] == [None, None, None]
