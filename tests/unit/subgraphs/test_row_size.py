"""The estimated size of rows is of the right order, and quickly found."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass

import orjson
import pytest

from backends.protos import order_pb2
from graphgw.subgraphs.row_size import estimate_size

ROW = {
    "id": "p1",
    "name": "A thing of some kind",
    "price": {"cents": 1999, "currency": "EUR"},
    "tags": ["a-tag", "another-tag"],
    "rating": 4.5,
    "text": "x" * 200,
}


@dataclass
class Row:
    text: str


@pytest.mark.parametrize("count", [1, 10, 500])
def test_rows_of_json_are_about_as_large_as_they_are(count):
    text = orjson.dumps([ROW] * count)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    rows = orjson.loads(text)
    real = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()

    assert 0.7 * real < estimate_size(rows) < 2.5 * real


def test_messages_grow_with_what_is_in_them():
    small = estimate_size(order_pb2.Order(id="a"))
    large = estimate_size(order_pb2.Order(id="a" * 1000))

    assert small > 200
    assert large - small >= 1000


def test_objects_count_with_what_they_hold():
    assert estimate_size(Row("x" * 1000)) > 1000


def test_what_holds_itself_has_a_size_too():
    row = []
    row.append(row)

    assert estimate_size(row) > 0
