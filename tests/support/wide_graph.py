"""A graph with every kind of type, whose answers are what was asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Annotated
from uuid import UUID

import strawberry

from graphgw import RequestContext, Subgraph, resolved


@strawberry.enum
class Size(Enum):
    SMALL = "s"
    LARGE = "l"


@strawberry.input
class Place:
    city: str
    zip: int | None = None


@strawberry.input
class Wish:
    name: str
    size: Size = Size.SMALL
    amounts: list[float] | None = None
    place: Place | None = None


@strawberry.interface
class Thing:
    id: strawberry.ID
    size: Size


@strawberry.type
class Book(Thing):
    pages: int


@strawberry.type
class Chair(Thing):
    legs: int | None
    made: dt.date
    price: Decimal
    code: UUID


@strawberry.type
class Echo:
    text: str
    numbers: list[int | None]
    flag: bool | None
    ratio: float | None
    sizes: list[Size]
    missing: str | None


def book(id_: str) -> Book:
    return Book(id=strawberry.ID(id_), size=Size.SMALL, pages=300)


async def things(
    _context: RequestContext, *, size: Size | None = None
) -> list[Annotated[Thing, strawberry.lazy("support.wide_graph")]]:
    chair = Chair(
        id=strawberry.ID("c"),
        size=Size.LARGE,
        legs=None,
        made=dt.date(2026, 1, 2),
        price=Decimal("12.50"),
        code=UUID(int=7),
    )
    found = [book("b"), chair]
    return [thing for thing in found if size in {None, thing.size}]


async def thing(
    _context: RequestContext,
    *,
    id: strawberry.ID,  # noqa: A002 - the argument's name
) -> Annotated[Thing, strawberry.lazy("support.wide_graph")] | None:
    return book(id) if len(id) % 2 else None


async def echo(
    _context: RequestContext,
    *,
    text: str = "",
    numbers: list[int | None] | None = None,
    flag: bool | None = None,
    ratio: float | None = None,
    sizes: list[Size] | None = None,
) -> Echo:
    return Echo(
        text=text,
        numbers=numbers or [],
        flag=flag,
        ratio=ratio,
        sizes=sizes or [],
        missing=None,
    )


async def wishes(_context: RequestContext, *, wish: Wish, copies: int) -> int:
    return min(copies, len(wish.name))


@strawberry.type
class Query:
    things: list[Thing] = resolved(things)
    thing: Thing | None = resolved(thing)
    echo: Echo = resolved(echo)


@strawberry.type
class Mutation:
    wish: int = resolved(wishes)


subgraph = Subgraph("wide", query=Query, mutation=Mutation, types=[Book, Chair])
