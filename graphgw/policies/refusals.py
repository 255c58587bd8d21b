"""Refusals as clients see them, and what is left of an operation after them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from graphgw.errors import RateLimitedError, UnauthenticatedError, UnauthorizedError
from graphgw.federation.selection import Field
from graphgw.policies.decision import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphgw.errors import RequestError
    from graphgw.federation.selection import Selections
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.guards import Guard, Guards
    from graphgw.policies.rate_limit import Exhausted
    from graphgw.types import Principal

__all__ = [
    "add_refusals",
    "guards_within",
    "has_rest",
    "rate_limited",
    "refuse_everything",
    "unauthorized",
    "used_up",
    "with_inner",
]

_UNAUTHORIZED: Final = "Unauthorized field or type"


def unauthorized(guard: Guard) -> Refusal:
    """Return the refusal of a selection that the caller may not have."""
    return Refusal(
        guard.selection,
        guard.coordinate,
        _UNAUTHORIZED,
        UnauthorizedError.code,
        guard.path,
    )


def rate_limited(guard: Guard, exhausted: Exhausted) -> Refusal:
    """Return the refusal of a selection whose bucket has too little left."""
    return Refusal(
        guard.selection,
        guard.coordinate,
        _message(exhausted),
        RateLimitedError.code,
        guard.path,
        _extensions(exhausted),
    )


def refuse_everything(principal: Principal, coordinates: Iterable[str]) -> RequestError:
    """Return the error of a whole operation: who are you, or you may not."""
    extensions: dict[str, object] = {"coordinates": sorted(set(coordinates))}
    if not principal.is_authenticated:
        return UnauthenticatedError(_UNAUTHORIZED, extensions=extensions)
    return UnauthorizedError(_UNAUTHORIZED, extensions=extensions)


def used_up(exhausted: Exhausted) -> RateLimitedError:
    """Return the error of a whole operation that has nothing left to draw from."""
    return RateLimitedError(
        _message(exhausted),
        retry_after=exhausted.retry_after,
        extensions=_extensions(exhausted),
    )


def with_inner(guards: Guards, refused: frozenset[int]) -> frozenset[int]:
    """Return the refused guards and those that stand within them."""
    found = set(refused)
    for index, guard in enumerate(guards.guards):
        if guard.parent in found:
            found.add(index)
    return frozenset(found)


def add_refusals(
    refusals: Sequence[Refusal], others: Sequence[Refusal]
) -> list[Refusal]:
    """Return all refusals in the operation's order, without those within others."""
    found = {refusal.selection: refusal for refusal in (*others, *refusals)}
    return [
        refusal
        for place, refusal in sorted(found.items())
        if not any(place[:length] in found for length in range(1, len(place)))
    ]


def guards_within(guards: Guards, refusals: Sequence[Refusal]) -> frozenset[int]:
    """Return the guards that stand on or within refused selections."""
    places = [refusal.selection for refusal in refusals]
    return frozenset(
        index
        for index, guard in enumerate(guards.guards)
        if any(guard.selection[: len(place)] == place for place in places)
    )


def has_rest(operation: Operation, refusals: list[Refusal]) -> bool:
    """Tell whether anything that was asked for is left."""
    refused = frozenset(refusal.selection for refusal in refusals)
    return bool(operation.introspection) or _has_leaf(operation.selections, refused, ())


def _has_leaf(
    selections: Selections, refused: frozenset[SelectionPath], place: SelectionPath
) -> bool:
    for index, selection in enumerate(selections):
        here = (*place, index)
        if here in refused:
            continue
        if isinstance(selection, Field) and not selection.selections:
            return True
        if _has_leaf(selection.selections, refused, here):
            return True
    return False


def _message(exhausted: Exhausted) -> str:
    rule = exhausted.rule
    return rule.message or f'The rate limit "{rule.bucket}" is used up.'


def _extensions(exhausted: Exhausted) -> dict[str, object]:
    return {
        "retryAfterMs": round(exhausted.retry_after * 1000),
        "bucket": exhausted.rule.bucket,
        "limit": exhausted.limit,
        "remaining": exhausted.remaining,
    }
