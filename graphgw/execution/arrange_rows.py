"""Arrange a plan for its row rules: what is guarded comes after what rules read.

A fetch that brings guarded values of entities beside others is parted, so that the
others do not wait and refused rows are left out of the guarded part alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from graphgw.execution.fetch_keys import path_keys, written_paths
from graphgw.execution.shape import TYPENAME_KEY
from graphgw.federation.selection import Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from graphgw.execution.shape import ResponsePath
    from graphgw.federation.selection import Selection, Selections
    from graphgw.planning.plan import Fetch, QueryPlan
    from graphgw.policies.decision import RowRule

__all__ = ["RowPlan", "arrange_rows"]

_NO_RULES: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class RowPlan:
    """A plan in which guarded values wait for their rules.

    ``inputs`` has for each rule the places of the fetches that bring what it reads,
    ``carried`` for each fetch the rules that guard everything in it.
    """

    plan: QueryPlan
    inputs: tuple[frozenset[int], ...]
    carried: tuple[frozenset[int], ...]


def arrange_rows(plan: QueryPlan, rules: Sequence[RowRule]) -> RowPlan:
    """Part and reorder the fetches of a plan for its row rules."""
    if not rules:
        return RowPlan(plan, (), (_NO_RULES,) * len(plan.fetches))
    parted = list(_part_all(plan.fetches, rules))
    fetches = [fetch for fetch, _ in parted]
    carried = {fetch.id: held for fetch, held in parted}
    written = {fetch.id: written_paths(fetch) for fetch in fetches}
    inputs = []
    for rule in rules:
        lead = tuple(step.key for step in rule.path)
        reads = [(*lead, alias) for alias, _ in rule.reads]
        found = [
            fetch.id
            for fetch in fetches
            if any(_starts(path, read) for path in written[fetch.id] for read in reads)
        ]
        inputs.append(found)
        guarded = lead if rule.key is None else (*lead, rule.key)
        for index, fetch in enumerate(fetches):
            if _concerns(fetch, written[fetch.id], guarded, rule):
                fetches[index] = _wait_for(fetch, found, fetches)
    ordered = _sorted(fetches)
    places = {fetch.id: index for index, fetch in enumerate(ordered)}
    return RowPlan(
        replace(plan, fetches=tuple(ordered)),
        tuple(frozenset(places[id_] for id_ in found) for found in inputs),
        tuple(carried[fetch.id] for fetch in ordered),
    )


def _part_all(
    fetches: Iterable[Fetch], rules: Sequence[RowRule]
) -> Iterator[tuple[Fetch, frozenset[int]]]:
    """Yield each fetch, or its parts, with the rules that guard all of it."""
    given = list(fetches)
    next_id = max((fetch.id for fetch in given), default=-1) + 1
    added: list[tuple[Fetch, frozenset[str]]] = []
    for original in given:
        fetch = original
        for part, keys in added:
            if _needs(fetch, part, keys):
                fetch = replace(fetch, after=(*fetch.after, part.id))
        parts = _part(fetch, rules)
        for number, (held, keys) in enumerate(parts):
            if number == 0:
                yield _only(fetch, keys), held
                continue
            part = replace(_only(fetch, keys), id=next_id)
            next_id += 1
            added.append((part, keys))
            yield part, held


def _part(
    fetch: Fetch, rules: Sequence[RowRule]
) -> list[tuple[frozenset[int], frozenset[str]]]:
    """Group the keys that an entity fetch brings by the rules that guard them."""
    keys = tuple(dict.fromkeys(_top_keys(fetch)))
    if not fetch.inputs:
        return [(_NO_RULES, frozenset(keys))]
    lead = path_keys(fetch)
    here = [
        (number, rule)
        for number, rule in enumerate(rules)
        if rule.key is not None
        and not rule.is_shadow
        and tuple(step.key for step in rule.path) == lead
        # What the rule reads comes with it: there is nothing to wait for.
        and not any(alias in keys for alias, _ in rule.reads)
    ]
    groups: dict[frozenset[int], set[str]] = {}
    for key in keys:
        held = frozenset(number for number, rule in here if rule.key == key)
        groups.setdefault(held, set()).add(key)
    if groups.get(_NO_RULES) == {TYPENAME_KEY} and len(groups) > 1:
        del groups[_NO_RULES]
        next(iter(groups.values())).add(TYPENAME_KEY)
    ordered = sorted(groups.items(), key=lambda group: sorted(group[0]))
    return [(held, frozenset(found)) for held, found in ordered]


def _only(fetch: Fetch, keys: frozenset[str]) -> Fetch:
    """Return a fetch of some of its keys."""
    targets = _targets(fetch)

    def is_kept(found: Field) -> bool:
        return targets.get(found.response_key, found.response_key) in keys

    return replace(fetch, selections=_keep(fetch.selections, is_kept))


def _keep(selections: Selections, is_kept: Callable[[Field], bool]) -> Selections:
    kept: list[Selection] = []
    for selection in selections:
        if isinstance(selection, Field):
            if is_kept(selection):
                kept.append(selection)
            continue
        inner = _keep(selection.selections, is_kept)
        if inner:
            kept.append(replace(selection, selections=inner))
    return tuple(kept)


def _top_keys(fetch: Fetch) -> Iterator[str]:
    targets = _targets(fetch)
    for found in _flat(fetch.selections):
        yield targets.get(found.response_key, found.response_key)


def _targets(fetch: Fetch) -> dict[str, str]:
    return {r.source: r.target for r in fetch.renames if not r.path}


def _flat(selections: Selections) -> Iterator[Field]:
    for selection in selections:
        if isinstance(selection, Field):
            yield selection
        else:
            yield from _flat(selection.selections)


def _needs(fetch: Fetch, part: Fetch, keys: frozenset[str]) -> bool:
    """Tell whether a later fetch reads something that only a part brings."""
    lead, path = path_keys(part), path_keys(fetch)
    if any(_starts(path, (*lead, key)) for key in keys) or fetch.contexts:
        return True
    read = {f.response_key for e in fetch.inputs for f in _flat(e.selections)}
    return path == lead and not keys.isdisjoint(read)


def _concerns(
    fetch: Fetch,
    written: Iterable[ResponsePath],
    guarded: ResponsePath,
    rule: RowRule,
) -> bool:
    """Tell whether a fetch should know which rows are refused before it starts."""
    if rule.is_shadow:
        return False
    if fetch.inputs and _starts(path_keys(fetch), guarded):
        return True
    return any(_starts(path, guarded) for path in written)


def _wait_for(fetch: Fetch, inputs: Iterable[int], fetches: Sequence[Fetch]) -> Fetch:
    """Return the fetch after the inputs, save those that come after it themselves."""
    by_id = {found.id: found for found in fetches}
    before = _ancestors(fetch.id, by_id)
    after = list(fetch.after)
    for input_ in inputs:
        is_later = input_ == fetch.id or fetch.id in _ancestors(input_, by_id)
        if input_ not in before and not is_later:
            after.append(input_)
    return replace(fetch, after=tuple(after))


def _ancestors(start: int, by_id: dict[int, Fetch]) -> set[int]:
    found: set[int] = set()
    pending = list(by_id[start].after)
    while pending:
        here = pending.pop()
        if here not in found:
            found.add(here)
            pending += by_id[here].after
    return found


def _sorted(fetches: Sequence[Fetch]) -> list[Fetch]:
    """Return the fetches in an order that respects ``after``, else as they stand."""
    ordered: list[Fetch] = []
    done: set[int] = set()
    left = list(fetches)
    while left:
        ready = next(fetch for fetch in left if done.issuperset(fetch.after))
        left.remove(ready)
        ordered.append(ready)
        done.add(ready.id)
    return ordered


def _starts(path: ResponsePath, lead: ResponsePath) -> bool:
    return path[: len(lead)] == lead
