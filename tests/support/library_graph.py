"""A federated library over one set of rows, and the same rows as a monolith.

Accounts, reviews, catalog and stock share entities; an interface and a union have
members whose fields lie in several subgraphs; one field requires two others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.fake_subgraph import REPRESENTATION, FakeSubgraph
from support.graphs import FakeGraph, supergraph_header

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BREAKABLE", "LIBRARY_SDL", "Library"]

LIBRARY_SDL = (
    supergraph_header("ACCOUNTS", "REVIEWS", "CATALOG", "STOCK")
    + """
enum Mood { HAPPY SAD SECRET @inaccessible }
type Query
  @join__type(graph: ACCOUNTS) @join__type(graph: REVIEWS)
  @join__type(graph: CATALOG) @join__type(graph: STOCK)
{
  me: User @join__field(graph: ACCOUNTS)
  user(id: ID!): User @join__field(graph: ACCOUNTS)
  users(first: Int = 3): [User!] @join__field(graph: ACCOUNTS)
  reviews: [Review]! @join__field(graph: REVIEWS)
  items: [Item!]! @join__field(graph: CATALOG)
  item(id: ID!): Item @join__field(graph: CATALOG)
  things: [Thing] @join__field(graph: CATALOG)
  shelves: [Shelf!] @join__field(graph: STOCK)
}
type User
  @join__type(graph: ACCOUNTS, key: "id")
  @join__type(graph: REVIEWS, key: "id")
  @join__type(graph: CATALOG, key: "id", resolvable: false)
{
  id: ID!
  name: String! @join__field(graph: ACCOUNTS)
  age: Int @join__field(graph: ACCOUNTS)
  mood: Mood @join__field(graph: ACCOUNTS)
  friends: [User!] @join__field(graph: ACCOUNTS)
  reviews(min: Int = 0): [Review!] @join__field(graph: REVIEWS)
  score: Float @join__field(graph: REVIEWS)
}
type Review
  @join__type(graph: REVIEWS, key: "id")
{ id: ID! stars: Int! text: String author: User about: Book }
interface Item @join__type(graph: CATALOG) { id: ID! title: String owner: User }
type Book implements Item
  @join__implements(graph: CATALOG, interface: "Item")
  @join__type(graph: CATALOG, key: "id")
  @join__type(graph: REVIEWS, key: "id")
  @join__type(graph: STOCK, key: "id")
{
  id: ID!
  title: String @join__field(graph: CATALOG)
  owner: User @join__field(graph: CATALOG)
  price: Float @join__field(graph: CATALOG) @join__field(graph: STOCK, external: true)
  weight: Int! @join__field(graph: CATALOG) @join__field(graph: STOCK, external: true)
  reviews: [Review!] @join__field(graph: REVIEWS)
  copies: Int @join__field(graph: STOCK)
  shipping: Float @join__field(graph: STOCK, requires: "price weight")
  shelf: Shelf @join__field(graph: STOCK)
}
type Film implements Item
  @join__implements(graph: CATALOG, interface: "Item")
  @join__type(graph: CATALOG, key: "id")
  @join__type(graph: STOCK, key: "id")
{
  id: ID!
  title: String @join__field(graph: CATALOG)
  owner: User @join__field(graph: CATALOG)
  minutes: Int! @join__field(graph: CATALOG)
  copies: Int! @join__field(graph: STOCK)
}
union Thing
  @join__type(graph: CATALOG)
  @join__unionMember(graph: CATALOG, member: "Book")
  @join__unionMember(graph: CATALOG, member: "Film")
  @join__unionMember(graph: CATALOG, member: "User")
  = Book | Film | User
type Shelf @join__type(graph: STOCK) { code: ID! books: [Book]! grid: [[Int]!] }
"""
)

_ACCOUNTS = """
enum Mood { HAPPY SAD SECRET }
type Query { me: User user(id: ID!): User users(first: Int = 3): [User!] }
type User { id: ID! name: String! age: Int mood: Mood friends: [User!] }
"""
_REVIEWS = """
type Query { reviews: [Review]! }
type User { id: ID! reviews(min: Int = 0): [Review!] score: Float }
type Review { id: ID! stars: Int! text: String author: User about: Book }
type Book { id: ID! reviews: [Review!] }
"""
_CATALOG = """
type Query { items: [Item!]! item(id: ID!): Item things: [Thing] }
interface Item { id: ID! title: String owner: User }
type Book implements Item {
  id: ID! title: String owner: User price: Float weight: Int!
}
type Film implements Item { id: ID! title: String owner: User minutes: Int! }
type User { id: ID! }
union Thing = Book | Film | User
"""
_STOCK = """
type Query { shelves: [Shelf!] }
type Book {
  id: ID! price: Float weight: Int! copies: Int shipping: Float shelf: Shelf
}
type Film { id: ID! copies: Int! }
type Shelf { code: ID! books: [Book]! grid: [[Int]!] }
"""

BREAKABLE = tuple(
    (type_name, key, name)
    for type_name, keys, names in (
        ("User", "1234", ("name", "age", "mood", "friends", "reviews", "score")),
        ("Review", "12345", ("stars", "text", "author", "about")),
        ("Book", "123", ("title", "owner", "reviews", "copies", "shelf")),
        ("Film", "45", ("title", "owner", "minutes", "copies")),
    )
    for key in keys
    for name in names
)
"""Fields of rows that a test may set to null or to an exception."""


@dataclass
class Library:
    """The rows, and who answers over them."""

    rows: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._add_users()
        self._add_items()
        self._add_reviews()
        books, films = self._all("Book"), self._all("Film")
        users = self._all("User")
        shelves = [
            {"code": "s1", "books": [books[0], None, books[2]], "grid": [[1, None]]},
            {"code": "s2", "books": [], "grid": None},
        ]
        books[0]["shelf"] = books[2]["shelf"] = shelves[0]
        self.data = {
            "me": users[0],
            "user": lambda _row, **given: self.rows.get(("User", given["id"])),
            "users": lambda _row, first=3: users[: first or 0],
            "reviews": [*self._all("Review"), None],
            "items": [*books, *films],
            "item": lambda _row, **given: next(
                (row for row in (*books, *films) if row["id"] == given["id"]), None
            ),
            "things": [books[1], users[1], None, films[0], users[2]],
            "shelves": shelves,
        }

    def graph(self) -> FakeGraph:
        """Return the federated library; its subgraphs see all rows."""
        subgraphs = {}
        for name, sdl in (
            ("ACCOUNTS", _ACCOUNTS),
            ("REVIEWS", _REVIEWS),
            ("CATALOG", _CATALOG),
            ("STOCK", _STOCK),
        ):
            entities = {
                type_name: self._all(type_name)
                for type_name in ("User", "Review", "Book", "Film")
                if f"type {type_name} " in sdl
            }
            subgraphs[name] = FakeSubgraph(name.lower(), sdl, self.data, entities)
        return FakeGraph.read(LIBRARY_SDL, subgraphs)

    def _all(self, type_name: str) -> list[dict[str, Any]]:
        return [row for (name, _), row in self.rows.items() if name == type_name]

    def _add(self, type_name: str, key: str, **values: Any) -> dict[str, Any]:
        row = {"__typename": type_name, "id": key, **values}
        self.rows[type_name, key] = row
        return row

    def _add_users(self) -> None:
        moods: list[str | None] = ["HAPPY", "SAD", "SECRET", None]
        users = [
            self._add("User", str(n), name=f"u{n}", age=n * 10, mood=moods[n - 1])
            for n in range(1, 5)
        ]
        for index, user in enumerate(users):
            user["friends"] = [users[index - 1], users[index - 2]][: index + 1]
            user["score"] = None if index == 1 else index + 0.5
            user["reviews"] = self._reviews_of("author", str(index + 1))
        users[3]["friends"] = None

    def _add_items(self) -> None:
        for n in range(1, 4):
            self._add(
                "Book",
                str(n),
                title=None if n == 2 else f"b{n}",
                owner=self.rows["User", str(n)],
                price=None if n == 3 else n * 1.5,
                weight=n * 100,
                reviews=self._reviews_of("about", str(n)),
                copies=n,
                shipping=_shipping,
                shelf=None,
            )
        for n in (4, 5):
            owner = self.rows["User", "1"] if n == 4 else None
            self._add(
                "Film", str(n), title=f"f{n}", owner=owner, minutes=n * 30, copies=n
            )

    def _add_reviews(self) -> None:
        for n in range(1, 6):
            self._add(
                "Review",
                str(n),
                stars=n,
                text=None if n == 4 else f"r{n}",
                author=self.rows["User", str(n % 4 + 1)],
                about=None if n == 5 else self.rows["Book", str(n % 3 + 1)],
            )

    def _reviews_of(self, name: str, key: str) -> Callable[..., list[Any]]:
        def reviews(_row: Any, min: int | None = 0) -> list[Any]:  # noqa: A002
            return [
                row
                for row in self._all("Review")
                if isinstance(row[name], dict)
                and row[name]["id"] == key
                and (not isinstance(row["stars"], int) or row["stars"] >= (min or 0))
            ]

        return reviews


def _shipping(row: dict[str, Any]) -> float | None:
    """Use what the representation says, as the stock subgraph has no prices."""
    known = row.get(REPRESENTATION, row)
    price, weight = known["price"], known["weight"]
    return None if price is None else float(price + weight)
