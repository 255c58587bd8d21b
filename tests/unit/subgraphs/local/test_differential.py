"""Same rows, same selections: the same data and errors as graphql-core."""

import asyncio
from dataclasses import fields
from enum import Enum
from types import SimpleNamespace

import orjson
import strawberry
from graphql import build_schema, execute, parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphgw import JSONText, Subgraph, resolved


@strawberry.enum
class Colour(Enum):
    RED = "RED"
    BLUE = "BLUE"


@strawberry.type
class Leaf:
    text: str
    maybe_text: str | None
    number: int
    maybe_number: int | None
    real: float | None
    flag: bool | None
    name: strawberry.ID
    colour: Colour | None
    texts: list[str]
    maybe_texts: list[str | None] | None
    grid: list[list[int]] | None


@strawberry.type
class Node:
    leaf: Leaf
    maybe_leaf: Leaf | None
    leaves: list[Leaf]
    maybe_leaves: list[Leaf | None] | None
    grid: list[list[Leaf]] | None
    next: "Node | None"
    nodes: "list[Node] | None"


SDL = """
enum Colour { RED BLUE }
type Leaf {
  text: String!  maybeText: String  number: Int!  maybeNumber: Int  real: Float
  flag: Boolean  name: ID!  colour: Colour  texts: [String!]!  maybeTexts: [String]
  grid: [[Int!]!]
}
type Node {
  leaf: Leaf!  maybeLeaf: Leaf  leaves: [Leaf!]!  maybeLeaves: [Leaf]
  grid: [[Leaf!]!]  next: Node  nodes: [Node!]
}
type Query { node: Node  must: Node! }
"""
ORACLE = build_schema(SDL)

TEXTS = ["x", "", 5, 2.5, True]
NUMBERS = [0, -3, 2**31 - 1, 2**31, 2.0, 2.5, "7", "q", True]
REALS = [1.5, 2, float("nan"), "1.5", "q", False, 2**53 + 1]
FLAGS = [True, False, 0, 2.5, "q"]
NAMES = ["n", 5, 5.0, 2.5, True]
COLOURS = ["RED", "BLUE", "GREEN"]
GOOD_LEAF = {
    "text": "t",
    "maybeText": "m",
    "number": 1,
    "maybeNumber": 2,
    "real": 1.5,
    "flag": True,
    "name": "n",
    "colour": "RED",
    "texts": ["a"],
    "maybeTexts": ["b", None],
    "grid": [[1], []],
}
LEAF_FIELDS = [*GOOD_LEAF, "__typename", "again: text", "other: maybeNumber"]


class Rows:
    """Makes rows of which most values are right, and selections for them."""

    def __init__(self, random):
        self.random = random

    def often(self, make):
        return None if self.random.random() < 0.1 else make()

    def items(self, make):
        return [self.often(make) for _ in range(self.random.randint(0, 3))]

    def some(self, makers):
        """Most of the fields; what is left out is a missing key."""
        return {
            key: self.often(make)
            for key, make in makers.items()
            if self.random.random() < 0.95
        }

    def leaf(self):
        if self.random.random() < 0.6:
            return dict(GOOD_LEAF)
        pick = self.random.choice
        return self.some(
            {
                "text": lambda: pick(TEXTS),
                "maybeText": lambda: pick(TEXTS),
                "number": lambda: pick(NUMBERS),
                "maybeNumber": lambda: pick(NUMBERS),
                "real": lambda: pick(REALS),
                "flag": lambda: pick(FLAGS),
                "name": lambda: pick(NAMES),
                "colour": lambda: pick(COLOURS),
                "texts": lambda: self.items(lambda: "x"),
                "maybeTexts": lambda: pick(
                    ["no list", self.items(lambda: pick(TEXTS))]
                ),
                "grid": lambda: self.items(lambda: self.items(lambda: pick(NUMBERS))),
            }
        )

    def node(self, depth):
        makers = {
            "leaf": self.leaf,
            "maybeLeaf": self.leaf,
            "leaves": lambda: self.items(self.leaf),
            "maybeLeaves": lambda: self.items(self.leaf),
            "grid": lambda: self.items(lambda: self.items(self.leaf)),
        }
        if depth:
            makers["next"] = lambda: self.node(depth - 1)
            makers["nodes"] = lambda: self.items(lambda: self.node(depth - 1))
        return self.some(makers)

    def leaf_selection(self):
        return " ".join(self.random.sample(LEAF_FIELDS, self.random.randint(1, 6)))

    def node_selection(self, depth):
        names = ["leaf", "maybeLeaf", "leaves", "maybeLeaves", "grid", "l: leaves"]
        chosen = [
            f"{field} {{ {self.leaf_selection()} }}"
            for field in self.random.sample(names, self.random.randint(1, 3))
        ]
        if depth:
            chosen += [
                f"{field} {{ {self.node_selection(depth - 1)} }}"
                for field in self.random.sample(["next", "nodes", "n: nodes"], 2)
            ]
        self.random.shuffle(chosen)
        return " ".join(chosen)


def to_python_names(row):
    """The engine reads rows by Python names, the oracle by those of GraphQL."""
    if isinstance(row, list):
        return [to_python_names(item) for item in row]
    if not isinstance(row, dict):
        return row
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in key): to_python_names(
            value
        )
        for key, value in row.items()
    }


def to_objects(row, names):
    """Turn dicts into objects; what is missing is ``None``, as objects have it all."""
    if isinstance(row, list):
        return [to_objects(item, names) for item in row]
    if not isinstance(row, dict):
        return row
    values = {key: to_objects(value, names) for key, value in row.items()}
    return SimpleNamespace(**(dict.fromkeys(names) | values))


def engine_for(row, kind):
    made = to_python_names(row)
    if kind == "text":
        made = JSONText(orjson.dumps(made))
    if kind == "object":
        names = [f.name for cls in (Leaf, Node) for f in fields(cls)]
        made = to_objects(made, names)

    async def answer(_context):
        return made

    @strawberry.type
    class Query:
        node: Node | None = resolved(answer)
        must: Node = resolved(answer)

    return Subgraph("differential", query=Query)


def told(errors):
    return [(tuple(error.path), error.message) for error in errors or ()]


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)
@given(
    random=st.randoms(use_true_random=True),
    kind=st.sampled_from(["dict", "object", "text"]),
)
def test_data_and_errors_are_those_of_graphql_core(ask, random, kind):
    rows = Rows(random)
    row = rows.often(lambda: rows.node(2))
    if kind == "text":
        row = orjson.loads(orjson.dumps(row))
    root = random.choice(["node", "must"])
    document = f"{{ {root} {{ {rows.node_selection(2)} }} }}"
    expected = execute(ORACLE, parse(document), root_value={root: row})

    actual = asyncio.run(ask(engine_for(row, kind), document))

    assert actual.data == expected.data
    mine, theirs = told(actual.errors), told(expected.errors)
    assert [path for path, _ in mine] == [path for path, _ in theirs]
    for (_, message), (_, words) in zip(mine, theirs, strict=True):
        if "Enum" not in words:
            assert message == words
