"""Path, query and body become a message, by the JSON mapping of protobuf."""

import json
from urllib.parse import urlencode

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from support.annotated import SERVICE, library_files

from graphgw.context import RequestContext
from graphgw.errors import BadRequestError, BadUserInputError, SourceBadAnswerError
from graphgw.routes.exchange import Exchange, RequestHead
from graphgw.routes.settings import RouteSettings
from graphgw.routes.targets import GRPCTarget
from graphgw.transcoding.answer import Printer
from graphgw.transcoding.descriptors import Descriptors
from graphgw.transcoding.http_rules import Binding, read_annotations
from graphgw.transcoding.request import build_message
from graphgw.types import Deadline, Principal

LIBRARY = Descriptors(library_files())


class NoBody:
    async def read(self):
        return b""


def binding(name, **changes):
    method = LIBRARY.method(f"{SERVICE}/{name}")
    known = {"method": method, "http_method": "", "path": "/"}
    first = next(read_annotations(method), None)
    if first is not None:
        known["body"] = first.body
    return Binding(**{**known, **changes})


async def build(rule, parameters=None, query="", body=None, **headers):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if body is not None:
        headers = {"content-type": "application/json", **headers}
    head = RequestHead("POST", "/", query, headers=headers)
    principal = Principal(subject="u1", claims={"org": "o1"})
    context = RequestContext(deadline=Deadline.after(5), principal=principal)
    route = RouteSettings(name="r", path="/*", max_body_bytes=10_000)
    exchange = Exchange(route, head, context, NoBody(), None)
    if body is not None:
        exchange.replace_body(content)
    message = await build_message(rule, parameters or {}, exchange, LIBRARY)
    return MessageToDict(message)


async def test_the_query_fills_fields_of_every_simple_kind():
    query = urlencode(
        [
            ("genre", "GENRE_NOVEL"),
            ("tags", "a"),
            ("tags", "b"),
            ("author.full_name", "Anna"),
            ("author.born", "1900"),
            ("since", "2026-01-31T10:00:00Z"),
            ("lent", "true"),
            ("newest", "false"),
            ("first", "7"),
        ]
    )

    assert await build(binding("ListBooks"), query=query) == {
        "genre": "GENRE_NOVEL",
        "tags": ["a", "b"],
        "author": {"fullName": "Anna", "born": 1900},
        "since": "2026-01-31T10:00:00Z",
        "lent": True,
        "first": 7,
    }


async def test_fields_have_both_of_their_names():
    for name in ("author.full_name", "author.fullName"):
        found = await build(binding("ListBooks"), query=f"{name}=Anna")

        assert found == {"author": {"fullName": "Anna"}}


async def test_an_enum_may_be_given_by_its_number():
    assert await build(binding("ListBooks"), query="genre=1") == {
        "genre": "GENRE_NOVEL"
    }


async def test_path_body_and_query_are_laid_together():
    found = await build(
        binding("CreateBook"),
        {"shelf": "s1"},
        query="dryRun=true",
        body={"name": "b", "copies": "3", "author": {"fullName": "Anna"}},
    )

    assert found == {
        "shelf": "s1",
        "dryRun": True,
        "book": {"name": "b", "copies": "3", "author": {"fullName": "Anna"}},
    }


async def test_the_path_wins_over_a_body_that_is_the_whole_message():
    body = {"name": "other", "to": "s2"}

    assert await build(binding("MoveBook"), {"name": "mine"}, body=body) == {
        "name": "mine",
        "to": "s2",
    }


async def test_fields_come_from_where_the_route_says():
    rule = binding(
        "MoveBook",
        fields=(("name", "claim.sub"), ("to", "header.X-Shelf")),
    )

    found = await build(rule, **{"x-shelf": "s9"})

    assert found == {"name": "u1", "to": "s9"}
    assert await build(
        binding("MoveBook", body=None, fields=(("to", "claim.org"),)), query="name=n"
    ) == {"name": "n", "to": "o1"}


async def test_no_spelling_takes_back_what_the_route_says():
    rule = binding("ListBooks", body="*", fields=(("author.full_name", "claim.sub"),))

    for body in (
        {"author": {"full_name": "victim"}},
        {"author": {"fullName": "victim"}},
    ):
        assert await build(rule, body=body) == {"author": {"fullName": "u1"}}
    nested = binding(
        "CreateBook", body="*", fields=(("book.printed_by.full_name", "claim.sub"),)
    )
    for body in (
        {"book": {"printed_by": {"fullName": "victim"}}},
        {"book": {"printedBy": {"full_name": "victim"}}},
    ):
        found = await build(nested, body=body)
        assert found == {"book": {"printedBy": {"fullName": "u1"}}}
    with pytest.raises(BadUserInputError, match="given twice"):
        await build(
            nested,
            body={"book": {"printedBy": {}, "printed_by": {"fullName": "victim"}}},
        )


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("ListBooks", {"query": "nope=1"}, "there is no field nope"),
        ("ListBooks", {"query": "author.nope=1"}, "there is no field author.nope"),
        ("ListBooks", {"query": "tags.x=1"}, "there is no field tags.x"),
        ("ListBooks", {"query": "author=1"}, "author is a message"),
        ("ListBooks", {"query": "first=many"}, "first"),
        ("ListBooks", {"query": "first=99999999999"}, "first"),
        ("ListBooks", {"query": "newest=1"}, "neither true nor false"),
        ("ListBooks", {"query": "genre=GENRE_POEM"}, "genre"),
        ("ListBooks", {"query": "since=yesterday"}, "since"),
        ("ListBooks", {"query": "any=1"}, "any is a message"),
        ("CreateBook", {"body": {"more": {"@type": 3}}}, "does not fit"),
        ("MoveBook", {"body": {"nope": 1}}, "nope"),
        ("MoveBook", {"body": {"to": 7}}, "to"),
        ("MoveBook", {"body": [1]}, "must be a JSON object"),
        ("CreateBook", {"body": {"author": {"born": "x"}}}, "born"),
        ("CreateBook", {"body": {"ratings": {"a": "x"}}}, "ratings"),
    ],
)
async def test_what_is_wrong_is_told_by_its_field(name, options, said):
    with pytest.raises(BadUserInputError, match=said):
        await build(binding(name), **options)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b'{"to": "\xff"}', {}, 400),
        (b"[" * 5000, {}, 400),
        (b"{}", {"content-type": "text/plain"}, 415),
    ],
)
async def test_a_body_that_is_no_json_is_refused(body, headers, status):
    with pytest.raises(BadRequestError) as caught:
        await build(binding("MoveBook"), body=body, **headers)

    assert caught.value.http_status == status


async def test_a_body_that_is_nested_too_deeply_is_refused():
    book = {"name": "leaf"}
    for _ in range(200):
        book = {"parts": [book]}

    with pytest.raises(BadUserInputError):
        await build(binding("CreateBook"), body=book)


BOOKS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text(max_size=20),
        "genre": st.sampled_from(["GENRE_NOVEL"]),
        "copies": st.integers(-(2**63), 2**63 - 1).map(str).filter(lambda t: t != "0"),
        "tags": st.lists(st.text(max_size=5), min_size=1, max_size=3),
        "author": st.fixed_dictionaries({"born": st.integers(1, 2**31 - 1)}),
        "ratings": st.dictionaries(
            st.text(max_size=5), st.integers(-(2**31), 2**31 - 1), min_size=1
        ),
        "isLent": st.booleans(),
        "weight": st.floats(allow_nan=False, allow_infinity=False).filter(bool),
    },
).map(lambda book: {key: value for key, value in book.items() if value != ""})


@given(BOOKS)
async def test_what_is_read_is_printed_again(book):
    rule = binding("CreateBook")

    found = await build(rule, body=book)

    assert found.get("book", {}) == book


def test_an_answer_that_is_no_json_is_the_service_s_failure():
    kind = LIBRARY.message_class(LIBRARY.method(f"{SERVICE}/GetBook").output_type)
    book = kind(printed_at={"seconds": 2**60})

    with pytest.raises(SourceBadAnswerError):
        Printer(GRPCTarget(service="library"), LIBRARY.pool, None).print(book)


def test_an_answer_is_printed_as_the_route_wishes():
    kind = LIBRARY.message_class(LIBRARY.method(f"{SERVICE}/GetBook").output_type)
    book = kind(name="b", author={"full_name": "Anna"})

    def printed(response_body=None, **target):
        settings = GRPCTarget(service="library", **target)
        return json.loads(Printer(settings, LIBRARY.pool, response_body).print(book))

    assert printed()["copies"] == "0"
    assert printed()["author"] == {"fullName": "Anna", "born": 0}
    assert "isLent" not in printed()
    assert printed(emit_defaults=False) == {"name": "b", "author": {"fullName": "Anna"}}
    assert printed(emit_defaults=False, use_proto_names=True)["author"] == {
        "full_name": "Anna"
    }
    assert printed("tags") == []
    assert printed("author", use_proto_names=True) == {"full_name": "Anna", "born": 0}
