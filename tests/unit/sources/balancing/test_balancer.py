"""Which address a call goes to: groups, ejections, checks, records; a clock by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest

from graphgw.sources.balancing.balancer import Balancer
from graphgw.sources.balancing.settings import (
    AddressSettings,
    BalanceSettings,
    EjectionSettings,
    HealthCheckSettings,
    SplitSettings,
)
from graphgw.sources.settings import ServiceSettings
from graphgw.telemetry.events import AddressCalled, AddressChanged


@dataclass
class Clock:
    now: float = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@dataclass
class Told:
    events: list[object] = field(default_factory=list)

    def observe(self, event: object) -> None:
        self.events.append(event)

    @property
    def changes(self) -> list[tuple[str, str]]:
        found = [item for item in self.events if isinstance(item, AddressChanged)]
        return [(item.address, item.change) for item in found]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> Told:
    return Told()


def make(clock: Clock, told: Told, *urls: AddressSettings | str, **options: object):
    given = tuple(
        AddressSettings(url=f"http://{item}") if isinstance(item, str) else item
        for item in urls
    )
    settings = ServiceSettings(name="product", urls=given, **options)  # type: ignore[arg-type]
    return Balancer(settings, clock=clock, observer=told)


def call(balancer: Balancer, *, fails: bool = False, **headers: str) -> str:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    address = balancer.choose(pairs)
    balancer.settle(address, "500" if fails else "200", is_failure=fails)
    return address.label


def calls(balancer: Balancer, count: int, **headers: str) -> Counter[str]:
    return Counter(call(balancer, **headers) for _ in range(count))


def fail_at(balancer: Balancer, label: str, count: int = 5) -> None:
    address = next(item for item in balancer.addresses if item.label == label)
    for _ in range(count):
        address.outstanding += 1
        balancer.settle(address, "500", is_failure=True)


def test_failures_in_a_row_eject_and_time_brings_back(clock: Clock, told: Told):
    balancer = make(clock, told, "a", "b")
    fail_at(balancer, "a")

    assert calls(balancer, 10) == {"b": 10}
    clock.now += 29.9
    assert calls(balancer, 10) == {"b": 10}
    clock.now += 0.1
    assert calls(balancer, 10) == {"a": 5, "b": 5}
    assert told.changes == [("a", "ejected"), ("a", "returned")]


def test_a_success_between_failures_starts_the_count_anew(clock: Clock, told: Told):
    balancer = make(clock, told, "a", "b")
    fail_at(balancer, "a", 4)
    calls(balancer, 2)
    fail_at(balancer, "a", 4)

    assert told.changes == []


def test_each_ejection_is_longer_until_it_has_been_well(clock: Clock, told: Told):
    balancer = make(clock, told, "a", "b")
    lasted = []
    for rest in (0.0, 0.0, 200.0, 0.0):
        fail_at(balancer, "a")
        lasted.append(balancer.addresses[0].ejected_until - clock.now)
        clock.now += lasted[-1]
        calls(balancer, 2)
        clock.now += rest

    assert lasted == [30.0, 60.0, 90.0, 30.0]


def test_an_ejection_has_a_longest_time(clock: Clock, told: Told):
    ejection = EjectionSettings(base_time=30.0, max_time=45.0)
    balancer = make(clock, told, "a", "b", ejection=ejection)
    for _ in range(3):
        fail_at(balancer, "a")
        until = balancer.addresses[0].ejected_until
        assert until - clock.now <= 45.0
        clock.now = until
        calls(balancer, 2)


@pytest.mark.parametrize(("count", "most"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2)])
def test_no_more_than_half_are_out_and_one_is_always_in(
    clock: Clock, told: Told, count: int, most: int
):
    names = "abcde"[:count]
    balancer = make(clock, told, *names)

    for name in names:
        fail_at(balancer, name)

    assert len(told.changes) == most


def test_where_all_are_unwell_all_are_used(clock: Clock, told: Told):
    check = HealthCheckSettings(path="/health", unhealthy=1)
    balancer = make(clock, told, "a", "b", health_check=check)
    for address in balancer.addresses:
        balancer.take_check(address, is_well=False)

    assert calls(balancer, 10) == {"a": 5, "b": 5}


def test_checks_in_a_row_take_an_address_out_and_back_in(clock: Clock, told: Told):
    check = HealthCheckSettings(path="/health", healthy=2, unhealthy=3)
    balancer = make(clock, told, "a", "b", health_check=check)
    first = balancer.addresses[0]

    for is_well in (False, False, True, False, False):
        balancer.take_check(first, is_well=is_well)
    assert calls(balancer, 4) == {"a": 2, "b": 2}
    balancer.take_check(first, is_well=False)
    assert calls(balancer, 4) == {"b": 4}
    balancer.take_check(first, is_well=True)
    assert calls(balancer, 4) == {"b": 4}
    balancer.take_check(first, is_well=True)
    assert calls(balancer, 4) == {"a": 2, "b": 2}
    assert told.changes == [("a", "unhealthy"), ("a", "healthy")]


def test_one_that_returns_starts_slowly(clock: Clock, told: Told):
    balance = BalanceSettings(slow_start=10.0)
    balancer = make(clock, told, "a", "b", balance=balance)
    fail_at(balancer, "a")
    clock.now += 30.0
    call(balancer)
    clock.now += 2.5

    early = calls(balancer, 100)["a"]
    clock.now += 10.0

    assert early == pytest.approx(20, abs=2)
    assert calls(balancer, 100)["a"] == 50


def canary(**options: object) -> dict[str, object]:
    return {"split": SplitSettings(group="canary", **options)}  # type: ignore[arg-type]


CANARY = AddressSettings(url="http://c", group="canary")


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 1.0])
def test_a_share_goes_to_the_group_exactly(clock: Clock, told: Told, share: float):
    balancer = make(clock, told, "a", "b", CANARY, **canary(share=share))

    counts = calls(balancer, 200)

    assert counts["c"] == 200 * share
    assert counts["a"] == counts["b"]


def test_a_header_pins_to_a_group(clock: Clock, told: Told):
    pins = (("new", "canary"), ("old", "stable"))
    options = canary(share=0.5, header="X-Canary", pins=pins)
    balancer = make(clock, told, "a", CANARY, **options)

    assert calls(balancer, 10, x_canary="new") == {"c": 10}
    assert calls(balancer, 10, x_canary="old") == {"a": 10}
    assert calls(balancer, 10, x_canary="other") == {"a": 5, "c": 5}


def test_a_key_that_is_hashed_stays_on_its_side_of_the_split(clock: Clock, told: Told):
    balance = BalanceSettings(method="consistent_hash", header="x-session")
    options = {**canary(share=0.3), "balance": balance}
    balancer = make(clock, told, "a", "b", CANARY, **options)

    seen = [calls(balancer, 5, x_session=f"s{number}") for number in range(500)]

    assert all(len(counts) == 1 for counts in seen)
    assert sum("c" in counts for counts in seen) == pytest.approx(150, abs=30)


def test_a_group_without_a_healthy_address_is_answered_by_others(
    clock: Clock, told: Told
):
    balancer = make(clock, told, "a", CANARY, **canary(share=1.0))
    fail_at(balancer, "c")

    assert calls(balancer, 10) == {"a": 10}


def test_another_attempt_goes_elsewhere_whatever_the_method(clock: Clock, told: Told):
    balance = BalanceSettings(method="consistent_hash", header="x-session")
    balancer = make(clock, told, "a", "b", "c", balance=balance)
    tried: list[str] = []

    for _ in range(4):
        balancer.choose([("x-session", "s1")], tried)

    assert sorted(tried[:3]) == ["a", "b", "c"]
    assert tried[3] == tried[0]


def test_a_cancelled_call_says_nothing_of_its_address(clock: Clock, told: Told):
    balancer = make(clock, told, "a", "b")
    fail_at(balancer, "a", 4)
    address = balancer.addresses[0]
    address.outstanding += 1
    balancer.settle(address, "CANCELLED", is_failure=False, is_known=False)
    fail_at(balancer, "a", 1)

    assert told.changes == [("a", "ejected")]
    assert AddressCalled("product", "a", "CANCELLED") in told.events


def test_records_come_and_go_and_keep_what_is_known(clock: Clock, told: Told):
    balance = BalanceSettings(each_record=True)
    balancer = make(clock, told, "name:80", "other:81", balance=balance)
    assert balancer.renew({"http://name:80": ["10.0.0.1", "10.0.0.2"]}) != []
    kept = balancer.addresses[1]

    gone = balancer.renew({"http://name:80": ["10.0.0.2", "10.0.0.3"]})

    assert [item.label for item in gone] == ["name:80 (10.0.0.1)"]
    assert balancer.addresses[0] is kept
    assert [item.label for item in balancer.addresses] == [
        "name:80 (10.0.0.2)",
        "name:80 (10.0.0.3)",
        "other:81",
    ]
