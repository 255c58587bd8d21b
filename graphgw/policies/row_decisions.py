"""How one row rule decides: by the row's owner, or by a Python function."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from graphgw.federation.field_sets import print_field_set
from graphgw.policies.arguments import read_arguments

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from graphgw.context import RequestContext
    from graphgw.federation.selection import Selections
    from graphgw.policies.arguments import ArgumentReader
    from graphgw.policies.decision import AllowRows
    from graphgw.policies.row_functions import RowPolicyFunction
    from graphgw.types import JSON, JSONObject, Principal

__all__ = [
    "Demand",
    "OwnerDemand",
    "PolicyDemand",
    "UnreadableDemand",
    "claim_of",
    "has_any_scopes",
]


class Demand(Protocol):
    """What one directive demands of a row."""

    @property
    def reads(self) -> Selections:
        """The fields that are read from each row."""
        ...

    @property
    def text(self) -> str:
        """What tells it apart from others."""
        ...

    def decider(self, readers: tuple[ArgumentReader, ...]) -> AllowRows:
        """Return what decides for the rows of one selection."""
        ...


@dataclass(frozen=True, slots=True)
class OwnerDemand:
    """The row's field equals the caller's claim, or is among its values."""

    reads: Selections
    claim: str
    or_scopes: tuple[frozenset[str], ...] = ()

    @property
    def text(self) -> str:
        """The field that names the owner."""
        return print_field_set(self.reads)

    def decider(self, readers: tuple[ArgumentReader, ...]) -> AllowRows:
        """Return what compares the rows with the caller."""
        del readers

        async def allow(
            context: RequestContext, rows: list[JSONObject], variables: JSONObject
        ) -> list[bool]:
            del variables
            principal = context.principal
            if has_any_scopes(principal, self.or_scopes):
                return [True] * len(rows)
            owner = claim_of(principal, self.claim)
            owners = owner if isinstance(owner, list) else [owner]
            allowed = {str(value) for value in owners if _is_name(value)}
            return [self._owner_of(row) in allowed for row in rows]

        return allow

    def _owner_of(self, row: JSONObject) -> str | None:
        value: JSON = row
        selections = self.reads
        while selections:
            name = getattr(selections[0], "name", "")
            value = value.get(name) if isinstance(value, dict) else None
            selections = selections[0].selections
        return str(value) if _is_name(value) else None


@dataclass(frozen=True, slots=True)
class PolicyDemand:
    """A Python function says so; one that is unknown, fails or is late refuses."""

    name: str
    function: RowPolicyFunction | None
    timeout: float = field(default=1.0, repr=False)

    @property
    def reads(self) -> Selections:
        """The fields that the function declares."""
        return self.function.reads if self.function else ()

    @property
    def text(self) -> str:
        """The function's name, as the schema has it."""
        return f"@{self.name}"

    def decider(self, readers: tuple[ArgumentReader, ...]) -> AllowRows:
        """Return what asks the function with the selection's arguments."""

        async def allow(
            context: RequestContext, rows: list[JSONObject], variables: JSONObject
        ) -> list[bool]:
            refused = [False] * len(rows)
            if self.function is None:
                return refused
            seconds = min(self.timeout, context.deadline.remaining())
            try:
                async with asyncio.timeout(seconds):
                    arguments = read_arguments(readers, variables)
                    found = await self.function(context, rows, arguments)
                answers = [answer is True for answer in found]
            except Exception:  # noqa: BLE001 - a policy that fails refuses
                return refused
            return answers if len(answers) == len(rows) else refused

        return allow


@dataclass(frozen=True, slots=True)
class UnreadableDemand:
    """A demand on what this graph does not have: nobody meets it by their rows.

    That is so where a subgraph is served alone and a rule reads another's field.
    """

    demand: Demand

    @property
    def reads(self) -> Selections:
        """Nothing: it is not there."""
        return ()

    @property
    def text(self) -> str:
        """What tells the demand apart from others."""
        return self.demand.text

    def decider(self, readers: tuple[ArgumentReader, ...]) -> AllowRows:
        """Return what refuses all rows, but for callers with one of the scopes."""
        del readers
        demand = self.demand
        scopes = demand.or_scopes if isinstance(demand, OwnerDemand) else ()

        async def allow(
            context: RequestContext, rows: list[JSONObject], variables: JSONObject
        ) -> list[bool]:
            del variables
            return [has_any_scopes(context.principal, scopes)] * len(rows)

        return allow


def has_any_scopes(
    principal: Principal, alternatives: Iterable[Collection[str]]
) -> bool:
    """Tell whether the caller has all scopes of one alternative."""
    return any(bool(s) and principal.scopes.issuperset(s) for s in alternatives)


def claim_of(principal: Principal, claim: str) -> JSON:
    """Return what the caller's token says; ``sub`` is the subject, however named."""
    if claim == "sub":
        return principal.subject
    return principal.claims.get(claim)


def _is_name(value: JSON) -> bool:
    is_text = isinstance(value, str) and value != ""
    return is_text or (isinstance(value, int) and not isinstance(value, bool))
