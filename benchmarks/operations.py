"""The five operations, each with variables that change from request to request.

None of their fields needs a principal. ``User.orders`` has a rate limit, which one
series of measurements switches off and another leaves on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson

__all__ = [
    "GROWTH",
    "OPERATIONS",
    "BenchmarkOperation",
    "find_operation",
    "http_request",
]

_VARIANTS: Final = 499
"""A prime, so that rotation meets every row sooner or later."""


@dataclass(frozen=True, slots=True)
class BenchmarkOperation:
    """One of the five."""

    name: str
    title: str
    query: str
    variants: tuple[dict[str, Any], ...]
    """Variables, to be used in turn."""


def _by_id(number: int) -> dict[str, Any]:
    return {"id": f"u{number * 2 + 1}"}


def _both_ids(number: int) -> dict[str, Any]:
    return {"user": f"u{number * 2 + 1}", "product": f"p{number * 2 + 2}"}


def _after_user(number: int) -> dict[str, Any]:
    return {"after": f"u{number * 2 + 1}"}


def _after_product(number: int) -> dict[str, Any]:
    return {"after": f"p{number * 2 + 1}"}


def _operation(name: str, title: str, query: str, variables: Any) -> BenchmarkOperation:
    variants = tuple(variables(number) for number in range(_VARIANTS))
    return BenchmarkOperation(name, title, query, variants)


OPERATIONS: Final = {
    operation.name: operation
    for operation in (
        _operation(
            "q1",
            "one user, 2 fields",
            "query Q1($id: ID!) { user(id: $id) { id name } }",
            _by_id,
        ),
        _operation(
            "q2",
            "10 users with orders, items, products, notifications",
            """query Q2($after: ID) {
  users(first: 10, after: $after) {
    nodes {
      id
      name
      orders(first: 5) {
        nodes {
          id
          status
          items { quantity product { id name price { cents } } }
        }
      }
      notifications(first: 3) { nodes { id title } }
    }
  }
}""",
            _after_user,
        ),
        _operation(
            "q3",
            "1,000 products x 5 fields",
            """query Q3($after: ID) {
  products(first: 1000, after: $after) {
    nodes { id name category rating price { cents } }
  }
}""",
            _after_product,
        ),
        _operation(
            "q4",
            "50 users with everything (750 items)",
            """query Q4($after: ID) {
  users(first: 50, after: $after) {
    nodes {
      id
      name
      bio
      createdAt
      address { street city postalCode country }
      orders(first: 5) {
        totalCount
        nodes {
          id
          status
          createdAt
          deliveredAt
          items {
            quantity
            unitPrice { cents }
            product { id name }
          }
        }
      }
      notifications(first: 3) {
        totalCount
        unreadCount
        nodes { id kind title body isRead createdAt }
      }
    }
  }
}""",
            _after_user,
        ),
        _operation(
            "q5",
            "two root fields in parallel",
            """query Q5($user: ID!, $product: ID!) {
  user(id: $user) { id name }
  product(id: $product) { id name }
}""",
            _both_ids,
        ),
    )
}

_SIZES: Final = (10, 30, 100, 300, 1_000, 3_000, 10_000)
_GROWTH: Final = """query Growth($first: Int!, $after: ID) {
  users(first: $first, after: $after) {
    nodes {
      id
      name
      createdAt
      address { city country }
      orders(first: 5) {
        nodes { id status items { quantity product { id name } } }
      }
      notifications(first: 3) { totalCount nodes { id title } }
    }
  }
}"""


def _growing(size: int) -> BenchmarkOperation:
    def variables(number: int) -> dict[str, Any]:
        return {"first": size, **_after_user(number)}

    title = f"{size:,} users with orders, items, products, notifications"
    return _operation(f"rows_{size}", title, _GROWTH, variables)


GROWTH: Final = {size: _growing(size) for size in _SIZES}
"""One operation by the number of rows that it returns: from few to many."""


def find_operation(name: str) -> BenchmarkOperation:
    """Return one of the five, or one of those that grow."""
    grown = {operation.name: operation for operation in GROWTH.values()}
    return OPERATIONS.get(name) or grown[name]


def http_request(
    operation: BenchmarkOperation,
    variables: dict[str, Any],
    *,
    is_graphql: bool,
    token: str = "",
) -> bytes:
    """Return the bytes of one request: GraphQL by POST, or a plain GET."""
    if not is_graphql:
        target = f"/{operation.name}?{urlencode(variables)}"
        return f"GET {target} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
    body = orjson.dumps({"query": operation.query, "variables": variables})
    head = (
        "POST /graphql HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"accept: application/json\r\ncontent-length: {len(body)}\r\n"
    )
    if token:
        head += f"authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + body
