"""Rate limits: who draws what from which bucket, and what happens when it is empty."""

from __future__ import annotations

import pytest
from support.policies import ruled

from graphgw.errors import ConfigurationError, RateLimitedError
from graphgw.policies.rate_rules import parse_duration, print_duration
from graphgw.policies.settings import PolicySettings, RateLimitSettings
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import StoreError
from graphgw.telemetry.events import RateLimitDecided, SelectionRefused
from graphgw.types import Principal, Quota

ANN, BOB = Principal("ann", ip="192.0.2.1"), Principal("bob", ip="192.0.2.1")

SDL = """
type Query {
  open: Int
  two: Int @rateLimit(limit: 2, window: "1m")
  burst: Int @rateLimit(limit: 60, window: "1m", burst: 1)
  heavy: Int @rateLimit(limit: 10, window: "1m", cost: 4)
  items(first: Int = 3): Int @rateLimit(limit: 10, window: "1m", costFromArg: "first")
  perIp: Int @rateLimit(limit: 1, window: "1m", key: [IP])
  all: Int @rateLimit(limit: 1, window: "1m", key: [GLOBAL])
  perArg(id: ID, x: Int): Int @rateLimit(limit: 1, window: "1m", keyArgs: ["id"])
  perClaim: Int @rateLimit(limit: 1, window: "1m", key: [CLAIMS], keyClaims: ["org"])
  left: Int @rateLimit(limit: 2, window: "1m", bucket: "shared")
  right: Int @rateLimit(limit: 2, window: "1m", bucket: "shared")
  both: Int @rateLimit(limit: 5, window: "1s") @rateLimit(limit: 6, window: "1h")
  worded: Int @rateLimit(limit: 1, window: "1m", message: "Slow down.")
  guarded: Int @authenticated @rateLimit(limit: 1, window: "1m")
  typed: Typed
  typedList: [Typed!]
  outer: Outer @rateLimit(limit: 1, window: "1m")
  node: Node
}
type Typed @rateLimit(limit: 2, window: "1m") { id: ID }
type Outer { inner: Int @rateLimit(limit: 5, window: "1m")  plain: Int }
interface Node { id: ID }
type Thing implements Node { id: ID @rateLimit(limit: 1, window: "1m") }
"""


def graph(store=None, **options):
    settings = PolicySettings(rate_limit=RateLimitSettings(**options))
    return ruled(SDL, policies=settings, store=store)


async def passes(limited, field, principal=ANN, **options):
    """Ask for a field beside an open one; tell whether it may run."""
    refused = await limited.refused(f"{{ open {field} }}", principal, **options)
    return refused == []


async def test_a_field_may_be_used_as_often_as_it_says():
    limited = graph()

    assert [await passes(limited, "two") for _ in range(3)] == [True, True, False]
    limited.clock.advance(30)
    assert await passes(limited, "two")


async def test_callers_have_buckets_of_their_own():
    limited = graph()

    assert await passes(limited, "perArg", ANN)
    assert await passes(limited, "perArg", BOB)
    assert not await passes(limited, "perArg", ANN)


@pytest.mark.parametrize(
    ("field", "first", "second", "is_shared"),
    [
        pytest.param("perIp", ANN, BOB, True, id="ip-same"),
        pytest.param("perIp", ANN, Principal("ann", ip="::1"), False, id="ip-other"),
        pytest.param("all", ANN, Principal(ip="::1"), True, id="global"),
        pytest.param(
            "perClaim",
            Principal("ann", claims={"org": "x"}),
            Principal("bob", claims={"org": "x"}),
            True,
            id="claim-same",
        ),
        pytest.param(
            "perClaim",
            Principal("ann", claims={"org": "x"}),
            Principal("ann", claims={"org": "y"}),
            False,
            id="claim-other",
        ),
        pytest.param(
            "worded", Principal(ip="::1"), Principal(ip="::2"), False, id="anonymous"
        ),
        pytest.param(
            "worded",
            Principal(api_key="ann"),
            Principal("ann"),
            False,
            id="key-or-name",
        ),
        pytest.param(
            "worded",
            Principal("ann", claims={"iss": "a"}),
            Principal("ann", claims={"iss": "b"}),
            False,
            id="same-subject-of-two-issuers",
        ),
    ],
)
async def test_the_key_says_who_shares_a_bucket(field, first, second, is_shared):
    limited = graph()
    assert await passes(limited, field, first)

    assert await passes(limited, field, second) is not is_shared


async def test_arguments_can_tell_buckets_apart():
    limited = graph()

    assert await passes(limited, 'perArg(id: "1", x: 1)')
    assert await passes(limited, 'perArg(id: "2", x: 1)')
    assert not await passes(limited, 'perArg(id: "1", x: 2)')


@pytest.mark.parametrize(
    ("field", "uses"),
    [
        pytest.param("heavy", 2, id="cost"),
        pytest.param("items(first: 5)", 2, id="cost-from-argument"),
        pytest.param("items", 3, id="cost-from-default"),
        pytest.param("items(first: 0)", 10, id="never-free"),
        pytest.param("items(first: -7)", 10, id="never-negative"),
        pytest.param("items(first: null)", 10, id="null-costs-one"),
        pytest.param("items(first: 11)", 0, id="more-than-the-bucket-holds"),
        pytest.param("burst", 1, id="burst"),
        pytest.param("both", 5, id="the-tighter-of-two"),
        pytest.param("typed { id }", 2, id="limit-of-the-type"),
        pytest.param("typedList { id }", 2, id="list-counts-once"),
        pytest.param("node { id }", 1, id="through-the-interface"),
        pytest.param("node { ... on Thing { id } }", 1, id="implementation"),
    ],
)
async def test_each_use_costs_what_it_says(field, uses):
    limited = graph()

    allowed = [await passes(limited, field) for _ in range(uses + 1)]

    assert allowed == [True] * uses + [False]


async def test_each_alias_is_a_use():
    limited = graph()

    decision = await limited.decide("{ open a: two b: two c: two d: two }", ANN)

    assert [refusal.path for refusal in decision.refusals] == [("c",), ("d",)]


async def test_fields_with_one_bucket_draw_from_it_together():
    limited = graph()

    assert await limited.refused("{ left right }", ANN) == []
    assert await limited.refused("{ open left right }", ANN) == [
        "Query.left",
        "Query.right",
    ]


async def test_a_refused_field_says_when_to_come_back():
    limited = graph()
    await limited.decide("{ worded }", ANN)
    limited.clock.advance(15)

    decision = await limited.decide("{ open worded }", ANN)

    [refusal] = decision.refusals
    assert (refusal.code, refusal.message) == ("RATE_LIMITED", "Slow down.")
    assert refusal.extensions == {
        "retryAfterMs": 45_000,
        "bucket": "Query.worded/1/1m",
        "limit": 1,
        "remaining": 0,
    }


async def test_nothing_left_of_an_operation_refuses_it_whole():
    limited = graph()
    await limited.decide("{ worded }", ANN)

    decision = await limited.decide("{ worded }", ANN)

    assert isinstance(decision.refusal, RateLimitedError)
    assert decision.refusal.status == 429
    assert decision.refusal.retry_after == pytest.approx(60)


async def test_a_rate_limit_and_an_auth_refusal_together_leave_nothing():
    limited = graph()
    anonymous = Principal(ip="::1")
    await limited.decide("{ worded }", anonymous)

    decision = await limited.decide("{ guarded worded }", anonymous)

    assert isinstance(decision.refusal, RateLimitedError)


async def test_a_field_that_auth_refuses_draws_nothing():
    limited = graph()
    anonymous = Principal(ip="192.0.2.9")
    for _ in range(5):
        assert await limited.refused("{ open guarded }", anonymous) == ["Query.guarded"]

    assert limited.policies._rate_policy._store.bucket_count == 0


async def test_what_stands_in_a_refused_field_draws_nothing():
    limited = graph()
    await limited.decide("{ outer { inner } }", ANN)

    for _ in range(5):
        assert await limited.refused("{ open outer { inner } }", ANN) == ["Query.outer"]

    limited.clock.advance(60)
    decision = await limited.decide("{ outer { inner } }", ANN)
    assert '"Outer.inner/5/1m";r=4' in dict(decision.headers)["ratelimit"]


async def test_headers_tell_every_bucket_at_its_lowest():
    limited = graph()

    decision = await limited.decide("{ a: two b: two heavy }", ANN)

    assert dict(decision.headers) == {
        "ratelimit-policy": '"Query.two/2/1m";q=2;w=60, "Query.heavy/10/1m";q=10;w=60',
        "ratelimit": '"Query.two/2/1m";r=0;t=60, "Query.heavy/10/1m";r=6;t=24',
    }


async def test_a_limit_of_operations_counts_them_all():
    limited = graph(limit=2, window="1s")
    operation = limited.operation("{ open }")
    assert not limited.policies.is_open(operation)

    decisions = [await limited.decide("{ open }", ANN) for _ in range(3)]

    assert [d.refusal is None for d in decisions] == [True, True, False]
    assert decisions[2].refusal.status == 429
    assert dict(decisions[2].headers)["ratelimit"] == '"operation";r=0;t=1'


METERED = Principal(api_key="metered", quota=Quota(2, 3600.0))


async def test_an_api_key_has_a_quota_of_its_own():
    limited = graph()
    operation = limited.operation("{ open }")
    assert limited.policies.is_open(operation, ANN)
    assert not limited.policies.is_open(operation, METERED)

    decisions = [await limited.decide("{ open }", METERED) for _ in range(3)]

    assert [d.refusal is None for d in decisions] == [True, True, False]
    assert decisions[2].refusal.status == 429
    assert dict(decisions[2].headers) == {
        "ratelimit-policy": '"api-key";q=2;w=3600',
        "ratelimit": '"api-key";r=0;t=3600',
    }
    other = Principal(api_key="other", quota=Quota(2, 3600.0))
    assert (await limited.decide("{ open }", other)).refusal is None


async def test_a_quota_is_drawn_with_the_other_buckets_or_not_at_all():
    limited = graph(limit=3, window="1h")
    metered = Principal(api_key="metered", quota=Quota(5, 3600.0))

    for _ in range(9):
        decision = await limited.decide("{ open }", metered)

    assert decision.refusal is not None
    assert '"api-key";r=2;' in dict(decision.headers)["ratelimit"]


async def test_an_empty_quota_leaves_the_buckets_of_fields_alone():
    limited = graph()
    empty = Principal("ann", api_key="metered", quota=Quota(1, 3600.0))
    await limited.decide("{ open }", empty)

    await limited.decide("{ two }", empty)

    assert [await passes(limited, "two") for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("switch", ["off", "shadow"])
async def test_a_quota_refuses_nobody_unless_limits_are_enforced(switch):
    limited = graph(switch=switch)

    decisions = [await limited.decide("{ open }", METERED) for _ in range(5)]

    assert all(decision.refusal is None for decision in decisions)


@pytest.mark.parametrize("text", ["90s", "1m", "1500ms", "2h", "30d"])
def test_durations_are_printed_as_they_are_read(text):
    assert print_duration(parse_duration(text)) in {text, "90s"}


async def test_an_operation_that_is_refused_draws_from_no_field():
    limited = graph(limit=1, window="1h")
    await limited.decide("{ two }", ANN)

    for _ in range(5):
        await limited.decide("{ two }", ANN)

    limited.clock.advance(3600)
    decision = await limited.decide("{ two }", ANN)
    assert '"Query.two/2/1m";r=1' in dict(decision.headers)["ratelimit"]


async def test_decisions_are_events():
    limited = graph()
    await limited.decide("{ worded }", ANN)
    limited.recorder.events.clear()

    await limited.decide("{ open worded two }", ANN)

    assert limited.recorder.events == [
        RateLimitDecided("Query.worded/1/1m", is_allowed=False),
        RateLimitDecided("Query.two/2/1m", is_allowed=True),
        SelectionRefused("Query.worded", "RATE_LIMITED"),
    ]


async def test_a_shadow_limit_reports_and_lets_pass():
    limited = graph(switch="shadow")
    await limited.decide("{ worded }", ANN)
    limited.recorder.events.clear()

    decision = await limited.decide("{ open worded }", ANN)

    assert (decision.refusals, decision.refusal, decision.headers) == ((), None, ())
    assert limited.recorder.events == [
        RateLimitDecided("Query.worded/1/1m", is_allowed=False, is_shadow=True)
    ]


async def test_a_limit_that_is_off_counts_nothing():
    limited = graph(switch="off", limit=1)

    assert all([await passes(limited, "worded") for _ in range(5)])
    assert limited.recorder.events == []


class BrokenStore(MemoryStore):
    """A store that others share, and that is down."""

    is_shared = True

    async def take(self, _withdrawals):
        raise StoreError("down")


@pytest.mark.parametrize(
    ("mode", "allowed"),
    [
        pytest.param("open", [True] * 4, id="open"),
        pytest.param("closed", [False] * 4, id="closed"),
        pytest.param("local", [True, True, False, False], id="local"),
    ],
)
async def test_a_store_that_is_down_is_met_as_configured(mode, allowed):
    limited = graph(store=BrokenStore(), on_store_error=mode)

    assert [await passes(limited, "two") for _ in range(4)] == allowed


async def test_workers_share_a_limit_that_each_counts_alone():
    limited = graph(workers=4)

    allowed = [await passes(limited, "heavy") for _ in range(2)]
    assert allowed == [True, False]
    assert [await passes(limited, "items(first: 1)") for _ in range(4)] == [
        True,
        True,
        True,
        False,
    ]


async def test_nothing_waits_for_an_operation_without_limits():
    limited = graph()

    assert limited.policies.is_open(limited.operation("{ open }"))


@pytest.mark.parametrize(
    "rule",
    [
        '@rateLimit(limit: 0, window: "1m")',
        '@rateLimit(limit: -1, window: "1m")',
        '@rateLimit(limit: 1, window: "soon")',
        '@rateLimit(limit: 1, window: "0s")',
        '@rateLimit(limit: 1, window: "1m", burst: 0)',
        '@rateLimit(limit: 1, window: "1m", cost: 0)',
        (
            '@rateLimit(limit: 1, window: "1m", bucket: "b")'
            ' @rateLimit(limit: 2, window: "1m", bucket: "b")'
        ),
    ],
)
def test_a_wrong_limit_is_told_with_its_coordinate(rule):
    with pytest.raises(ConfigurationError) as caught:
        ruled(f"type Query {{ x: Int {rule} }}")

    assert caught.value.problems[0].where == "Query.x"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("30s", 30), ("1m", 60), ("2h", 7200), ("1d", 86_400)],
)
def test_durations_are_read(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "m", "1 m", "-1m", "1.5m", "1M", None, 60])
def test_other_texts_are_no_durations(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)
