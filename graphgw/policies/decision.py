"""A decision: what policies say of one operation before it is planned."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.errors import RequestError
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.stores.protocol import Draw, Store
    from graphgw.types import JSONObject

__all__ = [
    "ALLOWED",
    "AllowRows",
    "Debit",
    "Decision",
    "Outcome",
    "Policy",
    "Refusal",
    "RowRule",
    "RowStep",
    "combine",
]

AllowRows: TypeAlias = Callable[
    ["RequestContext", list[dict[str, Any]], dict[str, Any]], Awaitable[list[bool]]
]
"""``async def allow(context, rows, variables) -> list[bool]``; it never raises."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One selection that this caller may not have.

    ``path`` is the response path up to the first list, for the client's error.
    """

    selection: SelectionPath
    coordinate: str
    message: str
    code: str
    path: tuple[str, ...] = ()
    extensions: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Debit:
    """The estimated cost of an operation, and where it was drawn from, if at all.

    ``measure`` returns the actual cost for the data of the answer.
    """

    estimate: int
    measure: Callable[[Any], int] = field(repr=False, compare=False)
    draw: Draw | None = None
    store: Store | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """Refused selections, headers for the answer, or one refusal of everything.

    ``invalidates`` are the tags of cached values that the operation changes,
    ``debit`` what it paid beforehand.
    """

    refusals: tuple[Refusal, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    refusal: RequestError | None = None
    invalidates: tuple[str, ...] = ()
    debit: Debit | None = None


ALLOWED: Final = Decision()


@dataclass(frozen=True, slots=True)
class RowStep:
    """One step to the rows of a column: read ``key``, walk into lists.

    Where ``types`` is not empty, only objects whose ``__typename`` is one of them are
    walked through; one that does not name its type is taken for any.
    """

    key: str
    list_depth: int = 0
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowRule:
    """What is decided row by row, once the rows are in the response tree.

    ``path`` leads to the rows, and ``key`` is what a refused row may not show;
    without it the row itself becomes null. ``reads`` are the response keys that are
    read from each row, with the names that the rule knows them by: a row without one
    of them is refused. ``coordinate`` and ``error_path`` are for the client's error.
    A shadow rule refuses nothing and is reported.
    """

    path: tuple[RowStep, ...]
    key: str | None
    reads: tuple[tuple[str, str], ...]
    coordinate: str
    error_path: tuple[str, ...]
    allow: AllowRows = field(repr=False, compare=False)
    identity: tuple[str, ...] = ()
    """Tells rules on the same rows apart."""
    is_shadow: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the operation, for policies to settle accounts."""

    status: int
    has_errors: bool = False
    data: Any = field(default=None, repr=False)
    is_complete: bool = False
    """Whether there was an answer; without one nobody knows what was done."""


class Policy(Protocol):
    """Decides before planning, settles after the answer."""

    async def decide(
        self, context: RequestContext, operation: Operation, variables: JSONObject
    ) -> Decision:
        """Say what of the operation may run, without calling a backend."""
        ...

    async def settle(
        self, context: RequestContext, decision: Decision, outcome: Outcome
    ) -> None:
        """Account for what ran."""
        ...


def combine(first: Decision, second: Decision) -> Decision:
    """Join two decisions; the first refusal of everything counts."""
    return Decision(
        refusals=first.refusals + second.refusals,
        headers=first.headers + second.headers,
        refusal=first.refusal or second.refusal,
        invalidates=first.invalidates + second.invalidates,
        debit=first.debit or second.debit,
    )
