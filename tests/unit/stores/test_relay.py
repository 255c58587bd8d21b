"""Invalidations are packed, carried and taken in by tables."""

from __future__ import annotations

import gc
import json

import pytest

from graphgw.stores.memory import MemoryStore
from graphgw.stores.objects import Entry, ObjectTable
from graphgw.stores.relay import EVERYTHING, MAX_MESSAGE_BYTES, Tables, pack_tags


def kept(tables: Tables, tag: str) -> ObjectTable:
    """Return a table with one entry that has a tag."""
    table = ObjectTable(max_bytes=10_000)
    table.put("g", "a", Entry("v", since=0.0, until=60.0, tags=(tag,)), 1)
    tables.join(table)
    return table


def counts(table: ObjectTable) -> bool:
    return table.get("g", "a", 1.0) is not None


@pytest.mark.parametrize("count", [0, 1, 3, 10_000])
def test_every_tag_is_in_some_message_and_none_is_too_long(count):
    tags = [f"order-{number}" for number in range(count)]

    messages = list(pack_tags(tags))

    assert [tag for message in messages for tag in json.loads(message)] == tags
    assert all(len(message) <= MAX_MESSAGE_BYTES for message in messages)


@pytest.mark.parametrize("tag", ['"\n', "ä", "\ud800", ""])
def test_a_tag_arrives_as_it_was(tag):
    tables = Tables()
    table, other = kept(tables, tag), kept(tables, "other")

    for message in pack_tags((tag,)):
        tables.receive(message)

    assert not counts(table)
    assert counts(other)


def test_for_a_tag_that_is_too_long_everything_is_forgotten():
    tables = Tables()
    table = kept(tables, "short")

    messages = list(pack_tags(["a", "x" * MAX_MESSAGE_BYTES]))
    for message in messages:
        tables.receive(message)

    assert EVERYTHING in messages
    assert not counts(table)


def test_what_is_being_made_when_everything_is_forgotten_is_not_kept():
    table = ObjectTable(max_bytes=10_000)
    stamp, began = table.stamp_of("x"), table.version
    table.invalidate_all()

    table.put("g", "a", Entry("v", since=0.0, until=60.0, version=began), 1)

    assert not counts(table)
    assert table.stamp_of("x") != stamp


async def test_stores_with_one_relay_forget_together():
    tables = Tables()
    stores = [MemoryStore(relay=tables) for _ in range(2)]
    before = [(await store.get_many([], ["x", "y"])).stamps for store in stores]

    await stores[0].invalidate(["x"])

    for store, (x, y) in zip(stores, before, strict=True):
        stamps = (await store.get_many([], ["x", "y"])).stamps
        assert stamps[0] != x
        assert stamps[1] == y


def test_a_table_that_nobody_uses_is_let_go():
    tables = Tables()
    table = kept(tables, "x")
    known = list(tables)
    assert known == [table]

    del table, known
    gc.collect()

    assert list(tables) == []
