"""What may be set about planning."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PlanningSettings"]


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """How hard the planner looks for the cheapest plan.

    ``max_evaluations`` bounds the combinations of paths that are compared after the
    greedy choice; 0 keeps the greedy choice. ``fetch_cost`` is the price of one
    fetch and ``stage_cost`` that of each stage it has to wait for, both in fields.
    """

    max_evaluations: int = 400
    fetch_cost: int = 1000
    stage_cost: int = 100
    max_fetches: int = 500
    """Fetches of one operation; a small text must not become a flood of requests."""
    max_cached_graphs: int = 64
    """Query graphs kept, one for each set of active override labels."""
