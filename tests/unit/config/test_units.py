"""Durations and sizes as people write them."""

from __future__ import annotations

import pytest

from graphgw.config.units import parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10", 10.0),
        ("10s", 10.0),
        ("500ms", 0.5),
        ("1.5m", 90.0),
        ("2 h", 7200.0),
        ("1d", 86400.0),
        (" 3S ", 3.0),
    ],
)
def test_a_duration_becomes_seconds(text: str, seconds: float):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("10", 10),
        ("64KiB", 65536),
        ("1kb", 1000),
        ("1.5MiB", 1572864),
        ("2GB", 2 * 10**9),
    ],
)
def test_a_size_becomes_bytes(text: str, count: int):
    assert parse_size(text) == count


@pytest.mark.parametrize("parse", [parse_duration, parse_size])
@pytest.mark.parametrize(
    "text", ["", "soon", "1 week", "1e5", "1.s", "ms", "1s2s", True]
)
def test_anything_else_is_refused(parse, text: object):
    with pytest.raises(ValueError, match="must be a"):
        parse(text)


@pytest.mark.parametrize("parse", [parse_duration, parse_size])
def test_numbers_pass(parse):
    assert parse(5) == 5
