import gzip
import zlib

import brotli
import pytest
import zstandard

from graphgw.errors import SourceAnswerTooLargeError, SourceBadAnswerError
from graphgw.sources.content_encoding import inflate

TEXT = b"hello, hello, hello! " * 100
ENCODERS = {
    "gzip": gzip.compress,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "identity": bytes,
}


def unsized_zstandard(data):
    return zstandard.ZstdCompressor(write_content_size=False).compress(data)


@pytest.mark.parametrize("encoding", ENCODERS)
def test_what_was_encoded_comes_out(encoding):
    encoded = ENCODERS[encoding](TEXT)

    assert inflate(encoding, encoded, len(TEXT)) == TEXT


@pytest.mark.parametrize("encoding", ENCODERS)
def test_nothing_comes_out_that_is_larger_than_the_limit(encoding):
    encoded = ENCODERS[encoding](TEXT)

    with pytest.raises(SourceAnswerTooLargeError):
        inflate(encoding, encoded, len(TEXT) - 1)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
        ("zstd", unsized_zstandard),
    ],
)
@pytest.mark.parametrize("cut", [1, 5, 10])
def test_a_body_that_is_cut_off_is_never_taken_for_whole(encoding, encode, cut):
    with pytest.raises(SourceBadAnswerError):
        inflate(encoding, encode(TEXT)[:-cut], 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_a_body_in_another_encoding_is_damaged(encoding):
    with pytest.raises(SourceBadAnswerError):
        inflate(encoding, b"this is plain text", 10_000)


@pytest.mark.parametrize("encoding", ["deflate", "gzip, br", "zip"])
def test_an_encoding_that_was_not_asked_for_is_a_bad_answer(encoding):
    with pytest.raises(SourceBadAnswerError):
        inflate(encoding, zlib.compress(TEXT), 10_000)


def test_members_and_frames_follow_one_another():
    two = gzip.compress(b"a") + gzip.compress(b"b")
    frames = zstandard.compress(b"a") + zstandard.compress(b"b")

    assert inflate("gzip", two, 10) == b"ab"
    assert inflate("zstd", frames, 10) == b"ab"


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_no_body_is_no_body_in_every_encoding(encoding):
    assert inflate(encoding, b"", 10) == b""
