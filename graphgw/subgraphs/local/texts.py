"""Read JSON that is not decoded: decode what is selected, and check it meanwhile.

A selection program becomes a class for ``msgspec`` that has the fields of rows that are
read, with types that hold each value to the rules of its leaf type. What the decoder
accepts needs no second look. It raises where anything is not plainly right: the value
is then decoded whole, and worked out as any other row.
"""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from graphql import GraphQLEnumType

from graphgw.errors import SourceError
from graphgw.sources.http_answers import JSONText
from graphgw.subgraphs.local.coerce import is_built_in, is_iso_text
from graphgw.subgraphs.local.embedded import UnreadableError
from graphgw.subgraphs.local.fields import RowOf
from graphgw.subgraphs.local.program import (
    ComputedCall,
    Constant,
    ObjectProgram,
    PlainRead,
    ReferenceRead,
)
from graphgw.subgraphs.local.rows import Read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphql import GraphQLLeafType

    from graphgw.subgraphs.local.program import FieldProgram, ReadPath
    from graphgw.subgraphs.local.rows import Scope

__all__ = ["StructRows", "decoded", "decoder_of", "struct_rows"]

_KEPT_CLASSES: Final = 1024
_ID: Final[Any] = str | Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: Final[Mapping[str, Any]] = {
    "String": str,
    "ID": _ID,
    "Int": Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)],
    "Float": float,
    "Boolean": bool,
}


def decoded(value: Any) -> Any:
    """Return what a ``JSONText`` holds, or why there is nothing; others as they are."""
    if value.__class__ is not JSONText:
        return value
    try:
        return value.value
    except SourceError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Part:
    """A value of a row: where it stands, its type, and what is certain of it."""

    name: str
    type: Any
    is_required: bool
    fits: frozenset[str] = frozenset()
    is_list: bool = False
    inner: StructRows | None = None


@dataclass(frozen=True, slots=True, eq=False)
class StructRows:
    """Instances of a class that has what one selection reads of its rows."""

    parts: dict[str, _Part] = field(default_factory=dict)
    name: str = "decoded JSON"

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return an attribute.

        Raises:
            UnreadableError: The class has no such value.
        """
        del scope, must, enum
        part = self._part(path)
        return Read(
            f"{row}.{part.name}",
            never_null=part.is_required,
            fits=part.fits,
            is_list=part.is_list,
        )

    def inner(self, path: ReadPath) -> StructRows | None:
        """Return the kind of the objects at a path."""
        return self._part(path).inner

    def _part(self, path: ReadPath) -> _Part:
        part = self.parts.get(path.row[0]) if len(path.row) == 1 else None
        if part is None:
            raise UnreadableError(".".join(path.row))
        return part

    def make_class(self) -> Any:
        """Return the class; equal ones are made once."""
        return _make_class(
            tuple((key, p.type, p.is_required) for key, p in self.parts.items())
        )


def decoder_of(rows: StructRows) -> Any:
    """Return what decodes the text of one object to an instance."""
    return msgspec.json.Decoder(rows.make_class()).decode


def struct_rows(program: ObjectProgram) -> StructRows:
    """Return the rows of which a program reads nothing that is not decoded.

    Raises:
        UnreadableError: It reads what has no certain type before it is looked at.
    """
    made = StructRows()
    for found in program.fields:
        match found.source:
            case Constant():
                pass
            case PlainRead(path):
                _add(made, path, _part_of(found, len(made.parts)))
            case ComputedCall(RowOf() as function, reads):
                places = dict(zip(function.names, reads, strict=True))
                _add_embedded(made, found, places)
            case ReferenceRead(keys):
                for _, path in keys:
                    name = f"f{len(made.parts)}"
                    _add(made, path, _Part(name, _ID | None, is_required=False))
            case _:
                raise UnreadableError(found.coordinate)
    return made


def _add(made: StructRows, path: ReadPath, part: _Part) -> None:
    """Add a value; one that is read twice must be of one type."""
    if len(path.row) != 1:
        raise UnreadableError(".".join(path.row))
    (key,) = path.row
    known = made.parts.setdefault(key, part)
    if known is not part and (
        known.inner is not None
        or (known.type, known.is_required) != (part.type, part.is_required)
        or (known.fits, known.is_list) != (part.fits, part.is_list)
    ):
        raise UnreadableError(key)


def _add_embedded(
    made: StructRows, found: FieldProgram, places: Mapping[str, ReadPath]
) -> None:
    """Add what an object reads of the row around it."""
    if not isinstance(found.child, ObjectProgram):
        raise UnreadableError(found.coordinate)
    for inner in found.child.fields:
        source = inner.source
        if isinstance(source, Constant):
            continue
        if not isinstance(source, PlainRead) or inner.leaf is None:
            raise UnreadableError(inner.coordinate)
        place = places.get(source.path.row[0])
        if place is not None:
            _add(made, place, _part_of(inner, len(made.parts)))


def _part_of(found: FieldProgram, number: int) -> _Part:
    """Return the part that a field reads, as its type demands it."""
    must, *items = found.non_null
    child, inner, fits = found.child, None, frozenset[str]()
    if found.leaf is not None:
        type_: Any = _leaf_type(found.leaf)
        for is_non_null in reversed(items):
            type_ = _list_of(type_ if is_non_null else type_ | None)
        if is_built_in(found.leaf) and found.leaf.name != "ID":
            fits = frozenset({found.leaf.name})
    elif isinstance(child, ObjectProgram) and not child.is_async and len(items) < 2:  # noqa: PLR2004 - lists in lists are rare
        inner = struct_rows(child)
        type_ = inner.make_class()
        type_ = _list_of(type_) if items else type_
    else:
        raise UnreadableError(found.coordinate)
    return _Part(
        f"f{number}",
        type_ if must else type_ | None,
        must,
        fits,
        bool(items) and must,
        inner,
    )


def _list_of(item: Any) -> Any:
    return types.GenericAlias(list, (item,))


def _leaf_type(leaf: GraphQLLeafType) -> Any:
    if isinstance(leaf, GraphQLEnumType) or is_iso_text(leaf):
        return str
    if not is_built_in(leaf):
        raise UnreadableError(leaf.name)
    return _TYPES[leaf.name]


@lru_cache(_KEPT_CLASSES)
def _make_class(parts: tuple[tuple[str, Any, bool], ...]) -> Any:
    fields: list[Any] = [
        (f"f{number}", type_) if is_required else (f"f{number}", type_, None)
        for number, (_, type_, is_required) in enumerate(parts)
    ]
    names = {f"f{number}": key for number, (key, _, _) in enumerate(parts)}
    try:
        return msgspec.defstruct("Row", fields, rename=names, kw_only=True, gc=False)
    except ValueError as error:  # a key that JSON would escape
        raise UnreadableError(str(error)) from error
