"""Choose one path for every goal so that the whole plan is cheap.

Goals that leave no choice come first, then those that cost no further fetch. What is
left is chosen greedily, then improved by branch and bound until a bound on the
comparisons is met. Everything is tried in place and taken back from a journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from graphgw.planning.paths import Goal
from graphgw.planning.walk import goals_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphgw.planning.paths import Path, Place, Shape, Slot
    from graphgw.planning.settings import PlanningSettings
    from graphgw.planning.walk import Walk

__all__ = ["Choice", "guards_of"]

_Bundle: TypeAlias = "tuple[Goal, ...]"
_NO_LIMIT = 1 << 60
_SAME_FETCH = 20


class Choice:
    """The paths taken so far; ``cost`` is what they cost together, in fields."""

    def __init__(self, walk: Walk, settings: PlanningSettings) -> None:
        self._walk = walk
        self._settings = settings
        self._journal: list[Goal | Path] = []
        self._jumps: dict[tuple[Slot, str], int] = {}
        self._evaluations = 0
        self._was_contested = False
        self.cost = 0

    @property
    def goals(self) -> Iterator[Goal]:
        """Every goal that has a path now, in the order they were decided."""
        return (item for item in self._journal if isinstance(item, Goal))

    @property
    def paths(self) -> Iterator[Path]:
        """Every path taken, in the order they were decided."""
        return (item for item in self._journal if not isinstance(item, Goal))

    def take_all(self, goals: Iterable[Goal]) -> bool:
        """Find a path for all goals; false where they exclude one another."""
        bundles = self._bundles(goals)
        bundles.sort(key=lambda bundle: len(self._open(bundle[0])) > 1)
        mark, cost = self._mark()
        if not self._take_ordered(bundles):
            return False
        if not self._was_contested:
            return True
        straight = self.cost
        self._undo(mark, cost)
        if self._take_picky(bundles) and self.cost < straight:
            return True
        self._undo(mark, cost)
        return self._take_ordered(bundles)

    def _take_ordered(self, bundles: Sequence[_Bundle]) -> bool:
        """Take what has no choice, then what is free, and search for the rest."""
        self._was_contested = False
        rest: list[_Bundle] = []
        for bundle in bundles:
            if len(self._open(bundle[0])) > 1:
                rest.append(bundle)
            elif not self._take_bundle(bundle):
                return False
        rest = self._take_cheap(rest)
        if not rest:
            return True
        self._was_contested = len(rest) < len(bundles)
        mark, cost = self._mark()
        if not all(map(self._take_bundle, rest)):
            self._undo(mark, cost)
            return self._search(rest, _NO_LIMIT)
        if len(rest) > 1 and self._settings.max_evaluations:
            best = self.cost
            chosen = [bundle[0].path for bundle in rest]
            self._undo(mark, cost)
            if not self._search(rest, best):
                self._replay(rest, chosen)
        return True

    def _take_picky(self, bundles: Sequence[_Bundle]) -> bool:
        """Take what few entries have first, and what takes a jump at the end.

        A goal with one path may still have a choice of keys on the way, and can go
        by the entry that another goal needs.
        """

        def entries(bundle: _Bundle) -> int:
            return sum(path.top.kind == "root" for path in self._open(bundle[0]))

        local = [bundle for bundle in bundles if entries(bundle)]
        others = [bundle for bundle in bundles if not entries(bundle)]
        return all(map(self._take_bundle, [*sorted(local, key=entries), *others]))

    def take_soft(self, slots: Iterable[Slot]) -> list[Goal]:
        """Ask for the runtime type where a taken path can tell it for nothing."""
        taken = []
        for slot in slots:
            goal = slot.typename
            for path in slot.place.paths if goal.path is None else ():
                if path.is_chosen and not path.node.is_interface_object:
                    goal.order = goal.order if goal.order >= 0 else slot.order
                    self._place(goal, path)
                    break
            if goal.path is not None:
                taken.append(goal)
        return taken

    # Goals

    def _bundles(self, goals: Iterable[Goal]) -> list[_Bundle]:
        """Group the goals at a place that have the same alternatives."""
        groups: dict[tuple[int, ...], dict[Goal, None]] = {}
        for goal in goals:
            key = (id(goal.place), *map(id, self._open(goal)))
            groups.setdefault(key, {})[goal] = None
        return [tuple(group) for group in groups.values()]

    def _open(self, goal: Goal) -> list[Path]:
        return [path for path in goal.alternatives if self._walk.can_take(path)]

    def _take_cheap(self, bundles: Sequence[_Bundle]) -> list[_Bundle]:
        """Take the bundles that need no fetch beyond those taken already."""
        rest = []
        for bundle in bundles:
            mark, cost = self._mark()
            goal = bundle[0]
            if self._take(goal, self._settings.fetch_cost):
                path = goal.path
                assert path is not None  # noqa: S101 - it was just taken
                for other in bundle[1:]:
                    self._place(other, path)
            else:
                self._undo(mark, cost)
                rest.append(bundle)
        return rest

    def _take_bundle(self, bundle: _Bundle) -> bool:
        return all(self._take(goal, _NO_LIMIT) for goal in bundle)

    def _take(self, goal: Goal, limit: int) -> bool:
        """Take the cheapest alternative that costs less than ``limit``."""
        if goal.path is not None:
            return True
        if goal.is_busy:
            return False
        goal.is_busy = True
        mark, cost = self._mark()
        best: Path | None = None
        for path in self._by_promise(goal):
            if not self._take_path(path, limit):
                self._undo(mark, cost)
                continue
            limit = self.cost - cost
            best = path
            if limit < self._settings.fetch_cost:
                break
            self._undo(mark, cost)
        else:
            if best is not None and not self._take_path(best, _NO_LIMIT):
                self._undo(mark, cost)
                best = None
        goal.is_busy = False
        if best is None:
            return False
        self._place(goal, best)
        return True

    def _by_promise(self, goal: Goal) -> list[Path]:
        """Paths taken already come first, then those in fetches taken already."""
        return sorted(
            self._open(goal),
            key=lambda path: 0 if path.is_chosen else 1 if path.top.is_chosen else 2,
        )

    def _place(self, goal: Goal, path: Path) -> None:
        if goal.path is None:
            goal.path = path
            self._journal.append(goal)
            self.cost += 1

    # Paths

    def _take_path(self, path: Path, limit: int) -> bool:
        """Take a path and all it needs, at a cost of less than ``limit``."""
        if path.is_chosen:
            return True
        if path.is_busy:
            return False
        self._walk.budget.check()
        path.is_busy = True
        start = self.cost
        if path.parent is not None:
            done = self._take_path(path.parent, limit)
            self.cost += path.kind == "field"
        elif path.kind == "root":
            path.depth = 1
            self.cost += self._settings.fetch_cost + self._settings.stage_cost
            done = True
        else:
            done = self._take_jump(path, limit)
        path.is_busy = False
        if not done or self.cost - start >= limit:
            return False
        path.is_chosen = True
        self._journal.append(path)
        if path.kind == "jump":
            where = (path.place.slot, path.node.graph_id)
            self._jumps[where] = self._jumps.get(where, 0) + 1
        return True

    def _take_jump(self, path: Path, limit: int) -> bool:
        fetch_cost = self._settings.fetch_cost
        where = (path.place.slot, path.node.graph_id)
        price = _SAME_FETCH if self._jumps.get(where) else fetch_cost
        if price >= limit:
            return False
        start = self.cost
        self.cost += price
        required, contexts = self._walk.requirement(path), self._walk.contexts(path)
        if required is None or contexts is None:
            return False
        needed = [*guards_of(path.place), *goals_of(required)]
        for context in contexts:
            needed += goals_of(context.shape)
        if not self._take_needed(needed, limit - price):
            return False
        number = self._cheapest_key(path, limit - (self.cost - start))
        if number is None:
            return False
        path.key = number
        key = self._walk.key_condition(path, number)
        assert key is not None and path.entry is not None  # noqa: S101, PT018
        needed += goals_of(key)
        depths = [goal.path.top.depth for goal in needed if goal.path is not None]
        path.depth = 1 + max(depths, default=0)
        self.cost += path.depth * self._settings.stage_cost
        return True

    def _take_needed(self, goals: Iterable[Goal], limit: int) -> bool:
        start = self.cost
        return all(self._take(goal, limit - (self.cost - start)) for goal in goals)

    def _cheapest_key(self, path: Path, limit: int) -> int | None:
        """Take the goals of the key that costs least; ``None`` if none can be had."""
        assert path.entry is not None  # noqa: S101 - only jumps have keys
        mark, cost = self._mark()
        best: int | None = None
        for number in range(len(path.entry.keys)):
            if not self._take_key(path, number, limit):
                self._undo(mark, cost)
                continue
            best, limit = number, self.cost - cost
            if limit < self._settings.fetch_cost:
                return best
            self._undo(mark, cost)
        if best is not None and self._take_key(path, best, _NO_LIMIT):
            return best
        return None

    def _take_key(self, path: Path, number: int, limit: int) -> bool:
        shape: Shape | None = self._walk.key_condition(path, number)
        return shape is not None and self._take_needed(goals_of(shape), limit)

    # Branch and bound

    def _search(self, bundles: list[_Bundle], bound: int) -> bool:
        """Look for a combination cheaper than ``bound`` and leave the best taken."""
        self._evaluations = self._settings.max_evaluations or 1
        best = self._best(bundles, 0, bound)
        if best is None:
            return False
        self._replay(bundles, best[1])
        return True

    def _best(
        self, bundles: list[_Bundle], index: int, bound: int
    ) -> tuple[int, list[Path]] | None:
        if index == len(bundles):
            return (self.cost, []) if self.cost < bound else None
        bundle = bundles[index]
        found: tuple[int, list[Path]] | None = None
        for path in self._by_promise(bundle[0]):
            if self._evaluations <= 0:
                break
            self._evaluations -= 1
            mark, cost = self._mark()
            if self._take_path(path, bound - cost):
                for goal in bundle:
                    self._place(goal, path)
                if self.cost < bound:
                    rest = self._best(bundles, index + 1, bound)
                    if rest is not None:
                        bound = rest[0]
                        found = bound, [path, *rest[1]]
            self._undo(mark, cost)
        return found

    def _replay(
        self, bundles: Sequence[_Bundle], chosen: Sequence[Path | None]
    ) -> None:
        for bundle, path in zip(bundles, chosen, strict=True):
            assert path is not None  # noqa: S101 - every bundle was taken before
            self._take_path(path, _NO_LIMIT)
            for goal in bundle:
                self._place(goal, path)

    # Journal

    def _mark(self) -> tuple[int, int]:
        return len(self._journal), self.cost

    def _undo(self, mark: int, cost: int) -> None:
        while len(self._journal) > mark:
            item = self._journal.pop()
            if isinstance(item, Goal):
                item.path = None
                continue
            item.is_chosen = False
            if item.kind == "jump":
                self._jumps[item.place.slot, item.node.graph_id] -= 1
        self.cost = cost


def guards_of(place: Place) -> list[Goal]:
    """Return the goals that tell which objects belong to a place.

    One for each slot on the way from the root where only some types are followed.
    """
    guards = []
    current: Place | None = place
    while current is not None:
        if current.is_narrowed:
            guards.append(current.slot.typename)
        current = current.slot.parent
    return guards
