"""Which guarded selections a caller may have, decided before any fetch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

import orjson

from graphgw.policies.arguments import read_arguments
from graphgw.policies.authenticate.addresses import AddressList
from graphgw.policies.row_decisions import claim_of, has_any_scopes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphgw.context import RequestContext
    from graphgw.policies.auth_rules import AuthRule
    from graphgw.policies.guards import Guard, Guards
    from graphgw.policies.settings import PolicyFunction
    from graphgw.types import JSONObject, Principal

__all__ = ["AuthPolicy", "Broken"]

Broken: TypeAlias = "dict[int, frozenset[str]]"
"""The names of the rules that do not hold, by the guard's index."""

_PolicyCall: TypeAlias = tuple[str, bytes]


class AuthPolicy:
    """Decides ``@authenticated``, ``@requiresScopes``, ``@allowIps`` and ``@policy``.

    Of ``@owner`` it decides what needs no row: whether the caller can own any.

    Rules that need no Python are decided first; policies are asked only for
    selections that are still there, all at once, each with the same arguments once.
    A policy that is unknown, fails or is late refuses.
    """

    def __init__(
        self, policies: Mapping[str, PolicyFunction], *, policy_timeout: float
    ) -> None:
        self._policies = policies
        self._timeout = policy_timeout
        self._networks: dict[tuple[str, ...], AddressList] = {}

    async def find_broken(
        self,
        context: RequestContext,
        guards: Guards,
        variables: JSONObject,
        names: frozenset[str],
    ) -> Broken:
        """Return the guards whose rules do not hold, outermost ones only.

        Args:
            context: The request's.
            guards: The operation's.
            variables: JSON input values by name.
            names: The rules that count.
        """
        principal = context.principal
        holds = [
            rule.name not in names or self._holds(rule, principal)
            for rule in guards.auth
        ]
        broken: Broken = {}
        if not all(holds):
            for index, guard in enumerate(guards.guards):
                if _is_inside(guards, guard, broken):
                    continue
                found = {guards.auth[i].name for i in guard.auth if holds[i] is False}
                if found:
                    broken[index] = frozenset(found)
            if None in holds:
                await self._ask(context, guards, variables, broken)
        return broken

    def _holds(self, rule: AuthRule, principal: Principal) -> bool | None:
        """Tell whether a rule holds; ``None`` if Python code must be asked."""
        if rule.name == "authenticated":
            return principal.is_authenticated
        if rule.name == "requiresScopes":
            return any(principal.scopes.issuperset(s) for s in rule.alternatives)
        if rule.name == "allowIps":
            return any(self._list(c).holds(principal.ip) for c in rule.alternatives)
        if rule.name == "owner":
            (claim,), *scopes = rule.alternatives
            is_known = claim_of(principal, claim) is not None
            return is_known or has_any_scopes(principal, scopes)
        if rule.name == "rowPolicy":
            return True
        return None

    def _list(self, cidrs: tuple[str, ...]) -> AddressList:
        found = self._networks.get(cidrs)
        if found is None:
            found = self._networks[cidrs] = AddressList(cidrs)
        return found

    async def _ask(
        self,
        context: RequestContext,
        guards: Guards,
        variables: JSONObject,
        broken: Broken,
    ) -> None:
        wanted: dict[int, tuple[bytes, list[AuthRule]]] = {}
        calls: dict[_PolicyCall, JSONObject] = {}
        for index, guard in enumerate(guards.guards):
            rules = [guards.auth[i] for i in guard.auth]
            rules = [rule for rule in rules if rule.name == "policy"]
            if not rules or index in broken or _is_inside(guards, guard, broken):
                continue
            arguments = read_arguments(guard.arguments, variables)
            text = orjson.dumps(arguments, default=str, option=orjson.OPT_SORT_KEYS)
            wanted[index] = (text, rules)
            for name in _names(rules):
                calls[name, text] = arguments
        answers = await self._call(context, calls)
        for index, (text, rules) in wanted.items():
            if _is_inside(guards, guards.guards[index], broken):
                continue
            if not all(_passes(rule, text, answers) for rule in rules):
                broken[index] = frozenset(("policy",))

    async def _call(
        self, context: RequestContext, calls: dict[_PolicyCall, JSONObject]
    ) -> dict[_PolicyCall, bool]:
        timeout = min(self._timeout, context.deadline.remaining())
        async with asyncio.TaskGroup() as group:
            tasks = {
                key: group.create_task(
                    self._decide(key[0], context, arguments, timeout)
                )
                for key, arguments in calls.items()
            }
        return {key: task.result() for key, task in tasks.items()}

    async def _decide(
        self,
        name: str,
        context: RequestContext,
        arguments: JSONObject,
        timeout: float,  # noqa: ASYNC109 - shared by all policies of the operation
    ) -> bool:
        function = self._policies.get(name)
        if function is None:
            return False
        try:
            async with asyncio.timeout(timeout):
                return await function(context, arguments) is True
        except Exception:  # noqa: BLE001 - a policy that fails refuses
            return False


def _is_inside(guards: Guards, guard: Guard, broken: Broken) -> bool:
    parent = guard.parent
    while parent is not None:
        if parent in broken:
            return True
        parent = guards.guards[parent].parent
    return False


def _names(rules: Iterable[AuthRule]) -> frozenset[str]:
    return frozenset(n for rule in rules for group in rule.alternatives for n in group)


def _passes(rule: AuthRule, text: bytes, answers: dict[_PolicyCall, bool]) -> bool:
    return any(
        all(answers[name, text] for name in group) for group in rule.alternatives
    )
