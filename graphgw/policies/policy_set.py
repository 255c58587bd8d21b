"""The policies of one snapshot: what of an operation may run, decided in order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from graphgw.errors import (
    ConfigurationError,
    RateLimitedError,
    UnauthorizedError,
)
from graphgw.federation.sunset import find_sunset_problems
from graphgw.policies.auth import AuthPolicy
from graphgw.policies.auth_rules import close_over_requirements
from graphgw.policies.cache_invalidation import find_tags
from graphgw.policies.cost_policy import CostPolicy
from graphgw.policies.decision import ALLOWED, Decision
from graphgw.policies.known_operations import KnownOperations
from graphgw.policies.policy_functions import import_policies
from graphgw.policies.rate_limit import NO_LIMITS, RateLimitPolicy, cost_rule
from graphgw.policies.rate_rules import RateRules
from graphgw.policies.refusals import (
    add_refusals,
    guards_within,
    has_rest,
    rate_limited,
    refuse_everything,
    unauthorized,
    used_up,
    with_inner,
)
from graphgw.policies.response_cache_control import NO_STORE
from graphgw.policies.row_functions import import_row_policies
from graphgw.policies.row_rules import ROW_RULES, RowRules
from graphgw.policies.settings import AuthSettings, PolicySettings
from graphgw.policies.sunset import SunsetPolicy
from graphgw.stores.memory import MemoryStore
from graphgw.stores.protocol import StoreError
from graphgw.types import ANONYMOUS, SYSTEM_CLOCK, Clock, Principal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphgw.context import RequestContext
    from graphgw.errors import CostError, RequestError
    from graphgw.federation.supergraph import Supergraph
    from graphgw.operations.operation import Operation
    from graphgw.policies.cost_policy import Bounded
    from graphgw.policies.decision import Outcome, Refusal, RowRule
    from graphgw.policies.guards import Guards
    from graphgw.policies.known_operations import KnownOperation
    from graphgw.policies.rate_limit import RateLimits
    from graphgw.policies.response_cache_control import ResponseCacheControl
    from graphgw.policies.settings import Switch
    from graphgw.stores.protocol import Store
    from graphgw.types import JSONObject

__all__ = ["PolicySet"]

_AUTH_NAMES: Final = frozenset(
    ("authenticated", "requiresScopes", "policy", *ROW_RULES)
)
_ADDRESS_NAMES: Final = frozenset(("allowIps",))


class PolicySet:
    """Decides on operations of one supergraph: addresses, auth, cost, rate limits.

    What depends on the operation alone is found once for each fingerprint; a refused
    field draws from no bucket, and neither does what stands within it.

    Args:
        supergraph: The graph whose rules are enforced.
        auth: How callers are told apart, and the functions of ``@policy``.
        policies: Switches and limits.
        store: Holds the buckets; by default one of its own in memory.
        clock: Tells the time.
        is_alone: Whether this is one subgraph of a graph; a row rule that reads a
            field of another then refuses.

    Raises:
        ConfigurationError: A rule of the schema is wrong or a function is missing.
    """

    def __init__(
        self,
        supergraph: Supergraph,
        auth: AuthSettings | None = None,
        policies: PolicySettings | None = None,
        store: Store | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        is_alone: bool = False,
    ) -> None:
        self._auth = auth or AuthSettings()
        self._settings = policies or PolicySettings()
        auth_rules = close_over_requirements(supergraph)
        rate_rules = RateRules(supergraph)
        problems = [*rate_rules.problems, *find_sunset_problems(supergraph)]
        functions = import_policies(self._auth.policies, problems)
        self._row_rules = RowRules(
            supergraph,
            import_row_policies(self._auth.row_policies, problems),
            timeout=self._auth.policy_timeout,
            is_shadow=self._auth.switch == "shadow",
            is_alone=is_alone,
        )
        problems += self._row_rules.problems
        if problems:
            raise ConfigurationError(problems)
        self._auth_policy = AuthPolicy(
            functions, policy_timeout=self._auth.policy_timeout
        )
        self._store = store or MemoryStore(clock=clock)
        self._rate_policy = RateLimitPolicy(
            self._settings.rate_limit,
            self._store,
            clock,
            cost_rule(self._settings.cost),
        )
        self._enforced = self._names_at("enforce")
        self._shadowed = self._names_at("shadow")
        self._has_hints = _has(supergraph, "cacheControl")
        self._sunset = SunsetPolicy(supergraph, self._settings.sunset, clock)
        self._has_rules = not (
            auth_rules.is_empty
            and rate_rules.is_empty
            and not self._sunset.is_on
            and not _has(supergraph, "cacheInvalidation")
        )
        self._cost = CostPolicy(supergraph, self._settings.cost)
        self._decides_always = self._cost.is_on or (
            self._rate_policy.operation_rule is not None
            and self._settings.rate_limit.switch != "off"
        )
        self._draws_quotas = self._settings.rate_limit.switch != "off"
        self._operations = KnownOperations(
            supergraph,
            auth_rules,
            rate_rules,
            cost=self._cost,
            sunset=self._sunset,
            has_hints=self._has_hints,
        )
        self._bare = self._operations.bare

    def prepare(self, operation: Operation) -> None:
        """Find what depends on the operation alone; may run in any thread."""
        self._operations.know(operation)

    def is_open(self, operation: Operation, principal: Principal = ANONYMOUS) -> bool:
        """Tell whether there is nothing to decide."""
        if self._decides_always or (principal.quota and self._draws_quotas):
            return False
        if not self._has_rules or operation.fingerprint in self._bare:
            return True
        return not self._operations.know(operation).is_guarded

    def guards_for(self, operation: Operation) -> Guards:
        """Return the guarded selections of an operation."""
        return self._operations.know(operation).guards

    def guard_rows(self, operation: Operation) -> tuple[Operation, tuple[RowRule, ...]]:
        """Return the operation to be planned, and the row rules that it then obeys.

        The operation also asks for what its row rules read.
        """
        if self._auth.switch == "off":
            return operation, ()
        return self._row_rules.guard(operation)

    def refuse_rows(
        self, principal: Principal, coordinates: Iterable[str]
    ) -> RequestError | None:
        """Return the refusal of an operation some of whose rows were refused.

        ``None`` where the rest is answered.
        """
        if self._auth.mode != "reject":
            return None
        return refuse_everything(principal, coordinates)

    async def decide(
        self, context: RequestContext, operation: Operation, variables: JSONObject
    ) -> Decision:
        """Say what of the operation may run, without calling a backend.

        Args:
            context: The request's.
            operation: The normalized operation.
            variables: JSON input values by name, literals included.
        """
        known = self._operations.know(operation)
        if not known.uses:
            return await self._decide(context, operation, known, variables)
        found = self._sunset.decide(context, known.uses, variables)
        decision = await self._decide(
            context, operation, known, variables, gone=found.refusals
        )
        return replace(decision, headers=decision.headers + found.headers)

    async def _decide(
        self,
        context: RequestContext,
        operation: Operation,
        known: KnownOperation,
        variables: JSONObject,
        *,
        gone: tuple[Refusal, ...] = (),
    ) -> Decision:
        guards = known.guards
        refusals, absent = await self._decide_auth(context, guards, variables)
        if refusals and self._auth.mode == "reject":
            return Decision(
                refusal=refuse_everything(
                    context.principal, (refusal.coordinate for refusal in refusals)
                )
            )
        if gone:
            refusals = add_refusals(refusals, gone)
            absent |= guards_within(guards, gone)
        cost: int | None = None
        if known.cost is not None:
            cut = frozenset(refusal.selection for refusal in refusals)
            cost, dear = self._cost.check(context, known.cost, variables, cut)
            if dear is not None:
                return Decision(refusal=dear)
        limits = await self._decide_rate(context, guards, variables, absent, cost)
        decision = self._limit(context, operation, guards, refusals, limits)
        if decision.refusal is not None:
            return decision
        if known.cost is not None and cost is not None:
            debit = self._cost.debit(known.cost, variables, cost, limits)
            decision = replace(decision, debit=debit)
        if known.invalidations:
            refused = {refusal.selection for refusal in decision.refusals}
            tags = find_tags(known.invalidations, variables, refused)
            return replace(decision, invalidates=tags)
        return decision

    async def settle(
        self, context: RequestContext, decision: Decision, outcome: Outcome
    ) -> None:
        """Drop the cached values that a mutation has changed, and settle its cost.

        They are dropped after a failure too: nobody knows how far it came. What an
        operation did not use of its debit is given back; without an answer, nothing.
        """
        if decision.debit is not None:
            await self._cost.refund(context, decision.debit, outcome)
        if decision.invalidates:
            try:
                await self._store.invalidate(decision.invalidates)
            except StoreError:
                # The cache is as unreachable as its invalidation.
                return

    def check_calls(self, context: RequestContext, plan: Bounded) -> CostError | None:
        """Return the refusal of a plan that may need too many backend calls."""
        return self._cost.check_calls(context, plan)

    def response_headers(
        self, operation: Operation, *, has_errors: bool, principal: Principal
    ) -> tuple[tuple[str, str], ...]:
        """Return the answer's ``Cache-Control``; none where nothing declares one.

        What a known caller is answered may depend on them in ways that only a
        resolver knows, so that it is for them alone.
        """
        if not self._has_hints or operation.fingerprint in self._bare:
            return ()
        known = self._operations.know(operation)
        if known.headers and has_errors:
            return NO_STORE
        return known.private_headers if principal.is_authenticated else known.headers

    def public_control(self, operation: Operation) -> ResponseCacheControl | None:
        """Return how long anybody may keep an answer, ``None`` where nobody may."""
        if not self._has_hints or operation.fingerprint in self._bare:
            return None
        return self._operations.know(operation).public

    async def _decide_auth(
        self, context: RequestContext, guards: Guards, variables: JSONObject
    ) -> tuple[list[Refusal], frozenset[int]]:
        if not guards.auth:
            return [], frozenset()
        find = self._auth_policy.find_broken
        if self._shadowed:
            broken = await find(context, guards, variables, self._shadowed)
            for index in broken:
                _report(context, guards.guards[index].coordinate, is_shadow=True)
        if not self._enforced:
            return [], frozenset()
        broken = await find(context, guards, variables, self._enforced)
        refusals = []
        for index in sorted(broken):
            guard = guards.guards[index]
            _report(context, guard.coordinate, is_shadow=False)
            refusals.append(unauthorized(guard))
        return refusals, with_inner(guards, frozenset(broken))

    async def _decide_rate(
        self,
        context: RequestContext,
        guards: Guards,
        variables: JSONObject,
        absent: frozenset[int],
        cost: int | None,
    ) -> RateLimits:
        policy, switch = self._rate_policy, self._settings.rate_limit.switch
        draws_uses = switch != "off" and (
            guards.has_limits
            or policy.operation_rule is not None
            or context.principal.quota is not None
        )
        pays = cost is not None and policy.cost_rule is not None
        if not draws_uses and not pays:
            return NO_LIMITS
        limits = await policy.decide(
            context,
            guards,
            variables,
            absent,
            cost=cost if pays else None,
            draws_uses=draws_uses,
        )
        is_cost = limits.operation is not None and (
            limits.operation.rule is policy.cost_rule
        )
        is_shadow = self._settings.cost.switch if is_cost else switch
        if is_shadow != "shadow":
            return limits
        return replace(limits, refused={}, operation=None, headers=())

    def _limit(
        self,
        context: RequestContext,
        operation: Operation,
        guards: Guards,
        refusals: list[Refusal],
        limits: RateLimits,
    ) -> Decision:
        if limits.operation is None and not (limits.refused or limits.headers):
            return Decision(tuple(refusals)) if refusals else ALLOWED
        if limits.operation is not None:
            error = used_up(limits.operation)
            return Decision(headers=limits.headers, refusal=error)
        limited = []
        for index, exhausted in sorted(limits.refused.items()):
            guard = guards.guards[index]
            code = RateLimitedError.code
            context.report_refusal(guard.coordinate, code)
            limited.append(rate_limited(guard, exhausted))
        everything = [*refusals, *limited]
        if limited and not has_rest(operation, everything):
            longest = max(limits.refused.values(), key=lambda e: e.retry_after)
            return Decision(headers=limits.headers, refusal=used_up(longest))
        return Decision(tuple(everything), limits.headers)

    def _names_at(self, switch: Switch) -> frozenset[str]:
        names: frozenset[str] = frozenset()
        if self._auth.switch == switch:
            names |= _AUTH_NAMES
        if self._auth.addresses.switch == switch:
            names |= _ADDRESS_NAMES
        return names


def _report(context: RequestContext, coordinate: str, *, is_shadow: bool) -> None:
    code = UnauthorizedError.code
    context.report_refusal(coordinate, code, is_shadow=is_shadow)


def _has(supergraph: Supergraph, name: str) -> bool:
    return any(
        applied.name == name for rules in supergraph.rules.values() for applied in rules
    )
