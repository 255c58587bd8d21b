"""What operations may cost: estimated before they run, measured and settled after."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from graphgw.errors import CostError
from graphgw.policies.cost import CostModel, estimate_cost, find_unsized
from graphgw.policies.cost_measure import measure_cost
from graphgw.policies.decision import Debit
from graphgw.stores.protocol import StoreError
from graphgw.telemetry.events import CostMeasured

if TYPE_CHECKING:
    from graphgw.context import RequestContext
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation, SelectionPath
    from graphgw.policies.cost import CostProgram
    from graphgw.policies.decision import Outcome
    from graphgw.policies.rate_limit import RateLimits
    from graphgw.policies.settings import CostSettings
    from graphgw.types import JSONObject

__all__ = ["Bounded", "CostPolicy"]


class Bounded(Protocol):
    """A plan that knows its upper bound before it runs."""

    @property
    def calls(self) -> int:
        """How many backend calls it may need."""
        ...


class CostPolicy:
    """Estimates, bounds, debits and refunds the cost of operations.

    Args:
        supergraph: Has the weights.
        settings: Limit, budget and switch.
    """

    def __init__(self, supergraph: Supergraph, settings: CostSettings) -> None:
        self._settings = settings
        self._model: CostModel | None = None
        if settings.is_estimated:
            self._model = CostModel(supergraph, list_size=settings.list_size)

    @property
    def is_on(self) -> bool:
        """Tell whether the cost of every operation matters."""
        return self._model is not None

    def prepare(self, operation: Operation) -> CostProgram | None:
        """Prepare the estimate of an operation; may run in any thread."""
        return None if self._model is None else self._model.prepare(operation)

    def check(
        self,
        context: RequestContext,
        program: CostProgram,
        variables: JSONObject,
        refused: frozenset[SelectionPath],
    ) -> tuple[int, CostError | None]:
        """Return the estimate, and the refusal of an operation that is too expensive.

        Args:
            context: The request's.
            program: The operation's.
            variables: JSON input values by name.
            refused: Selections that do not run and cost nothing.
        """
        cost = estimate_cost(program, variables, refused)
        unsized = find_unsized(program, variables, refused)
        if unsized is not None:
            coordinate, names = unsized
            message = f"{coordinate} needs exactly one of {', '.join(names)}."
            refusal = self._refuse(context, CostError(message))
            if refusal is not None:
                return cost, refusal
        settings = self._settings
        limits = (settings.limit, settings.burst or settings.budget)
        limit = min((n for n in limits if n is not None), default=cost)
        if cost <= limit:
            return cost, None
        message = f"The estimated cost of {cost} is more than the limit of {limit}."
        extensions: dict[str, object] = {"cost": cost, "limit": limit}
        return cost, self._refuse(context, CostError(message, extensions=extensions))

    def check_calls(self, context: RequestContext, plan: Bounded) -> CostError | None:
        """Return the refusal of a plan that may need too many backend calls."""
        limit = self._settings.max_backend_calls
        if limit is None or self._settings.switch == "off" or plan.calls <= limit:
            return None
        message = f"The plan may need {plan.calls} backend calls, {limit} are allowed."
        extensions: dict[str, object] = {"calls": plan.calls, "limit": limit}
        return self._refuse(context, CostError(message, extensions=extensions))

    def debit(
        self,
        program: CostProgram,
        variables: JSONObject,
        cost: int,
        limits: RateLimits,
    ) -> Debit:
        """Return what an operation paid beforehand, to be settled after it ran."""

        def measure(data: object) -> int:
            return measure_cost(program, variables, data)

        return Debit(cost, measure, limits.debit, limits.store)

    async def refund(
        self, context: RequestContext, debit: Debit, outcome: Outcome
    ) -> None:
        """Give back what an answer did not cost; without an answer, nothing."""
        if not outcome.is_complete:
            return
        actual = debit.measure(outcome.data)
        context.observer.observe(CostMeasured(debit.estimate, actual))
        unused = debit.estimate - actual
        if debit.draw is None or debit.store is None or unused <= 0:
            return
        try:
            await debit.store.give_back([replace(debit.draw, cost=unused)])
        except StoreError:
            # The bucket fills again by itself.
            return

    def _refuse(self, context: RequestContext, error: CostError) -> CostError | None:
        """Report an operation, and return its refusal unless the rule is a shadow."""
        is_shadow = self._settings.switch == "shadow"
        context.report_refusal("operation", CostError.code, is_shadow=is_shadow)
        return None if is_shadow else error
