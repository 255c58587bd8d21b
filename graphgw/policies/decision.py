"""A decision: what policies say of one operation before it is planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.errors import RequestError
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.types import JSONObject

__all__ = ["ALLOWED", "Decision", "Outcome", "Policy", "Refusal", "combine"]


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
class Decision:
    """Refused selections, headers for the answer, or one refusal of everything.

    ``invalidates`` are the tags of cached values that the operation changes.
    """

    refusals: tuple[Refusal, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    refusal: RequestError | None = None
    invalidates: tuple[str, ...] = ()


ALLOWED: Final = Decision()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the operation, for policies to settle accounts."""

    status: int
    has_errors: bool = False


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
    )
