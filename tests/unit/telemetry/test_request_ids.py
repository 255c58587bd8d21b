from __future__ import annotations

import pytest

from graphgw.telemetry.request_ids import RequestIds, is_request_id


def test_ids_differ_within_and_between_gateways():
    one, other = RequestIds(), RequestIds()

    ids = {one.next() for _ in range(1000)} | {other.next() for _ in range(1000)}

    assert len(ids) == 2000
    assert {len(name) for name in ids} == {32}
    assert all(is_request_id(name) for name in ids)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("4bf92f3577b34da6a3ce929d0e0e4736", True, id="hexadecimal"),
        pytest.param("Root=1-67891233-abcdef", True, id="tracing"),
        pytest.param("", False, id="empty"),
        pytest.param("a" * 129, False, id="too-long"),
        pytest.param("a b", False, id="space"),
        pytest.param("a\nb", False, id="line-end"),
        pytest.param("a\n", False, id="line-end-at-the-end"),
        pytest.param("é", False, id="not-ascii"),
    ],
)
def test_only_short_plain_ids_of_clients_are_used(text, expected):
    assert is_request_id(text) is expected
