"""What a fetch selects: the goals of its paths, nested as a selection set.

Where two fields that one subgraph would put under the same response key differ in
type there, one gets an internal alias; ``Rename`` undoes it in the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgw.errors import InternalError
from graphgw.federation.selection import Argument, Field, Fragment
from graphgw.planning.contexts import context_place, level_of
from graphgw.planning.fetch_graph import context_variable
from graphgw.planning.plan import PathStep, Rename

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from graphgw.federation.selection import Selection, Selections
    from graphgw.planning.fetch_graph import FetchNode
    from graphgw.planning.paths import Goal, Path

__all__ = ["build_output", "can_share"]


class _Part:
    """The selections on objects of one type."""

    __slots__ = ("fields", "fragments", "order", "type_name")

    def __init__(self, type_name: str, order: int) -> None:
        self.type_name = type_name
        self.order = order
        self.fields: dict[str, _Field] = {}
        self.fragments: dict[str, _Part] = {}


class _Field:
    """A selected field; ``key`` is its response key in the subgraph's answer."""

    __slots__ = (
        "arguments", "inner", "key", "list_depth", "name", "order", "target", "type"
    )  # fmt: skip

    def __init__(
        self,
        key: str,
        name: str,
        arguments: tuple[Argument, ...],
        type_: str,
        order: int,
        inner: _Part | None,
    ) -> None:
        self.key = key
        self.target = key
        self.name = name
        self.arguments = arguments
        self.type = type_
        self.list_depth = type_.count("[")
        self.order = order
        self.inner = inner

    @property
    def selection(self) -> Field:
        """The field without what is selected inside it."""
        alias = self.key if self.key != self.name else None
        return Field(self.name, alias, self.arguments)


class _ConflictError(InternalError):
    """One response key would stand for two fields."""


def build_output(node: FetchNode) -> tuple[Selections, tuple[Rename, ...]]:
    """Build a fetch's selections, and the renames that its answer needs."""
    output = _build(node.goals)
    renames = tuple(dict.fromkeys(_separate([output], ())))
    return tuple(_selections(output, frozenset())), renames


def can_share(goals: Iterable[Goal]) -> bool:
    """Tell whether goals fit into one fetch without a response key in conflict.

    They may not where a subgraph knows several types under one name.
    """
    try:
        _build(goals)
    except _ConflictError:
        return False
    return True


def _build(goals: Iterable[Goal]) -> _Part:
    output = _Part("", 0)
    parts: dict[Path, _Part] = {}
    for goal in goals:
        assert goal.path is not None  # noqa: S101 - only chosen goals get here
        part = _part(output, parts, goal.path, goal)
        edge = goal.path.node.edge(goal.name)
        type_ = edge.type if edge is not None else "String!"
        for key in _keys(goal):
            arguments = _arguments(goal.path, goal.name, goal.arguments)
            _add(part, _Field(key, goal.name, arguments, type_, goal.order, None))
    return output


def _add(part: _Part, field: _Field) -> _Field:
    """Add a field to a part, unless it is there already."""
    known = part.fields.setdefault(field.key, field)
    if (known.name, known.arguments) != (field.name, field.arguments):
        message = f"{field.key} stands for both {known.name} and {field.name}"
        raise _ConflictError(message)
    return known


def _arguments(
    path: Path, name: str, given: tuple[Argument, ...]
) -> tuple[Argument, ...]:
    """Add the arguments that are filled from ancestors."""
    edge = path.node.edge(name)
    if edge is None or not edge.context_arguments:
        return given
    filled = []
    for argument in edge.context_arguments:
        place = context_place(path.place.slot.graph, path.top, argument)
        assert place is not None  # noqa: S101 - the path was feasible
        variable = context_variable(argument, level_of(place.slot))
        filled.append(Argument(argument.name, f"${variable}"))
    return (*given, *filled)


def _keys(goal: Goal) -> list[str]:
    keys = list(goal.keys)
    if (
        goal.key is not None
        and goal.key not in keys
        and not (goal.name == "__typename" and goal.place.is_narrowed and keys)
    ):
        keys.insert(0, goal.key)
    return keys


def _part(output: _Part, parts: dict[Path, _Part], path: Path, goal: Goal) -> _Part:
    """Return where a path's fields go, making the way to it."""
    part = parts.get(path)
    if part is not None:
        return part
    if path.kind == "root":
        part = output
    elif path.kind == "jump":
        assert path.entry is not None  # noqa: S101 - a jump
        part = output
        if not path.entry.is_root:
            part = _fragment(output, path.entry.typename, goal.order)
    else:
        assert path.parent is not None  # noqa: S101 - neither root nor jump
        outer = _part(output, parts, path.parent, goal)
        if path.kind == "field":
            part = _inner(outer, path)
        elif path.node is path.parent.node:
            part = outer
        else:
            part = _fragment(outer, path.node.type_name, goal.order)
    parts[path] = part
    return part


def _fragment(outer: _Part, type_name: str, order: int) -> _Part:
    if type_name not in outer.fragments:
        outer.fragments[type_name] = _Part(type_name, order)
    return outer.fragments[type_name]


def _inner(outer: _Part, path: Path) -> _Part:
    slot = path.place.slot
    assert slot.key is not None and path.parent is not None  # noqa: S101, PT018
    edge = path.parent.node.edge(slot.name)
    assert edge is not None  # noqa: S101 - the path leads over it
    arguments = _arguments(path.parent, slot.name, slot.arguments)
    inner = _Part(path.node.type_name, slot.order)
    field = _Field(slot.key, slot.name, arguments, edge.type, slot.order, inner)
    known = _add(outer, field)
    assert known.inner is not None  # noqa: S101 - composite on both sides
    return known.inner


def _selections(part: _Part, outer: frozenset[Selection]) -> Iterator[Selection]:
    """Print a part; leaves that an enclosing part selects are left out."""
    leaves = outer | {
        field.selection for field in part.fields.values() if field.inner is None
    }
    items: list[_Field | _Part] = [*part.fields.values(), *part.fragments.values()]
    items.sort(key=lambda item: item.order)
    for item in items:
        if isinstance(item, _Part):
            inner = tuple(_selections(item, leaves))
            if inner:
                yield Fragment(item.type_name, inner)
            continue
        field = item.selection
        if item.inner is None:
            if field not in outer:
                yield field
            continue
        inner = tuple(_selections(item.inner, frozenset()))
        yield Field(field.name, field.alias, field.arguments, inner)


# Fields that differ in type under one response key


def _separate(parts: Sequence[_Part], path: tuple[PathStep, ...]) -> Iterator[Rename]:
    """Alias what the subgraph would refuse in overlapping selections.

    An alias stands for one response key only, so that whatever object has it is
    renamed, of whichever type it is.
    """
    by_key: dict[str, list[_Field]] = {}
    used: set[str] = set()
    for field in _overlapping(parts):
        by_key.setdefault(field.target, []).append(field)
        used.add(field.key)
    for key, found in by_key.items():
        shapes: dict[str, list[_Field]] = {}
        for field in found:
            shapes.setdefault(_shape(field), []).append(field)
        for number, group in enumerate(shapes.values()):
            if number:
                alias = _unused(f"__gw_{number}_{key}", used)
                for field in group:
                    field.key = alias
                yield Rename(path, alias, key)
            inner = [field.inner for field in group if field.inner is not None]
            if inner:
                step = PathStep(key, group[0].list_depth)
                yield from _separate(inner, (*path, step))


def _overlapping(parts: Iterable[_Part]) -> Iterator[_Field]:
    for part in parts:
        yield from part.fields.values()
        yield from _overlapping(part.fragments.values())


def _shape(field: _Field) -> str:
    """Return what must agree: nesting, nullability, and a leaf's type."""
    if field.inner is None:
        return field.type
    named = field.type.strip("[]!")
    return field.type.replace(named, "*")


def _unused(name: str, used: set[str]) -> str:
    while name in used:
        name += "_"
    used.add(name)
    return name
