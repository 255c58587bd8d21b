import pytest
from hpack import Decoder as TheirDecoder
from hpack import Encoder as TheirEncoder
from hypothesis import given
from hypothesis import strategies as st

from graphgw.sources.grpc_transport.hpack import (
    Decoder,
    HPACKError,
    encode_field,
    encode_text,
)
from graphgw.sources.grpc_transport.huffman import HuffmanError, decode_huffman

NAMES = st.sampled_from([b":status", b"content-type", b"x-a", b"x-b", b"server"])
FIELDS = st.tuples(NAMES | st.binary(max_size=40), st.binary(max_size=200))
BLOCKS = st.lists(
    st.tuples(st.lists(FIELDS, max_size=8), st.booleans(), st.sampled_from([0, 64])),
    max_size=12,
)


@given(BLOCKS)
def test_what_another_library_encodes_is_read(blocks):
    encoder, decoder = TheirEncoder(), Decoder(1 << 20)

    for fields, is_huffman, shrink in blocks:
        encoder.header_table_size = 4096 - shrink
        block = encoder.encode(fields, huffman=is_huffman)
        assert decoder.decode(block) == tuple(fields)


@given(st.lists(FIELDS, max_size=8))
def test_another_library_reads_what_is_encoded(fields):
    block = b"".join(encode_field(name, value) for name, value in fields)

    assert TheirDecoder().decode(block, raw=True) == fields


@given(st.binary(max_size=300))
def test_damaged_blocks_are_refused_and_nothing_else(block):
    decoder = Decoder(1 << 16)

    try:
        decoder.decode(block)
    except HPACKError as error:
        assert str(error)  # noqa: PT017 - some blocks are in order


def test_the_examples_of_the_specification_are_read():
    # RFC 7541, C.6: responses with Huffman code, one after the other, 256 bytes.
    decoder = Decoder(1 << 16)
    first = bytes.fromhex(
        "3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff"
        "6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    )
    second = bytes.fromhex("4883640effc1c0bf")

    assert decoder.decode(first) == (
        (b":status", b"302"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    )
    assert decoder.decode(second) == (
        (b":status", b"307"),
        (b"cache-control", b"private"),
        (b"date", b"Mon, 21 Oct 2013 20:13:21 GMT"),
        (b"location", b"https://www.example.com"),
    )


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x80", id="index-zero"),
        pytest.param(b"\xbe", id="index-past-the-table"),
        pytest.param(b"\xff\xff\xff\xff\xff\x7f", id="number-too-large"),
        pytest.param(b"\xff" + b"\x80" * 100, id="number-without-end"),
        pytest.param(b"\xff", id="number-cut-off"),
        pytest.param(b"\x40\x05ab", id="text-cut-off"),
        pytest.param(b"\x40", id="nothing-after-literal"),
        pytest.param(b"\x88\x20", id="table-resized-late"),
        pytest.param(b"\x3f\xe2\x1f", id="table-too-large"),
        pytest.param(b"\x40\x81\xff\x01a", id="huffman-padding-too-long"),
        pytest.param(b"\x40\x84\xff\xff\xff\xff\x01a", id="huffman-end-of-string"),
    ],
)
def test_a_damaged_block_is_refused(block):
    with pytest.raises(HPACKError):
        Decoder(1 << 16).decode(block)


def test_a_list_that_is_too_large_is_not_kept_but_counts_for_the_table():
    encoder, decoder = TheirEncoder(), Decoder(100)
    large = [(b"x-a", b"1"), (b"x-b", b"2" * 100)]

    assert decoder.decode(encoder.encode(large)) is None
    assert decoder.decode(encoder.encode(large[:1])) == tuple(large[:1])


def test_a_bomb_of_indexed_headers_takes_no_memory():
    decoder = Decoder(1 << 16)
    field = b"\x40" + encode_text(b"x") + encode_text(b"v" * 4000)

    decoder.decode(field)

    assert decoder.decode(b"\xbe" * 60_000) is None


def test_changes_tell_when_blocks_mean_something_else():
    decoder = Decoder(1 << 16)

    decoder.decode(b"\x88")
    assert decoder.changes == 0
    decoder.decode(b"\x40\x01a\x01b")
    assert decoder.changes == 1
    decoder.decode(b"\x20")
    assert decoder.changes == 2


def test_wrong_padding_is_refused():
    with pytest.raises(HuffmanError, match="padding"):
        decode_huffman(b"\x00")
