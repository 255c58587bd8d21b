"""The kinds of rows, and how generated code reads a value from each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, Final, Protocol

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from strawberry.types.base import get_object_definition

from graphgw.sources.http_answers import JSONText
from graphgw.subgraphs.local.program import ReadPath
from graphgw.subgraphs.local.well_known import WELL_KNOWN, to_datetime

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "DICT",
    "INTEGER",
    "REPRESENTATION",
    "MessageRows",
    "Read",
    "RowKind",
    "Scope",
    "TextRows",
    "key_text",
    "kind_of",
    "raw_text",
    "walker",
]


INTEGER: Final = "an integer"


@dataclass(frozen=True, slots=True)
class Read:
    """An expression that reads one value, and what is certain of it.

    ``fits`` names the leaf types whose every rule the value keeps, and has ``INTEGER``
    for one that is an ``int``, but may be too large for ``Int``. ``is_list`` is set
    where the value is certainly a list (never ``None``); ``items`` then tells of its
    items. A value that ``is_final`` was coerced before. ``enum_table`` are GraphQL
    names by what is read, where that is not the enum's own. ``stamp`` reads the
    ``Timestamp`` that the value is made of, which is there if ``guards`` hold.
    """

    text: str
    never_null: bool = False
    fits: frozenset[str] = frozenset()
    is_list: bool = False
    is_final: bool = False
    enum_table: Mapping[Any, str | None] | None = None
    stamp: str | None = None
    guards: tuple[str, ...] = ()


@dataclass(slots=True)
class Scope:
    """The names that a piece of generated code uses, and their values."""

    names: dict[str, Any] = field(default_factory=dict)

    def add(self, value: Any, hint: str | None = None) -> str:
        """Return a name for ``value``; the same value keeps its name."""
        for name, known in self.names.items():
            if known is value:
                return name
        # Two underscores keep clear of the functions that use the scope.
        name = f"{hint or getattr(value, '__name__', 'value')}__{len(self.names)}"
        self.names[name] = value
        return name

    def item(self, read: Read, depth: int) -> Read:
        """Return how an item of the list ``read`` is read in a loop over it."""
        return Read(
            f"w{depth}",
            never_null=read.is_list,
            fits=read.fits if read.is_list else frozenset(),
            is_final=read.is_final,
            enum_table=read.enum_table,
        )


class RowKind(Protocol):
    """One kind of row: how a value is read from the variable that holds one."""

    @property
    def name(self) -> str:
        """What a person calls it."""
        ...

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return how ``path`` is read.

        Args:
            path: Where the value stands.
            scope: Takes the names that the expression uses.
            must: A missing value may raise.
            enum: The GraphQL names of an enum by member, value and name, where the
                value becomes one.
            row: The variable that holds the row.
        """
        ...


def attribute(text: str, name: str) -> str:
    """Return an expression for an attribute, whatever its name."""
    if name.isidentifier() and not iskeyword(name):
        return f"{text}.{name}"
    return f"getattr({text}, {name!r})"


def raw_text(read: Read, scope: Scope) -> str:
    """Return an expression for a value as it is, numbers of enums as their names."""
    if read.enum_table is None:
        return read.text
    return f"{scope.add(translate)}({read.text}, {scope.add(read.enum_table, 'names')})"


def key_text(read: Read, path: ReadPath) -> str:
    """Return an expression for a part of a key; ids are text."""
    if not path.is_id or "ID" in read.fits:
        return read.text
    return f"(v if type(v := {read.text}) is str or v is None else str(v))"


def walker(path: tuple[str, ...], enum: object = None) -> Callable[[Any], Any]:
    """Return what reads a path through rows of any kind, one inside the other.

    It gives ``None`` where the path ends early. Each step is made for the class of row
    that it first meets.
    """
    steps: dict[tuple[type, int], Callable[[Any], Any]] = {}

    def step(row_class: type, index: int) -> Callable[[Any], Any]:
        scope = Scope()
        names = enum if index + 1 == len(path) else None
        place = ReadPath(path[index : index + 1], path[index : index + 1], None)
        read = kind_of(row_class).read(place, scope, must=False, enum=names)
        text = f"lambda row: {raw_text(read, scope)}"
        made: Callable[[Any], Any] = eval(text, scope.names)  # noqa: S307 - our own text
        return made

    def walk(row: Any) -> Any:
        for index in range(len(path)):
            if row is None:
                return None
            key = (type(row), index)
            read = steps.get(key)
            if read is None:
                read = steps[key] = step(*key)
            row = read(row)
        return row

    return walk


@dataclass(frozen=True, slots=True)
class DictRows:
    """Dicts decoded from JSON; a missing key is null."""

    name: str = "dict"

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return a subscript, or ``get`` where the key may be missing."""
        first, *rest = path.row
        if not rest:
            return Read(f"{row}[{first!r}]" if must else f"{row}.get({first!r})")
        text = f"{row}.get({first!r})"
        walk = scope.add(walker(tuple(rest), enum), "walk")
        if len(rest) > 1 or enum is not None:
            return Read(f"{walk}({text})")
        quick = f"d.get({rest[0]!r}) if type(d := {text}) is dict"
        return Read(f"({quick} else {walk}(d))")


@dataclass(frozen=True, slots=True)
class TextRows:
    """JSON that is not decoded; read value by value, it is the dict that it holds."""

    name: str = "JSON text"

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return how a value is read once all is decoded."""
        return DICT.read(path, scope, must=must, enum=enum, row=f"{row}.value")


@dataclass(frozen=True, slots=True)
class RepresentationRows:
    """Representations: coerced values under the names of GraphQL."""

    name: str = "representation"

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return a subscript by the GraphQL name."""
        del scope, must, enum
        name = path.graphql or path.row[0]
        return Read(f"{row}.get({name!r})", is_final=True)


@dataclass(frozen=True, slots=True)
class ObjectRows:
    """Dataclass instances and other objects, Strawberry's own by attribute."""

    name: str
    is_strawberry: bool

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return an attribute, or a walk where the path is longer."""
        del must
        names = path.attribute if self.is_strawberry else path.row
        if len(names) == 1:
            return Read(attribute(row, names[0]))
        return Read(f"{scope.add(walker(names, enum), 'walk')}({row})")


REPRESENTATION: Final[RowKind] = RepresentationRows()
DICT: Final[RowKind] = DictRows()


def kind_of(row_class: type) -> RowKind:
    """Return the kind of the rows of a class."""
    if issubclass(row_class, Mapping):
        return DICT
    if row_class is JSONText:
        return TextRows()
    if issubclass(row_class, Message):
        return MessageRows(row_class.DESCRIPTOR)
    is_strawberry = get_object_definition(row_class) is not None
    return ObjectRows(row_class.__name__, is_strawberry)


@dataclass(frozen=True, slots=True)
class MessageRows:
    """Protobuf messages; what is unset and knows it is null."""

    descriptor: Any = field(repr=False)

    @property
    def name(self) -> str:
        """The message's full name."""
        full_name: str = self.descriptor.full_name
        return full_name

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return attributes, each guarded by its presence where it has one."""
        del must
        guards: list[str] = []
        text, descriptor = row, self.descriptor
        *ways, last = path.row
        for name in ways:
            step = descriptor.fields_by_name.get(name)
            if step is None or step.message_type is None or _is_repeated(step):
                return Read(f"{scope.add(walker(path.row, enum), 'walk')}({row})")
            guards.append(f"{text}.HasField({name!r})")
            text, descriptor = attribute(text, name), step.message_type
        found = descriptor.fields_by_name.get(last)
        value = attribute(text, last)
        if found is None:
            return Read(value)
        if _is_repeated(found):
            return _repeated(found, value, guards, scope, enum)
        if found.has_presence:
            guards.append(f"{text}.HasField({last!r})")
        return _guarded(_single(found, value, scope, enum), guards)

    def inner(self, path: ReadPath) -> MessageRows | None:
        """Return the kind of the messages at a path, if messages are there."""
        descriptor = self.descriptor
        found = None
        for name in path.row:
            if descriptor is None or (found is not None and _is_repeated(found)):
                return None
            found = descriptor.fields_by_name.get(name)
            descriptor = None if found is None else found.message_type
        if descriptor is None or descriptor.full_name in WELL_KNOWN:
            return None
        return None if descriptor.GetOptions().map_entry else MessageRows(descriptor)


def _guarded(read: Read, guards: list[str]) -> Read:
    if not guards:
        return read
    condition = " and ".join(guards)
    text = f"({read.text} if {condition} else None)"
    return replace(read, text=text, never_null=False, guards=tuple(guards))


def _is_repeated(descriptor: Any) -> bool:
    repeated = getattr(descriptor, "is_repeated", None)
    if repeated is None:  # protobuf before 6.31
        return bool(descriptor.label == descriptor.LABEL_REPEATED)
    return bool(repeated)


def _single(found: Any, text: str, scope: Scope, enum: object) -> Read:
    if found.message_type is not None:
        known = WELL_KNOWN.get(found.message_type.full_name)
        if known is None:
            return Read(text, never_null=True)
        stamp = text if known is to_datetime else None
        return Read(f"{scope.add(known)}({text})", stamp=stamp)
    if found.enum_type is not None:
        table = _by_number(found.enum_type, enum)
        never_null = table is not None and None not in table.values()
        return Read(text, never_null=never_null, enum_table=table)
    fits = _FITS.get(found.type, frozenset())
    return Read(text, never_null=True, fits=fits)


def _repeated(
    found: Any, text: str, guards: list[str], scope: Scope, enum: object
) -> Read:
    if found.message_type is not None and found.message_type.GetOptions().map_entry:
        return _guarded(Read(f"dict({text})"), guards)
    known = found.message_type and WELL_KNOWN.get(found.message_type.full_name)
    if known:
        return _guarded(Read(f"list(map({scope.add(known)}, {text}))"), guards)
    if guards:
        return _guarded(Read(f"list({text})"), guards)
    item = _single(found, text, scope, enum)
    return Read(
        text,
        never_null=True,
        fits=item.fits,
        is_list=True,
        enum_table=item.enum_table,
    )


def _by_number(descriptor: Any, enum: object) -> dict[Any, str | None] | None:
    """Return GraphQL names by number; a zero that none has is an unset value.

    They are told by name, which may carry the enum's in front as in
    ``ORDER_STATUS_PENDING``, or else by the number itself.
    """
    if not isinstance(enum, Mapping):
        return None
    snake = "".join(
        f"_{c}" if c.isupper() and i else c for i, c in enumerate(descriptor.name)
    )
    prefix = f"{snake.upper()}_"
    table: dict[Any, str | None] = {}
    for value in descriptor.values:
        keys = (value.name, value.name.removeprefix(prefix), value.number)
        name = next((enum[key] for key in keys if key in enum), None)
        if name is not None or value.number == 0:
            table[value.number] = name
    return table


def translate(value: Any, table: Mapping[Any, str | None]) -> Any:
    """Return the GraphQL names of enum numbers, one or a list; others as they are."""
    if value is None or isinstance(value, int):
        return table.get(value, value)
    return [table.get(item, item) for item in value]


_FITS: Final[Mapping[int, frozenset[str]]] = {
    FieldDescriptor.TYPE_INT32: frozenset({"Int"}),
    FieldDescriptor.TYPE_SINT32: frozenset({"Int"}),
    FieldDescriptor.TYPE_SFIXED32: frozenset({"Int"}),
    FieldDescriptor.TYPE_INT64: frozenset({INTEGER}),
    FieldDescriptor.TYPE_SINT64: frozenset({INTEGER}),
    FieldDescriptor.TYPE_SFIXED64: frozenset({INTEGER}),
    FieldDescriptor.TYPE_UINT32: frozenset({INTEGER}),
    FieldDescriptor.TYPE_UINT64: frozenset({INTEGER}),
    FieldDescriptor.TYPE_FIXED32: frozenset({INTEGER}),
    FieldDescriptor.TYPE_FIXED64: frozenset({INTEGER}),
    FieldDescriptor.TYPE_BOOL: frozenset({"Boolean"}),
    FieldDescriptor.TYPE_STRING: frozenset({"String", "ID"}),
}
"""The leaf types that every value of a protobuf type keeps to."""
