"""The selection program: what to read and call for a fetch, level by level.

Frozen and free of run-time state. A column is read by functions that ``generate``
writes for the kind of its rows; fields with a ``column`` are worked out before the
level's objects are put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import GraphQLLeafType

    from graphgw.subgraphs.loaders import Loader
    from graphgw.subgraphs.local.arguments import ArgumentProgram

__all__ = [
    "AbstractProgram",
    "BatchRead",
    "ChildProgram",
    "ComputedCall",
    "Constant",
    "EntityProgram",
    "FieldProgram",
    "FieldSource",
    "KeyRead",
    "MethodCall",
    "ObjectProgram",
    "PlainRead",
    "ReadPath",
    "ReferenceRead",
    "ResolvedCall",
]


@dataclass(frozen=True, slots=True)
class ReadPath:
    """Where a value stands in each kind of row.

    ``row`` leads through dicts, messages and objects, ``attribute`` through Strawberry
    instances; ``graphql`` is the name in representations, if it is a field.
    """

    row: tuple[str, ...]
    attribute: tuple[str, ...]
    graphql: str | None
    is_id: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row, such as ``__typename``."""

    value: str


@dataclass(frozen=True, slots=True)
class PlainRead:
    """Read from the row."""

    path: ReadPath


@dataclass(frozen=True, slots=True)
class BatchRead:
    """Loaded for the column by keys read from its rows."""

    loader: Loader[..., Any]
    keys: tuple[ReadPath, ...]
    is_tuple: bool
    arguments: ArgumentProgram
    rule: object = None


@dataclass(frozen=True, slots=True)
class ResolvedCall:
    """Answered by one call for the whole column."""

    function: Callable[..., Any]
    arguments: ArgumentProgram


@dataclass(frozen=True, slots=True)
class ComputedCall:
    """Worked out from values of each row."""

    function: Callable[..., Any]
    reads: tuple[ReadPath, ...]
    arguments: ArgumentProgram
    is_async: bool


@dataclass(frozen=True, slots=True)
class MethodCall:
    """A Strawberry resolver, called for each row."""

    resolve: Callable[..., Any]
    info: Mapping[str, Any] = field(repr=False)
    arguments: ArgumentProgram
    is_async: bool


@dataclass(frozen=True, slots=True)
class ReferenceRead:
    """A representation made of what the row knows; pairs of key field and place."""

    keys: tuple[tuple[str, ReadPath], ...]


FieldSource: TypeAlias = (
    Constant
    | PlainRead
    | BatchRead
    | ResolvedCall
    | ComputedCall
    | MethodCall
    | ReferenceRead
)


@dataclass(frozen=True, slots=True, eq=False)
class FieldProgram:
    """One field of one level.

    ``non_null`` has a flag for the value and one for the items of each list inside.
    ``lineage`` are the numbers of the fields from the root to this one. A field with
    a ``column`` is worked out before objects are made; others are read inline.
    ``is_given`` marks what is read from the representation, not from the loaded row.
    """

    response_key: str
    coordinate: str
    non_null: tuple[bool, ...]
    lineage: tuple[int, ...]
    source: FieldSource
    leaf: GraphQLLeafType | None = None
    child: ChildProgram | None = None
    column: int | None = None
    is_given: bool = False
    is_async: bool = False

    @property
    def number(self) -> int:
        """The field's own number, unique in its fetch."""
        return self.lineage[-1]

    @property
    def is_deep(self) -> bool:
        """Tell whether more than plain objects, one for each row, stands below."""
        child = self.child
        is_flat = isinstance(child, ObjectProgram) and not child.is_async
        return len(self.non_null) > 1 or not is_flat


@dataclass(frozen=True, slots=True, eq=False)
class ObjectProgram:
    """The selections of one object type."""

    number: int
    type_name: str
    fields: tuple[FieldProgram, ...]
    columns: tuple[FieldProgram, ...]
    """The fields that are worked out before objects are made, by column."""
    is_async: bool


@dataclass(frozen=True, slots=True, eq=False)
class AbstractProgram:
    """The selections of an interface or union, by runtime type."""

    type_name: str
    coordinate: str
    programs: Mapping[str, ObjectProgram]
    is_async: bool


@dataclass(frozen=True, slots=True, eq=False)
class KeyRead:
    """One way to load an entity: a loader and where its key stands in representations.

    ``paths`` are lists of names from the representation to each part of the key;
    ``rule`` says what the cache may do with the rows.
    """

    loader: Loader[..., Any]
    paths: tuple[tuple[str, ...], ...]
    rule: object = None


@dataclass(frozen=True, slots=True, eq=False)
class EntityProgram:
    """The selections of an entity that is known by its representation.

    Without ``keys`` the representations are its rows. With ``keys`` rows are loaded by
    the first key that a representation has in full.
    """

    type_name: str
    program: ObjectProgram | AbstractProgram
    keys: tuple[KeyRead, ...]
    is_async: bool


ChildProgram: TypeAlias = ObjectProgram | AbstractProgram | EntityProgram
