"""Print what the policies say of an operation, and by which rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphgw.policies.decision import Decision, Refusal
    from graphgw.policies.guards import Guards
    from graphgw.types import Principal

__all__ = ["print_decision", "print_refusals"]


def print_decision(decision: Decision, guards: Guards, principal: Principal) -> str:
    """Print who asks, the guarded selections, and which of them are refused."""
    return "\n".join(_lines(decision, guards, principal)) + "\n"


def print_refusals(decision: Decision) -> str:
    """Print a comment line for each selection that was cut out."""
    return "".join(f"# cut out: {_refusal(item)}\n" for item in decision.refusals)


def _lines(decision: Decision, guards: Guards, principal: Principal) -> Iterator[str]:
    scopes = (
        f", scopes {' '.join(sorted(principal.scopes))}" if principal.scopes else ""
    )
    yield f"principal: {principal.subject or 'anonymous'}{scopes}"
    if decision.refusal is not None:
        yield f"refused as a whole: {decision.refusal.code} {decision.refusal.message}"
    refused = {refusal.selection: refusal for refusal in decision.refusals}
    if not guards.guards:
        yield "no selection is guarded"
    for guard in guards.guards:
        refusal = refused.get(guard.selection)
        where = ".".join(guard.path)
        rules = [_rule(guards, number) for number in guard.auth]
        rules += [f"rate limit {limit.bucket}" for limit in guard.limits]
        verdict = f"refused, {refusal.code}" if refusal else "allowed"
        if refusal is None and decision.refusal is not None:
            verdict = "refused with the whole"
        yield f"{guard.coordinate} at {where}: {verdict} ({', '.join(rules)})"


def _rule(guards: Guards, number: int) -> str:
    rule = guards.auth[number]
    alternatives = " or ".join(" and ".join(names) for names in rule.alternatives)
    return f"@{rule.name} {alternatives}".rstrip()


def _refusal(refusal: Refusal) -> str:
    where = ".".join(refusal.path)
    return f"{refusal.coordinate} at {where}: {refusal.code} {refusal.message}"
