"""The ways to pick an address: shares, evenness, and who moves when one comes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgw.sources.balancing.addresses import Address
from graphgw.sources.balancing.picks import (
    fraction,
    pick_by_hash,
    pick_in_turn,
    pick_least,
)


def addresses(*weights: int) -> list[Address]:
    return [Address(f"a{i}", f"http://a{i}", weight=w) for i, w in enumerate(weights)]


def labels(picked: list[Address]) -> str:
    return "".join(item.label[1:] for item in picked)


def test_weights_are_met_in_each_round_and_spread_within_it():
    among = addresses(5, 1, 1)

    assert labels([pick_in_turn(among, 0) for _ in range(14)]) == "00102000010200"


def test_in_turn_without_weights_each_is_next():
    among = addresses(5, 1, 1)

    picked = [pick_in_turn(among, 0, by_weight=False) for _ in range(6)]

    assert labels(picked) == "012012"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=8))
def test_after_a_whole_round_each_has_exactly_its_weight(weights: list[int]):
    among = addresses(*weights)

    counts = Counter(pick_in_turn(among, 0).label for _ in range(sum(weights)))

    assert [counts[item.label] for item in among] == weights


def test_a_slow_start_grows_linearly_from_a_tenth():
    address = Address("a", "http://a", since=100.0)

    shares = [address.ramp(100.0 + second, 10.0) for second in (0, 0.5, 2, 5, 10, 99)]

    assert shares == [0.1, 0.1, 0.2, 0.5, 1.0, 1.0]


def test_one_that_starts_slowly_gets_the_less():
    among = addresses(1, 1)
    among[1].since = 0.0

    counts = Counter(pick_in_turn(among, 2.5, 10.0).label for _ in range(100))

    assert counts == {"a0": 80, "a1": 20}


def test_the_least_busy_for_its_weight_is_picked():
    among = addresses(1, 4, 1)
    among[0].outstanding, among[1].outstanding, among[2].outstanding = 1, 5, 2

    assert pick_least(among, 0).label == "a1"


def test_where_all_are_idle_they_take_turns():
    among = addresses(1, 1, 1)

    assert labels([pick_least(among, 0) for _ in range(6)]) == "012012"


@given(st.text(), st.integers(2, 9), st.data())
def test_an_address_that_goes_moves_its_own_keys_alone(
    key: str, count: int, data: st.DataObject
):
    among = addresses(*[1] * count)
    gone = data.draw(st.sampled_from(among))
    before = pick_by_hash(among, key)

    after = pick_by_hash([item for item in among if item is not gone], key)

    assert before is gone or after is before


@pytest.mark.parametrize("count", [2, 4, 9])
def test_an_address_that_comes_takes_its_share_of_the_keys(count: int):
    among = addresses(*[1] * (count + 1))
    keys = [f"key {number}" for number in range(4000)]

    moved = [
        k for k in keys if pick_by_hash(among, k) is not pick_by_hash(among[:-1], k)
    ]

    assert len(moved) / len(keys) == pytest.approx(1 / (count + 1), rel=0.15)


def test_hashing_minds_weights():
    among = addresses(1, 3)

    counts = Counter(pick_by_hash(among, f"key {n}").label for n in range(4000))

    assert counts["a1"] / 4000 == pytest.approx(0.75, abs=0.03)


@given(st.text())
def test_a_fraction_lies_between_nought_and_one(text: str):
    assert 0 < fraction(text) < 1
    assert fraction(text) == fraction(text)
