"""How answers become JSON."""

from __future__ import annotations

import enum

import orjson
import pytest

from graphgw.execution.response import EncodedData, GraphQLResponse


class _Color(enum.Enum):
    RED = "red"


class _Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("plain", "plain"),
        (1, "1"),
        (True, "true"),
        (None, "null"),
        (_Color.RED, "red"),
        (_Text("text"), "text"),
    ],
)
def test_objects_of_scalars_may_have_any_keys(key: object, written: str) -> None:
    data = {"before": [1], "scalar": {"inner": {key: 2}}}
    expected = {"before": [1], "scalar": {"inner": {written: 2}}}
    assert orjson.loads(GraphQLResponse(data).encode()) == {"data": expected}
    assert orjson.loads(EncodedData.of(data).text) == expected


def test_what_is_no_json_cannot_be_encoded() -> None:
    with pytest.raises(TypeError):
        GraphQLResponse({"scalar": object()}).encode()
