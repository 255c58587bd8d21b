"""Cut the response tree to what the client asked for.

The projection of an operation is one generated function per selection set. It goes
through a sound answer once and returns objects as they are where they already have
the client's shape. Whatever does not fit (a null or a value in the wrong place)
raises ``UnfitError``, and the part that holds it is completed with care instead; see
``complete.py``. Neither changes the tree, so that either may go over it again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphgw.types import JSON, JSONObject

__all__ = ["Projection", "build_projection"]

_MIN_INT: Final = -(2**31)
_MAX_INT: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Projection:
    """A compiled projection; ``source`` is its text."""

    shape: ObjectShape
    source: str
    functions: dict[int, Callable[[Any], Any]] = field(repr=False)

    def run(
        self, tree: JSONObject, errors: Sequence[JSONObject]
    ) -> tuple[JSON, list[JSONObject]]:
        """Return the client's data, and the errors that are not recorded yet.

        Args:
            tree: The merged answers of all fetches.
            errors: What was recorded so far: a null that one of them explains
                gets no error of its own.
        """
        try:
            return self.functions[id(self.shape)](tree), []
        except UNFIT:
            completion = Completion(self.functions, errors)
            return completion.root(self.shape, tree), completion.errors


def build_projection(shape: ObjectShape) -> Projection:
    """Write and compile the functions that project to ``shape``."""
    writer = _ProjectionWriter()
    writer.object_function(shape)
    return Projection(shape, writer.source.text, writer.compile())


class _ProjectionWriter:
    """Writes one function per object shape and per list shape."""

    def __init__(self) -> None:
        self.source = SourceWriter({"Unfit": UnfitError, "is_": is_})
        self._names: dict[int, str] = {}
        self._tables: dict[int, str] = {}

    def compile(self) -> dict[int, Callable[[Any], Any]]:
        names = self.source.compile("projection")
        return {key: names[name] for key, name in self._names.items()}

    def object_function(self, shape: ObjectShape) -> str:
        name = self._names.get(id(shape))
        if name is None:
            name = self._names[id(shape)] = self.source.name("object_")
            self.source.function(name, "o", self._object_body(shape))
        return name

    def _object_body(self, shape: ObjectShape) -> list[str]:
        lines = [f"# {shape.type_name}"]
        if _is_never_fit(shape):
            return [*lines, "raise Unfit"]
        if not any(_is_read(found) for found in shape.fields):
            lines.append("if o.__class__ is not dict: raise Unfit")
        values, same = [], []
        for index, found in enumerate(shape.fields):
            if not _is_read(found):
                values.append(_constant(found, shape))
                same.append(f"o.get({found.key!r}) == {_constant(found, shape)}")
                continue
            variable = f"v{index}"
            values.append(variable)
            lines.append(f"{variable} = {_read(found)}")
            nested = self._check(found.value, variable)
            if nested.is_replaced:
                lines.append(f"w{index} = {variable}")
                same.append(f"{variable} is w{index}")
            lines.extend(nested.lines)
        built = _display(shape, values)
        if _can_be_exact(shape):
            keys = self.source.constant("KEYS_", _keys(shape))
            same.insert(0, f"len(o) == {len(shape.fields)} and tuple(o) == {keys}")
            lines.append(f"if {' and '.join(same)}: return o")
        return [*lines, f"return {built}"]

    def _check(self, value: ValueShape | None, variable: str) -> _Check:
        """Write the check of one value that is held in ``variable``."""
        if value is None:
            return _Check([])
        kind = value.kind
        if isinstance(kind, LeafShape):
            wrong = self._is_wrong(kind, variable, is_non_null=value.is_non_null)
            return _Check([f"if {wrong}: raise Unfit"] if wrong else [])
        call = self._call(kind, variable)
        guard = "" if value.is_non_null else f"if {variable} is not None: "
        return _Check([f"{guard}{variable} = {call}"], is_replaced=True)

    def _call(self, kind: ListShape | CompositeShape, variable: str) -> str:
        if isinstance(kind, ListShape):
            return f"{self.list_function(kind)}({variable})"
        if kind.is_abstract:
            return f'{self._table(kind)}[{variable}["{TYPENAME_KEY}"]]({variable})'
        (shape,) = kind.objects.values()
        return f"{self.object_function(shape)}({variable})"

    def _table(self, kind: CompositeShape) -> str:
        """Write a table of functions by runtime type."""
        name = self._tables.get(id(kind))
        if name is None:
            functions = {
                type_name: self.object_function(shape)
                for type_name, shape in kind.objects.items()
            }
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
        kind = item.kind
        if isinstance(kind, LeafShape):
            wrong = self._is_wrong(kind, "x", is_non_null=item.is_non_null)
            if wrong:
                head += ["for x in v:", f"    if {wrong}: raise Unfit"]
            return [*head, "return v"]
        if isinstance(kind, CompositeShape) and not kind.is_abstract:
            (shape,) = kind.objects.values()
            if _is_simple(shape):
                is_non_null = item.is_non_null
                return head + self._flat_list_body(shape, is_non_null=is_non_null)
        each = self._call(kind, "x")
        if not item.is_non_null:
            each = f"None if x is None else {each}"
        return [
            *head,
            f"out = [{each} for x in v]",
            "return v if all(map(is_, out, v)) else out",
        ]

    def _flat_list_body(self, shape: ObjectShape, *, is_non_null: bool) -> list[str]:
        """Write a loop over objects without objects in them.

        Their order of keys is read off the first one.
        """
        lines = [f"# [{shape.type_name}]", "if not v: return v"]
        can_be_exact = _can_be_exact(shape)
        if can_be_exact:
            keys = self.source.constant("KEYS_", _keys(shape))
            lines.append("o = v[0]")
            first = "" if is_non_null else "o is None or "
            lines.append(f"is_exact = {first}tuple(o) == {keys}")
        lines.append("for o in v:")
        if not is_non_null:
            lines.append("    if o is None: continue")
        values = []
        for found in shape.fields:
            if not _is_read(found):
                constant = _constant(found, shape)
                values.append(constant)
                if can_be_exact:
                    test = f"o.get({found.key!r}) != {constant}"
                    lines.append(f"    if {test}: is_exact = False")
                continue
            values.append(_read(found))
            lines.append(f"    x = {_read(found)}")
            lines.extend(f"    {line}" for line in self._check(found.value, "x").lines)
            if found.is_late and can_be_exact:
                test = f"x is None and {found.key!r} not in o"
                lines.append(f"    if {test}: is_exact = False")
        if can_be_exact:
            lines.append(f"    if len(o) != {len(shape.fields)}: is_exact = False")
            lines.append("if is_exact: return v")
        built = _display(shape, values)
        if not is_non_null:
            built = f"None if o is None else {built}"
        return [*lines, f"return [{built} for o in v]"]

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


@dataclass(frozen=True, slots=True)
class _Check:
    """Lines that check a value; ``is_replaced`` where they may put another there."""

    lines: list[str]
    is_replaced: bool = False


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


def _read(found: FieldShape) -> str:
    return f"o.get({found.key!r})" if found.is_late else f"o[{found.key!r}]"


def _constant(found: FieldShape, shape: ObjectShape) -> str:
    """Return what stands for a refused field or a ``__typename``."""
    return repr(None if found.is_refused else shape.type_name)


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
