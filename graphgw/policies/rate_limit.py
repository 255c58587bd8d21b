"""How often a caller may have what: all buckets of an operation in one decision."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from graphgw.policies.arguments import read_arguments
from graphgw.policies.rate_rules import (
    RateRule,
    bucket_of,
    parse_duration,
    quota_rule,
)
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import Draw, StoreError, Verdict, Withdrawal
from graphgw.telemetry.events import RateLimitDecided

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.context import RequestContext
    from graphgw.policies.guards import Guards
    from graphgw.policies.settings import CostSettings, RateLimitSettings
    from graphgw.stores.protocol import Store
    from graphgw.types import Clock, JSONObject, Principal

__all__ = ["NO_LIMITS", "Exhausted", "RateLimitPolicy", "RateLimits", "cost_rule"]

_CLOSED_RETRY: Final = 1.0
_OPERATION: Final = "operation"
_COST: Final = "cost"


@dataclass(frozen=True, slots=True)
class Exhausted:
    """A bucket that has too little left."""

    rule: RateRule
    limit: int
    remaining: int
    retry_after: float


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What the buckets say of an operation.

    ``refused`` has the guards that may not run; ``operation`` is the bucket that
    refuses everything.
    """

    refused: dict[int, Exhausted]
    operation: Exhausted | None = None
    headers: tuple[tuple[str, str], ...] = ()
    debit: Draw | None = None
    """What the operation's cost was drawn from, in ``store``."""
    store: Store | None = None


NO_LIMITS: Final = RateLimits({})


class RateLimitPolicy:
    """Draws from the buckets of an operation, all in one call of the store.

    While the store is down, ``on_store_error`` decides: ``open`` lets everything
    pass, ``closed`` nothing, ``local`` counts in this process alone.
    """

    def __init__(
        self,
        settings: RateLimitSettings,
        store: Store,
        clock: Clock,
        cost_rule: RateRule | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._workers = max(1, settings.workers)
        self._local = MemoryStore(max_bytes=0, clock=clock)
        self.operation_rule = _operation_rule(settings)
        self.cost_rule = cost_rule

    async def decide(
        self,
        context: RequestContext,
        guards: Guards,
        variables: JSONObject,
        absent: frozenset[int],
        *,
        cost: int | None = None,
        draws_uses: bool = True,
    ) -> RateLimits:
        """Draw for every selection that is still there.

        Args:
            context: The request's.
            guards: The operation's.
            variables: JSON input values by name.
            absent: Guards that are refused already, or stand within such.
            cost: What the operation is to pay beforehand; ``None`` for nothing.
            draws_uses: Whether the limits on operations and fields count.
        """
        store = self._store
        shares = 1 if store.is_shared else self._workers
        plan = list(self._plan(context, guards, variables, absent, cost))
        if not draws_uses:
            plan = [_only_cost(plan[0])]
        try:
            verdicts = await self._store.take(_withdrawals(plan, shares))
        except StoreError:
            if self._settings.on_store_error == "open":
                return RateLimits({})
            if self._settings.on_store_error == "closed":
                return _closed(plan)
            store, shares = self._local, self._workers
            verdicts = await store.take(_withdrawals(plan, shares))
        limits = self._answer(context, plan, verdicts)
        if cost is None or limits.operation is not None:
            return limits
        (*_, draw) = _withdrawals(plan[:1], shares)[0].draws
        return replace(limits, debit=draw, store=store)

    def _plan(
        self,
        context: RequestContext,
        guards: Guards,
        variables: JSONObject,
        absent: frozenset[int],
        cost: int | None,
    ) -> Iterator[_Wanted]:
        principal = context.principal
        outermost: int | None = None
        count = 0
        whole: list[_Use] = []
        if self.operation_rule is not None:
            whole.append(_Use(self.operation_rule, principal, {}, 1))
        if principal.quota is not None:
            whole.append(_Use(quota_rule(principal.quota), principal, {}, 1))
        if self.cost_rule is not None and cost is not None:
            whole.append(_Use(self.cost_rule, principal, {}, cost))
        if whole:
            yield _Wanted(None, tuple(whole), None)
            outermost, count = 0, 1
        places: dict[int, int] = {}
        for index, guard in enumerate(guards.guards):
            if not guard.limits or index in absent:
                continue
            arguments = read_arguments(guard.arguments, variables)
            uses = tuple(
                _Use(rule, principal, arguments, rule.cost_of(arguments))
                for rule in guard.limits
            )
            parent = guard.parent
            while parent is not None and parent not in places:
                parent = guards.guards[parent].parent
            within = outermost if parent is None else places[parent]
            yield _Wanted(index, uses, within)
            places[index] = count
            count += 1

    def _answer(
        self, context: RequestContext, plan: list[_Wanted], verdicts: list[Verdict]
    ) -> RateLimits:
        refused: dict[int, Exhausted] = {}
        operation: Exhausted | None = None
        is_shadow = self._settings.switch == "shadow"
        for wanted, verdict in zip(plan, verdicts, strict=True):
            for number, use in enumerate(wanted.uses):
                is_allowed = verdict.is_allowed or verdict.refused != number
                context.observer.observe(
                    RateLimitDecided(
                        use.rule.bucket,
                        is_allowed,
                        is_shadow=is_shadow,
                        request_id=context.request_id,
                        subject=context.principal.subject,
                    )
                )
            if verdict.refused is None:
                continue
            rule = wanted.uses[verdict.refused].rule
            remaining = verdict.remaining[verdict.refused]
            exhausted = Exhausted(rule, rule.limit, remaining, verdict.retry_after)
            if wanted.guard is None:
                operation = exhausted
            else:
                refused[wanted.guard] = exhausted
        return RateLimits(refused, operation, tuple(_headers(plan, verdicts)))


@dataclass(frozen=True, slots=True)
class _Use:
    """What one selection takes from one limit."""

    rule: RateRule
    principal: Principal
    arguments: JSONObject
    cost: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What one guard (``None``: the operation itself) wants to draw."""

    guard: int | None
    uses: tuple[_Use, ...]
    within: int | None


def _only_cost(wanted: _Wanted) -> _Wanted:
    return replace(wanted, uses=wanted.uses[-1:])


def _withdrawals(plan: list[_Wanted], workers: int) -> list[Withdrawal]:
    return [
        Withdrawal(
            tuple(
                Draw(
                    bucket_of(
                        use.rule,
                        use.principal,
                        use.arguments,
                        cost=use.cost,
                        workers=workers,
                    ),
                    use.cost,
                )
                for use in wanted.uses
            ),
            wanted.within,
        )
        for wanted in plan
    ]


def _closed(plan: list[_Wanted]) -> RateLimits:
    operation: Exhausted | None = None
    refused: dict[int, Exhausted] = {}
    for wanted in plan:
        rule = wanted.uses[0].rule
        exhausted = Exhausted(rule, rule.limit, 0, _CLOSED_RETRY)
        if wanted.guard is None:
            operation = exhausted
        else:
            refused[wanted.guard] = exhausted
    return RateLimits(refused, operation)


def _headers(
    plan: list[_Wanted], verdicts: Sequence[Verdict]
) -> Iterator[tuple[str, str]]:
    """Describe each bucket at its lowest.

    See https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/.
    """
    states: dict[str, tuple[RateRule, int, float]] = {}
    for wanted, verdict in zip(plan, verdicts, strict=True):
        for number, use in enumerate(wanted.uses):
            name, remaining = use.rule.bucket, verdict.remaining[number]
            known = states.get(name)
            if known is None or remaining < known[1]:
                states[name] = (use.rule, remaining, verdict.reset[number])
    if states:
        yield (
            "ratelimit-policy",
            ", ".join(
                f"{_quoted(name)};q={rule.limit};w={math.ceil(rule.window)}"
                for name, (rule, _, _) in states.items()
            ),
        )
        yield (
            "ratelimit",
            ", ".join(
                f"{_quoted(name)};r={remaining};t={math.ceil(reset)}"
                for name, (_, remaining, reset) in states.items()
            ),
        )


@lru_cache(maxsize=1024)
def _quoted(name: str) -> str:
    plain = "".join(c if " " <= c <= "~" and c not in '"\\' else "_" for c in name)
    return f'"{plain}"'


def _operation_rule(settings: RateLimitSettings) -> RateRule | None:
    if settings.limit is None:
        return None
    return RateRule(
        bucket=_OPERATION,
        limit=settings.limit,
        window=parse_duration(settings.window),
        burst=settings.burst or settings.limit,
    )


def cost_rule(settings: CostSettings) -> RateRule | None:
    """Return the bucket that holds what a caller's operations may cost."""
    if settings.budget is None or settings.switch == "off":
        return None
    return RateRule(
        bucket=_COST,
        limit=settings.budget,
        window=parse_duration(settings.window),
        burst=settings.burst or settings.budget,
    )
