"""Two local subgraphs that answer with as many rows as they are asked for.

``growing_remote`` answers the same in another process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import strawberry

from graphgw import RequestContext, Subgraph, batched, by, loader, reference, resolved
from graphgw import directives as d

__all__ = ["PEOPLE", "SHELF"]

_BATCH = 200
_LOOSE = d.RateLimit(limit=1_000_000, window="1s")


@dataclass
class SizeRow:
    width: int
    height: int


@strawberry.type
class Size:
    width: int
    height: int


@strawberry.type(directives=[d.RowPolicy(name="even")])
class Draft:
    number: int
    text: str


@strawberry.interface
class Work:
    id: strawberry.ID
    title: str


@strawberry.federation.type(keys=["id"], name="Person")
class Author:
    id: strawberry.ID


@strawberry.type
class Film(Work):
    minutes: int


@loader(max_batch=_BATCH, shared=True)
async def _notes(keys: list[str], _context: RequestContext) -> list[list[Any]]:
    return [[{"text": f"note {n}"} for n in range(int(key) % 3)] for key in keys]


@strawberry.type
class Note:
    text: str


@strawberry.type
class Book(Work):
    pages: int
    size: Size
    tags: list[str]
    broken: int | None
    must: int
    author: Author | None = reference(id="author_id")
    editor: Author | None = reference(id="id")
    draft: Draft | None
    owner: str
    secret: str | None = strawberry.federation.field(
        directives=[d.Owner(field="owner")]
    )
    notes: list[Note] | None = batched(_notes, key="id", directives=[_LOOSE])


def _book(number: int, count: int) -> dict[str, Any]:
    wrong = "no number" if number % 2 else number
    return {
        "id": f"{number}",
        "title": f"title {number}",
        "pages": number % 500,
        "size": SizeRow(number % 30, number % 40),
        "tags": ["a", "b"],
        "broken": wrong,
        "must": wrong,
        "author_id": f"{number % (count // 5 + 1)}",
        "draft": {"number": number, "text": "text"},
        "owner": "ada" if number % 2 else "bob",
        "secret": "secret",
    }


async def _books(
    _context: RequestContext, *, count: int, start: int = 0
) -> list[dict[str, Any]]:
    return [_book(number, count) for number in range(start, start + count)]


async def _mixed(
    _context: RequestContext, *, count: int
) -> list[Annotated[Work, strawberry.lazy("support.growing_local")]]:
    return [
        Film(id=strawberry.ID(f"{n}"), title=f"title {n}", minutes=n % 200)
        for n in range(count)
    ]


@strawberry.type(name="Query")
class ShelfQuery:
    books: list[Book] = resolved(_books, directives=[_LOOSE])
    sparse: list[Book | None] = resolved(_books)
    mixed: list[Work] = resolved(_mixed)


@loader(max_batch=_BATCH)
async def _people(keys: list[str], _context: RequestContext) -> list[Any]:
    return [
        {
            "id": key,
            "name": f"name {key}",
            "late": "no number" if int(key) % 2 else 1,
            "letters": [{"text": "one"}, {"text": "two"}],
        }
        for key in keys
    ]


@strawberry.type
class Letter:
    text: str


@strawberry.federation.type(keys=["id"], directives=[d.CacheControl(max_age=600)])
class Person:
    id: strawberry.ID
    name: str
    late: int | None
    letters: list[Letter]


async def _nobody(_context: RequestContext) -> None:
    return None


@strawberry.type(name="Query")
class PeopleQuery:
    nobody: Person | None = resolved(_nobody)


SHELF = Subgraph("shelf", query=ShelfQuery, types=[Book, Film])
PEOPLE = Subgraph("people", query=PeopleQuery, entities={Person: by("id", _people)})
