"""Cut the response tree to what the client asked for.

The projection of an operation is one generated function per selection set. It goes
through a sound answer once and returns objects as they are where they already have
the client's shape. Whatever does not fit (a null or a value in the wrong place)
raises ``UnfitError``, and the part that holds it is completed with care instead; see
``complete.py``. Neither changes the tree, so that either may go over it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, Final

from graphgw.execution.complete import UNFIT, Completion, UnfitError
from graphgw.execution.generated import SourceWriter
from graphgw.execution.shape import (
    TYPENAME_KEY,
    CompositeShape,
    FieldShape,
    LeafShape,
    ListShape,
    ObjectShape,
    ValueShape,
    holds_objects,
)
from graphgw.execution.trust import TrustedWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from graphgw.execution.trust import TreeKeys
    from graphgw.types import JSON, JSONObject

__all__ = ["Projection", "build_projection"]

_MIN_INT: Final = -(2**31)
_MAX_INT: Final = 2**31 - 1
_INLINED: Final = 3
"""Levels of single objects that are projected in one function."""


@dataclass(frozen=True)
class Projection:
    """A compiled projection; ``source`` is its text.

    ``trusted`` takes the tree of a sound run without looking at values, where there is
    such a function. The others are then compiled when a run was not sound.
    """

    shape: ObjectShape
    source: str
    _writer: _ProjectionWriter = field(repr=False)
    trusted: Callable[[Any], Any] | None = field(default=None, repr=False)

    @cached_property
    def functions(self) -> dict[int, Callable[[Any], Any]]:
        """What projects each shape with a look at every value."""
        return self._writer.compile()

    def run(
        self,
        tree: JSONObject,
        errors: Sequence[JSONObject],
        *,
        is_sound: bool = False,
    ) -> tuple[JSON, list[JSONObject]]:
        """Return the client's data, and the errors that are not recorded yet.

        Args:
            tree: The merged answers of all fetches.
            errors: What was recorded so far: a null that one of them explains
                gets no error of its own.
            is_sound: Whether every fetch answered all that it was asked.
        """
        if is_sound and self.trusted is not None:
            try:
                return self.trusted(tree), []
            except UNFIT:
                pass
        try:
            return self.functions[id(self.shape)](tree), []
        except UNFIT:
            completion = Completion(self.functions, errors)
            return completion.root(self.shape, tree), completion.errors


def build_projection(
    shape: ObjectShape, *, keeps_order: bool = False, tree_keys: TreeKeys | None = None
) -> Projection:
    """Write and compile the functions that project to ``shape``.

    Args:
        shape: What the client asked for.
        keeps_order: Whether the objects of one list have their keys in one order; if
            not, every one of them is looked at.
        tree_keys: The keys in the tree of a sound run, where that needs no look at
            its values.
    """
    writer = _ProjectionWriter(keeps_order=keeps_order)
    writer.object_function(shape)
    source = writer.source.text
    if tree_keys is None:
        projection = Projection(shape, source, writer)
        _ = projection.functions
        return projection
    trusting = SourceWriter()
    name = TrustedWriter(trusting, tree_keys).root(shape)
    trusted = trusting.compile("trusted projection")[name]
    source = f"{trusting.text}\n\n# where something failed\n\n{source}"
    return Projection(shape, source, writer, trusted)


class _ProjectionWriter:
    """Writes one function per object shape and per list shape."""

    def __init__(self, *, keeps_order: bool) -> None:
        self.source = SourceWriter({"Unfit": UnfitError, "is_": is_})
        self._keeps_order = keeps_order
        self._names: dict[int, str] = {}
        self._tables: dict[int, str] = {}
        self._twins: dict[tuple[object, ...], str] = {}

    def compile(self) -> dict[int, Callable[[Any], Any]]:
        names = self.source.compile("projection")
        return {key: names[name] for key, name in self._names.items()}

    def object_function(self, shape: ObjectShape) -> str:
        name = self._names.get(id(shape))
        if name is not None:
            return name
        signature = _signature(shape)
        name = self._names[id(shape)] = self._twins.get(signature) or (
            self.source.name("object_")
        )
        if signature not in self._twins:
            self._twins[signature] = name
            lines = self._object_lines(shape, "o", "r", depth=0)
            self.source.function(name, "o", [*lines, "return r"])
        return name

    def _object_lines(
        self, shape: ObjectShape, o: str, r: str, *, depth: int
    ) -> list[str]:
        """Write what sets the name ``r`` to the client's form of the object ``o``."""
        lines = [] if shape.is_named else [f"# {shape.type_name}"]
        if _is_never_fit(shape):
            return [*lines, "raise Unfit"]
        if not any(_is_read(found) for found in shape.fields):
            lines.append(f"if {o}.__class__ is not dict: raise Unfit")
        values, same = [], []
        for found in shape.fields:
            if found.value is None or found.is_refused:
                constant = _constant(found, shape, o)
                values.append(constant)
                same.append(f"{o}.get({found.key!r}) == {constant}")
                continue
            value = self.source.name("v")
            lines.append(f"{value} = {_read(found, o)}")
            if not holds_objects(found.value):
                values.append(value)
                lines += self._leaf_lines(found.value, value)
                continue
            projected = self.source.name("r")
            values.append(projected)
            same.insert(0, f"{projected} is {value}")
            lines += self._nested_lines(found.value, value, projected, depth=depth)
        built = _display(shape, values)
        if not _can_be_exact(shape):
            return [*lines, f"{r} = {built}"]
        keys = self.source.constant("KEYS_", _keys(shape))
        same.append(f"len({o}) == {len(shape.fields)} and tuple({o}) == {keys}")
        return [*lines, f"{r} = {o} if {' and '.join(same)} else {built}"]

    def _leaf_lines(self, value: ValueShape, variable: str) -> list[str]:
        """Write the check of a leaf, or of a list of leaves."""
        if isinstance(value.kind, LeafShape):
            wrong = self._is_wrong(value.kind, variable, is_non_null=value.is_non_null)
            return [f"if {wrong}: raise Unfit"] if wrong else []
        guard = "" if value.is_non_null else f"if {variable} is not None: "
        return [f"{guard}{self._call(value, variable)}"]

    def _nested_lines(
        self, value: ValueShape, v: str, r: str, *, depth: int
    ) -> list[str]:
        """Write what sets ``r`` to the client's form of ``v``, which holds objects.

        An object of a concrete type is projected where it is met, for a few levels.
        """
        kind = value.kind
        is_inline = isinstance(kind, CompositeShape) and not kind.is_abstract
        if not isinstance(kind, CompositeShape) or not is_inline or depth >= _INLINED:
            call = self._call(value, v)
            return [f"{r} = {call}" if value.is_non_null else _or_null(r, v, call)]
        (shape,) = kind.objects.values()
        lines = self._object_lines(shape, v, r, depth=depth + 1)
        if value.is_non_null:
            return lines
        return [f"if {v} is None: {r} = None", "else:", *_indented(lines)]

    def _call(self, value: ValueShape, variable: str) -> str:
        kind = value.kind
        if isinstance(kind, ListShape):
            return f"{self.list_function(kind)}({variable})"
        if not isinstance(kind, CompositeShape):
            raise TypeError("a leaf is checked where it stands")
        if kind.is_abstract:
            name = f'{variable}["{TYPENAME_KEY}"]'
            if kind.unnamed is not None:
                name = f"{variable}.get({TYPENAME_KEY!r})"
            return f"{self._table(kind)}[{name}]({variable})"
        (shape,) = kind.objects.values()
        return f"{self.object_function(shape)}({variable})"

    def _table(self, kind: CompositeShape) -> str:
        """Write a table of functions by runtime type."""
        name = self._tables.get(id(kind))
        if name is None:
            functions: dict[str | None, str] = {
                type_name: self.object_function(shape)
                for type_name, shape in kind.objects.items()
            }
            if kind.unnamed is not None:
                functions[None] = self.object_function(kind.unnamed)
            name = self._tables[id(kind)] = self.source.name("types_")
            entries = ", ".join(f"{key!r}: {value}" for key, value in functions.items())
            self.source.statement(f"{name} = {{{entries}}}")
        return name

    def list_function(self, kind: ListShape) -> str:
        name = self._names.get(id(kind))
        if name is None:
            name = self._names[id(kind)] = self.source.name("list_")
            self.source.function(name, "v", self._list_body(kind.item))
        return name

    def _list_body(self, item: ValueShape) -> list[str]:
        head = ["if v.__class__ is not list: raise Unfit"]
        if not holds_objects(item):
            checks = self._leaf_lines(item, "x")
            loop = ["for x in v:", *_indented(checks)] if checks else []
            return [*head, *loop, "return v"]
        kind = item.kind
        if isinstance(kind, CompositeShape) and not kind.is_abstract:
            (shape,) = kind.objects.values()
            self.object_function(shape)  # for the sound items of a list that is not
            if _is_simple(shape):
                is_non_null = item.is_non_null
                return head + self._flat_list_body(shape, is_non_null=is_non_null)
        return [
            *head,
            "out = []",
            "for o in v:",
            *_indented(self._nested_lines(item, "o", "r", depth=0)),
            "    out.append(r)",
            "return v if all(map(is_, out, v)) else out",
        ]

    def _flat_list_body(self, shape: ObjectShape, *, is_non_null: bool) -> list[str]:
        """Write loops over objects without objects in them.

        The first only looks, as long as they have the client's shape; the second
        makes new ones. Which is tried is read off the first object.
        """
        lines = [f"# [{shape.type_name}]", "if not v: return v"]
        reads, values = self._flat_lines(shape)
        if _can_be_exact(shape):
            keys = self.source.constant("KEYS_", _keys(shape))
            tests = list(self._differences(shape, keys))
            first = "" if is_non_null else "o is None or "
            lines += ["o = v[0]", f"if {first}tuple(o) == {keys}:", "    for o in v:"]
            if not is_non_null:
                lines.append("        if o is None: continue")
            lines.append(f"        if {' or '.join(tests)}: break")
            lines += _indented(_indented(reads))
            lines += ["    else:", "        return v"]
        lines += ["out = []", "for o in v:"]
        if not is_non_null:
            lines += [
                "    if o is None:",
                "        out.append(None)",
                "        continue",
            ]
        lines += _indented(reads)
        return [*lines, f"    out.append({_display(shape, values)})", "return out"]

    def _differences(self, shape: ObjectShape, keys: str) -> Iterator[str]:
        """Yield what tells that an object has not the shape of a first one that has."""
        if self._keeps_order:
            yield f"len(o) != {len(shape.fields)}"
            yield from (f"{f.key!r} not in o" for f in shape.fields if f.is_late)
        else:
            yield f"tuple(o) != {keys}"
        if not shape.is_named:
            for found in shape.fields:
                if found.value is None:
                    constant = _constant(found, shape, "o")
                    yield f"o.get({found.key!r}) != {constant}"

    def _flat_lines(self, shape: ObjectShape) -> tuple[list[str], list[str]]:
        """Write what reads and checks the leaves of ``o``; return also their values."""
        lines, values = [], []
        for found in shape.fields:
            if found.value is None or found.is_refused:
                values.append(_constant(found, shape, "o"))
                continue
            variable = f"x{len(values)}"
            values.append(variable)
            lines.append(f"{variable} = {_read(found, 'o')}")
            lines += self._leaf_lines(found.value, variable)
        return lines, values

    def _is_wrong(self, leaf: LeafShape, variable: str, *, is_non_null: bool) -> str:
        """Return the condition under which a leaf does not fit; may be empty."""
        present = "" if is_non_null else f" and {variable} is not None"
        match leaf.kind:
            case "String" | "ID":
                return f"{variable}.__class__ is not str{present}"
            case "Boolean":
                return f"{variable} is not True and {variable} is not False{present}"
            case "Float":
                is_float = f"{variable}.__class__ is not float"
                return f"{is_float} and {variable}.__class__ is not int{present}"
            case "Int":
                is_int = f"{variable}.__class__ is not int"
                in_range = f"{_MIN_INT} <= {variable} <= {_MAX_INT}"
                return f"({is_int} or not {in_range}){present}"
            case "enum":
                values: set[str | None] = set(leaf.values)
                if not is_non_null:
                    values.add(None)
                return f"{variable} not in {self._values(leaf, frozenset(values))}"
            case "any":
                return f"{variable} is None" if is_non_null else ""

    def _values(self, leaf: LeafShape, values: frozenset[str | None]) -> str:
        return self.source.constant(f"{leaf.type_name}_", values)


def _is_read(found: FieldShape) -> bool:
    """Tell whether a field's value comes from the tree."""
    return found.value is not None and not found.is_refused


def _is_never_fit(shape: ObjectShape) -> bool:
    """Tell whether a refused field, which must not be null, nulls every object."""
    return any(
        found.is_refused and found.value is not None and found.value.is_non_null
        for found in shape.fields
    )


def _is_simple(shape: ObjectShape) -> bool:
    """Tell whether one loop can go over a list of such objects."""
    is_read = any(_is_read(found) for found in shape.fields)
    return shape.is_flat and is_read and not _is_never_fit(shape)


def _read(found: FieldShape, o: str) -> str:
    return f"{o}.get({found.key!r})" if found.is_late else f"{o}[{found.key!r}]"


def _or_null(r: str, v: str, call: str) -> str:
    return f"{r} = None if {v} is None else {call}"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _constant(found: FieldShape, shape: ObjectShape, o: str) -> str:
    """Return what stands for a refused field or a ``__typename``."""
    if found.is_refused:
        return "None"
    return f"{o}[{TYPENAME_KEY!r}]" if shape.is_named else repr(shape.type_name)


def _signature(shape: ObjectShape) -> tuple[object, ...]:
    """Return what is equal for types whose objects are projected alike."""
    fields = [(f.key, id(f.value), f.is_refused, f.is_late) for f in shape.fields]
    has_typename = any(found.value is None for found in shape.fields)
    name = shape.type_name if has_typename and not shape.is_named else ""
    return (name, shape.is_named, *fields)


def _keys(shape: ObjectShape) -> tuple[str, ...]:
    return tuple(found.key for found in shape.fields)


def _can_be_exact(shape: ObjectShape) -> bool:
    """Tell whether an object of the tree can have the client's shape as it is."""
    return not any(found.is_refused for found in shape.fields)


def _display(shape: ObjectShape, values: Sequence[str]) -> str:
    keys = (repr(found.key) for found in shape.fields)
    pairs = ", ".join(
        f"{key}: {value}" for key, value in zip(keys, values, strict=True)
    )
    return f"{{{pairs}}}"
