"""JSON that nobody decoded is kept as it is, if it is JSON."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgw.sources.http_answers import JSONText
from graphgw.subgraphs.row_codec import decode_row, encode_row

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_text_comes_back_as_it_was(value):
    encoded = encode_row(JSONText(orjson.dumps(value)))

    kept = decode_row(encoded)

    assert isinstance(kept, JSONText)
    assert kept.value == value


@pytest.mark.parametrize(
    "text",
    [b"", b'{"a": 1', b'{"a": 1} x', b"[1,]", b"[NaN]", b'"\xff"', b'{"\xc3": 1}'],
)
def test_what_is_no_json_is_not_kept(text):
    assert encode_row(JSONText(text)) is None


@given(st.binary(max_size=30))
def test_what_is_kept_can_be_decoded(text):
    if encode_row(JSONText(text)) is not None:
        orjson.loads(text)
