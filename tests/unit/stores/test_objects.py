"""Objects in memory: dated by tags, bounded, read as they are."""

from __future__ import annotations

import pytest

from graphgw.stores.objects import Entry, ObjectTable


@pytest.fixture
def table():
    return ObjectTable(max_bytes=100_000, max_tags=10)


def entry(table, value="v", *, since=0.0, until=60.0, tags=(), version=None):
    version = table.version if version is None else version
    return Entry(value, since=since, until=until, version=version, tags=tags)


def test_what_is_read_is_what_was_put(table):
    value = {"id": 1}

    table.put("g", "a", entry(table, value), 10)

    assert table.get("g", "a", 1.0).value is value
    assert table.values_since("g", ["a"], -1.0) == [value]


def test_all_are_read_or_none(table):
    table.put("g", "a", entry(table), 1)

    assert table.values_since("g", ["a", "b"], -1.0) is None


def test_what_is_older_is_not_read(table):
    table.put("g", "a", entry(table, since=5.0), 1)

    assert table.values_since("g", ["a"], 5.0) is None
    assert table.values_since("g", ["a"], 4.9) == ["v"]


def test_an_entry_ends_with_its_time(table):
    table.put("g", "a", entry(table, until=60.0), 1)

    assert table.get("g", "a", 60.0) is None
    assert (len(table), table.size) == (0, 0)


def test_an_invalidated_tag_drops_what_has_it_and_nothing_else(table):
    table.put("g", "a", entry(table, tags=("x", "y")), 1)
    table.put("g", "b", entry(table, tags=("y",)), 1)

    table.invalidate(["x"])

    assert table.get("g", "a", 1.0) is None
    assert table.values_since("g", ["b"], -1.0) == ["v"]


def test_what_was_looked_up_before_an_invalidation_is_not_kept(table):
    version = table.version
    table.invalidate(["x"])

    table.put("g", "a", entry(table, tags=("x",), version=version), 1)
    table.put("g", "b", entry(table, tags=("y",), version=version), 1)

    assert table.get("g", "a", 1.0) is None
    assert table.get("g", "b", 1.0).value == "v"


def test_too_many_tags_forget_everything_even_what_is_under_way(table):
    table.put("g", "a", entry(table), 1)
    version = table.version

    table.invalidate([f"t{number}" for number in range(11)])
    table.put("g", "b", entry(table, tags=("t1",), version=version), 1)

    assert len(table) == 0
    assert table.stamp_of("t1") > 0


def test_an_entry_that_is_replaced_is_not_counted_twice(table):
    table.put("g", "a", entry(table), 5000)
    table.put("g", "a", entry(table), 10)

    assert table.size < 1000


def test_what_was_used_outlives_what_was_not():
    table = ObjectTable(max_bytes=3000)
    for name in "abc":
        table.put("g", name, entry(table), 700)
    table.values_since("g", ["a"], -1.0)

    table.put("g", "d", entry(table), 700)

    assert [name for name in "abcd" if table.get("g", name, 1.0)] == ["a", "c", "d"]


def test_equal_keys_of_two_groups_are_two(table):
    table.put("g", "a", entry(table, 1), 1)
    table.put("h", "a", entry(table, 2), 1)

    table.discard("g", "a")

    assert table.get("g", "a", 1.0) is None
    assert table.get("h", "a", 1.0).value == 2
