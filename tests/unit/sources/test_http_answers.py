"""What is made of a service's answer."""

from __future__ import annotations

from typing import Any

import pytest

from graphgw.errors import SourceBadAnswerError, SourceError
from graphgw.sources.http_answers import AnswerReader, JSONText
from graphgw.sources.protocol import HTTPResponse
from graphgw.types import SYSTEM_CLOCK

JSON = {"content-type": "application/json; charset=utf-8"}
READER = AnswerReader("shop", SYSTEM_CLOCK)


def test_an_answer_can_be_taken_without_being_decoded() -> None:
    text = READER.read_text(HTTPResponse(200, JSON, b'{"id": 1}'))

    assert isinstance(text, JSONText)
    assert text.text == b'{"id": 1}'
    assert text.value == {"id": 1}
    assert repr(text) == "JSONText(9 bytes)"


@pytest.mark.parametrize("status", [204, 404])
def test_no_content_is_nothing_either_way(status: int) -> None:
    response = HTTPResponse(status, JSON, b"")

    assert READER.read_text(response, missing=None) is None
    assert READER.read_json(response, missing=None) is None


@pytest.mark.parametrize(
    "response",
    [
        HTTPResponse(404, JSON, b"{}"),
        HTTPResponse(500, JSON, b"{}"),
        HTTPResponse(429, JSON, b"{}"),
        HTTPResponse(200, {"content-type": "text/html"}, b"{}"),
        HTTPResponse(200, {}, b"{}"),
        HTTPResponse(200, JSON, b"{"),
    ],
)
def test_failures_are_the_same_either_way(response: HTTPResponse) -> None:
    with pytest.raises(SourceError) as failure:
        READER.read_json(response)
    with pytest.raises(SourceError, match=str(failure.value)) as other:
        _: Any = READER.read_text(response).value
    assert type(other.value) is type(failure.value)
    assert other.value.detail == failure.value.detail


def test_what_is_damaged_says_so_each_time() -> None:
    text = JSONText(b"[1,", "shop")
    for _ in range(2):
        with pytest.raises(SourceBadAnswerError, match="damaged"):
            _ = text.value
