"""The subgraphs of ``growing_local`` as GraphQL servers, in a process of their own.

Each answers what its document names anywhere, under every alias that it gives.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

__all__ = ["PEOPLE", "SHELF"]

SHELF = """
type Query {
  books(count: Int!, start: Int! = 0): [Book!]!
    @rateLimit(limit: 1000000, window: "1s")
  sparse(count: Int!, start: Int! = 0): [Book]!
  mixed(count: Int!): [Work!]!
}
interface Work { id: ID! title: String! }
type Film implements Work { id: ID! title: String! minutes: Int! }
type Book implements Work {
  id: ID!  title: String!  pages: Int!  size: Size!  tags: [String!]!
  broken: Int  must: Int!  author: Person  editor: Person  draft: Draft
  owner: String!  secret: String @owner(field: "owner")
  notes: [Note!] @rateLimit(limit: 1000000, window: "1s")
}
type Size { width: Int! height: Int! }
type Draft @rowPolicy(name: "even") { number: Int! text: String! }
type Note { text: String! }
type Person @key(fields: "id") { id: ID! }
"""
PEOPLE = """
type Query { nobody: Person }
type Person @key(fields: "id") @cacheControl(maxAge: 600) {
  id: ID!  name: String!  late: Int  letters: [Letter!]!
}
type Letter { text: String! }
"""
_FIELDS = re.compile(r"(?<!\$)\b(?:([A-Za-z_]\w*): )?([A-Za-z_]\w*)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def _book(number: int, count: int) -> dict[str, Any]:
    return {
        "__typename": "Book",
        "id": f"{number}",
        "title": f"title {number}",
        "pages": number % 500,
        "size": {"width": number % 30, "height": number % 40},
        "tags": ["a", "b"],
        "broken": None if number % 2 else number,
        "must": None if number % 2 else number,
        "author": {"__typename": "Person", "id": f"{number % (count // 5 + 1)}"},
        "editor": {"__typename": "Person", "id": f"{number}"},
        "draft": {"number": number, "text": "text"},
        "owner": "ada" if number % 2 else "bob",
        "secret": "secret",
        "notes": [{"text": f"note {n}"} for n in range(number % 3)],
    }


def _person(sent: dict[str, Any]) -> dict[str, Any]:
    return {
        "__typename": "Person",
        "id": sent["id"],
        "name": f"name {sent['id']}",
        "late": None if int(sent["id"]) % 2 else 1,
        "letters": [{"text": "one"}, {"text": "two"}],
    }


def _film(number: int) -> dict[str, Any]:
    title, minutes = f"title {number}", number % 200
    return {
        "__typename": "Film",
        "id": f"{number}",
        "title": title,
        "minutes": minutes,
    }


def _cut(value: Any, names: dict[str, list[str]]) -> Any:
    """Return a value with the fields that are named, under their response keys."""
    if isinstance(value, list):
        return [_cut(item, names) for item in value]
    if isinstance(value, dict):
        return {
            key: _cut(item, names)
            for name, item in value.items()
            for key in names.get(name, ())
        }
    return value


def _answer(body: bytes) -> bytes:
    request = json.loads(body)
    names: dict[str, list[str]] = {}
    for alias, name in _FIELDS.findall(request["query"]):
        names.setdefault(name, []).append(alias or name)
    variables = request.get("variables") or {}
    errors: list[dict[str, Any]] = []
    if "_entities" in names:
        field, rows = "_entities", [_person(r) for r in variables["representations"]]
    elif "mixed" in names:
        field, rows = "mixed", [_film(n) for n in range(variables["count"])]
    else:
        field, count = ("sparse" if "sparse" in names else "books"), variables["count"]
        start = variables.get("start", 0)
        rows = [_book(n, count) for n in range(start, start + count)]
    for name in names.keys() & {"broken", "must", "late"}:
        errors += [
            {"message": "no number", "path": [field, index, name]}
            for index, row in enumerate(rows)
            if row[name] is None
        ]
    answer: dict[str, Any] = {"data": {field: _cut(rows, names)}}
    if errors:
        answer["errors"] = errors
    return json.dumps(answer).encode()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            assert found is not None
            answer = _answer(await reader.readexactly(int(found[1])))
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(answer), answer)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"listening on 127.0.0.1:{port}", flush=True)  # noqa: T201 - for who started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
