"""Answers as they are read from bytes, however those are cut."""

from __future__ import annotations

import pytest

from graphgw.errors import SourceAnswerTooLargeError, SourceError
from graphgw.sources.http_transport.framing import AnswerParser

OK = b"HTTP/1.1 200 OK\r\n"
HELLO = OK + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
EARLY = b"HTTP/1.1 103 Early Hints\r\nlink: <a>\r\n\r\n"
LIMIT = 2000

SIZES = pytest.mark.parametrize("size", [1, 7, 100_000], ids=lambda n: f"{n}-bytes")


def feed(parser: AnswerParser, data: bytes, size: int = 100_000, *, is_head=False):
    for start in range(0, len(data), size):
        parser.feed(data[start : start + size], "user", is_head=is_head)
        if parser.failure is not None:
            break


def read(data: bytes, size: int = 100_000, *, is_head: bool = False) -> AnswerParser:
    parser = AnswerParser(LIMIT)
    feed(parser, data, size, is_head=is_head)
    return parser


def fail(data: bytes, size: int) -> SourceError | None:
    return read(data, size).failure


@SIZES
@pytest.mark.parametrize(
    ("data", "headers"),
    [
        pytest.param(HELLO, [(b"content-length", b"5")], id="length"),
        pytest.param(
            CHUNKED + b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nx-late: 9\r\n\r\n",
            [(b"transfer-encoding", b"chunked")],
            id="chunks",
        ),
        pytest.param(EARLY * 3 + HELLO, [(b"content-length", b"5")], id="early-hints"),
    ],
)
def test_an_answer_is_the_same_however_it_is_cut(data, headers, size):
    parser = read(data, size)

    assert (parser.status, parser.headers) == (200, headers)
    assert (parser.is_complete, parser.is_kept) == (True, True)
    assert parser.take_body() == b"hello"


def test_a_reader_reads_one_answer_after_the_other():
    parser = AnswerParser(LIMIT)
    bodies = []
    for _ in range(2000):
        feed(parser, CHUNKED + b"2\r\nok\r\n")
        feed(parser, b"0\r\n\r\n")
        bodies.append(parser.take_body())
        parser.reset()

    assert set(bodies) == {b"ok"}


def test_what_follows_an_answer_changes_nothing_of_it():
    parser = read(
        HELLO + b"HTTP/1.1 404 Not Found\r\nx: y\r\ncontent-length: 0\r\n\r\n"
    )

    assert (parser.status, parser.headers) == (200, [(b"content-length", b"5")])
    assert parser.take_body() == b"hello"
    assert not parser.is_kept


def test_what_comes_after_an_answer_ends_the_trust_in_its_connection():
    parser = read(HELLO)
    assert parser.is_kept

    feed(parser, b"!")

    assert parser.is_complete
    assert not parser.is_kept


@SIZES
def test_an_answer_to_head_is_the_one_after_the_informational_ones(size):
    parser = read(EARLY + OK + b"content-length: 9\r\n\r\n", size, is_head=True)

    assert (parser.status, parser.headers) == (200, [(b"content-length", b"9")])
    assert parser.is_complete
    assert not parser.is_kept


def test_an_answer_to_head_may_speak_of_a_body_that_is_too_large():
    parser = AnswerParser(LIMIT, 100)

    feed(parser, OK + b"content-length: 101\r\n\r\n", is_head=True)

    assert parser.failure is None
    assert parser.is_complete


@pytest.mark.parametrize(
    ("answer", "is_whole"),
    [
        pytest.param(OK + b"\r\nhello", True, id="no-length"),
        pytest.param(OK + b"content-length: 9\r\n\r\nhello", False, id="length"),
        pytest.param(CHUNKED + b"5\r\nhello\r\n", False, id="chunks"),
        pytest.param(OK + b"x: y\r\n", False, id="half-a-head"),
        pytest.param(EARLY, False, id="informational"),
        pytest.param(b"", False, id="nothing"),
    ],
)
def test_only_an_answer_without_a_length_ends_with_its_connection(answer, is_whole):
    parser = read(answer)

    assert parser.end() is is_whole
    assert parser.is_complete is is_whole
    assert not parser.is_kept


@SIZES
@pytest.mark.parametrize("more", [b"", b"x" * 5000], ids=["alone", "with-body"])
def test_a_head_is_bounded_by_its_bytes_however_they_are_cut(more, size):
    length = b"content-length: %d\r\n\r\n" % len(more)

    def head(total: int) -> bytes:
        given = OK + length
        names = [b"x-%04d: %b\r\n" % (number, b"a" * 90) for number in range(total)]
        return given[: -len(length)] + b"".join(names) + length + more

    assert fail(head(18), size) is None
    assert isinstance(fail(head(21), size), SourceAnswerTooLargeError)


@SIZES
@pytest.mark.parametrize(
    "endless",
    [
        pytest.param(b"HTTP/1.1 200 " + b"a" * 9000, id="reason"),
        pytest.param(EARLY * 200, id="early-hints"),
        pytest.param(CHUNKED + b"0\r\n" + b"x: y\r\n" * 2000, id="trailers"),
        pytest.param(CHUNKED + b"5;" + b"a" * 9000, id="chunk-extension"),
    ],
)
def test_nothing_around_a_body_is_endless(endless, size):
    parser = AnswerParser(LIMIT)
    for start in range(0, len(endless), 1000):
        feed(parser, endless[start : start + 1000], size)

    assert isinstance(parser.failure, SourceAnswerTooLargeError)


@SIZES
def test_a_body_is_bounded_by_what_was_not_taken(size):
    data = CHUNKED + b"a\r\n0123456789\r\n" * 20
    parser = AnswerParser(LIMIT, 100)
    feed(parser, data, size)

    taking = AnswerParser(LIMIT, 100)
    for start in range(0, len(data), 50):
        feed(taking, data[start : start + 50], size)
        taking.take_body()

    assert isinstance(parser.failure, SourceAnswerTooLargeError)
    assert taking.failure is None
