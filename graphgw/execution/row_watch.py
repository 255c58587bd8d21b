"""Row rules at run time: refused rows lose their values before anyone reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphgw.errors import UnauthorizedError
from graphgw.execution.shape import TYPENAME_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.context import RequestContext
    from graphgw.policies.decision import RowRule, RowStep
    from graphgw.types import JSON, JSONObject

__all__ = ["RowWatch"]

_MESSAGE = "Unauthorized field or type"


class _Slot(NamedTuple):
    """Where a row stands in the tree, and the row."""

    holder: JSON
    key: str | int
    row: JSONObject


class RowWatch:
    """One run's row rules: what was decided of which row.

    Each rule is asked once for the rows of its column, and again only for rows that
    came later. Rows are known by identity; those that were decided are held, so that
    no other object takes their place.
    """

    def __init__(
        self,
        rules: Sequence[RowRule],
        inputs: Sequence[frozenset[int]],
        context: RequestContext,
        variables: JSONObject,
    ) -> None:
        self._rules = rules
        self._inputs = inputs
        self._context = context
        self._variables = variables
        self._done: set[int] = set()
        self._allowed: list[dict[int, JSONObject]] = [{} for _ in rules]
        self._refused: list[dict[int, JSONObject]] = [{} for _ in rules]

    async def after(self, index: int, tree: JSONObject) -> None:
        """Apply every rule whose inputs are in the tree now that a fetch is done."""
        self._done.add(index)
        for number, inputs in enumerate(self._inputs):
            if inputs <= self._done:
                await self._apply(number, tree)

    async def finish(self, tree: JSONObject) -> None:
        """Apply every rule once more, whatever is missing: nothing slips through."""
        for number in range(len(self._rules)):
            await self._apply(number, tree)

    def keep_allowed(
        self, objects: list[JSONObject], numbers: frozenset[int]
    ) -> list[JSONObject]:
        """Return the objects that none of these rules refuses."""
        refused = [self._refused[n] for n in numbers if not self._rules[n].is_shadow]
        return [o for o in objects if not any(id(o) in known for known in refused)]

    def errors(self) -> tuple[list[JSONObject], tuple[str, ...]]:
        """Return an error for each refused selection, and the coordinates."""
        found: dict[tuple[tuple[str, ...], str], JSONObject] = {}
        for rule, refused in zip(self._rules, self._refused, strict=True):
            key = (rule.error_path, rule.coordinate)
            if not refused or key in found or rule.is_shadow:
                continue
            found[key] = {
                "message": _MESSAGE,
                "path": list(rule.error_path),
                "extensions": {
                    "code": UnauthorizedError.code,
                    "coordinate": rule.coordinate,
                },
            }
        return list(found.values()), tuple(coordinate for _, coordinate in found)

    async def _apply(self, number: int, tree: JSONObject) -> None:
        rule = self._rules[number]
        allowed, refused = self._allowed[number], self._refused[number]
        new: dict[int, JSONObject] = {}
        for slot in _slots(rule, tree):
            known = id(slot.row)
            if known not in allowed and known not in refused:
                new[known] = slot.row
        if new:
            await self._decide(number, new)
        if refused and not rule.is_shadow:
            for slot in list(_slots(rule, tree)):
                if id(slot.row) in refused:
                    slot.holder[slot.key] = None

    async def _decide(self, number: int, new: dict[int, JSONObject]) -> None:
        rule, refused = self._rules[number], self._refused[number]
        complete: list[JSONObject] = []
        rows: list[JSONObject] = []
        for row in new.values():
            if all(alias in row for alias, _ in rule.reads):
                complete.append(row)
                rows.append({name: row[alias] for alias, name in rule.reads})
            else:
                refused[id(row)] = row
        if rows:
            answers = await rule.allow(self._context, rows, self._variables)
            for row, is_allowed in zip(complete, answers, strict=True):
                (self._allowed[number] if is_allowed else refused)[id(row)] = row
        if refused and not refused.keys().isdisjoint(new):
            self._context.report_refusal(
                rule.coordinate, UnauthorizedError.code, is_shadow=rule.is_shadow
            )


def _slots(rule: RowRule, tree: JSONObject) -> Iterator[_Slot]:
    """Find the rows of a rule, and where each stands or holds what is guarded."""
    level: list[_Slot] = [_Slot(None, "", tree)]
    for step in rule.path:
        level = [
            found
            for slot in level
            for found in _spread(slot.row, step.key, step.list_depth)
            if _has_type(found.row, step)
        ]
    for slot in level:
        yield slot if rule.key is None else _Slot(slot.row, rule.key, slot.row)


def _spread(holder: JSON, key: str | int, depth: int) -> Iterator[_Slot]:
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if depth and isinstance(value, list):
        for index in range(len(value)):
            yield from _spread(value, index, depth - 1)
    elif not depth and isinstance(value, dict):
        yield _Slot(holder, key, value)


def _has_type(row: JSONObject, step: RowStep) -> bool:
    if not step.types:
        return True
    name = row.get(TYPENAME_KEY)
    return name is None or name in step.types
