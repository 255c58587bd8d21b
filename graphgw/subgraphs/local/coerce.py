"""Result coercion: leaf values of rows to what the response may hold.

Two forms of the same rules: Python expressions for generated code, which raise
``UnfitError`` where a value is not plainly right, and ``complete_leaf``, which then
takes one value at a time and finds out what it is.
See https://spec.graphql.org/draft/#sec-Value-Completion.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NoReturn

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLString,
    Undefined,
)

from graphgw.errors import SourceBadAnswerError
from graphgw.subgraphs.local.columns import is_list_class
from graphgw.subgraphs.local.rows import INTEGER
from graphgw.subgraphs.local.well_known import stamp_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphql import GraphQLLeafType

    from graphgw.subgraphs.local.rows import Read, Scope

__all__ = [
    "LEAF_LISTS",
    "UnfitError",
    "complete_leaf",
    "enum_names",
    "is_built_in",
    "is_iso_text",
    "leaf_expression",
    "leaf_lines",
    "no_list",
]

_MAX_INT: Final = 2**31 - 1
_MAX_FLOAT: Final = 1.7976931348623157e308
_SHOWN: Final = (str, int, float, bool)
_TEMPORAL: Final[Mapping[str, tuple[Any, Callable[[str], Any]]]] = {
    "Date": (dt.date(2000, 1, 2), dt.date.fromisoformat),
    "DateTime": (dt.datetime(2000, 1, 2, tzinfo=dt.UTC), dt.datetime.fromisoformat),
    "Time": (dt.time(3, 4), dt.time.fromisoformat),
}
"""A sample and a quick parser of the scalars that are ISO 8601 text."""

LEAF_LISTS: Final = frozenset({list, tuple})
"""Classes whose instances generated code takes as lists."""


class UnfitError(Exception):
    """A value is not plainly right: the column takes the careful path."""


def no_list(coordinate: str) -> SourceBadAnswerError:
    """Return what is wrong with a value that should be a list."""
    return SourceBadAnswerError(
        f"Expected Iterable, but did not find one for field '{coordinate}'."
    )


def unfit(value: object) -> NoReturn:
    """Send the column down the careful path."""
    raise UnfitError(value)


def enum_names(leaf: GraphQLEnumType) -> dict[Any, str]:
    """Return GraphQL names by member, member's value and both kinds of names."""
    names: dict[Any, str] = {name: name for name in leaf.values}
    members: Any = getattr(leaf, "wrapped_cls", ())
    by_value = {value.value: name for name, value in leaf.values.items()}
    names |= {m.name: by_value[m.value] for m in members if m.value in by_value}
    names |= by_value
    return names | {m: by_value[m.value] for m in members if m.value in by_value}


def is_built_in(leaf: GraphQLLeafType) -> bool:
    """Tell whether a leaf type is one of the specification's own scalars."""
    return leaf in _BUILT_IN


def is_iso_text(leaf: GraphQLLeafType) -> bool:
    """Tell whether a leaf type is a date or time as Strawberry has it."""
    return _quick_parser(leaf) is not None


def leaf_expression(
    read: Read, non_null: tuple[bool, ...], leaf: GraphQLLeafType, scope: Scope
) -> str:
    """Return an expression for the coerced value of what ``read`` reads.

    It may use the variables ``v`` and ``s``, and raises whatever it likes where a
    value is not plainly right.
    """
    must, *inner = non_null
    if inner:
        return _list_expression(read, tuple(inner), leaf, scope, must=must)
    if read.is_final or leaf.name in read.fits:
        if read.never_null or not must:
            return read.text
        return f"v if (v := {read.text}) is not None else {scope.add(unfit)}(v)"
    if isinstance(leaf, GraphQLEnumType):
        return _enum_expression(read, leaf, scope, must=must)
    if leaf not in _BUILT_IN:
        return _scalar_expression(read, leaf, scope, must=must)
    careful = scope.add(_checked(leaf, must=must), leaf.name)
    allowed = _TESTS[leaf.name].format(read=f"(v := {read.text})")
    alike = _ALIKE.get(leaf.name, "").format(v="v")
    return f"v if {allowed}{'' if must else _OR_NULL} else {alike}{careful}(v)"


def leaf_lines(
    read: Read,
    non_null: tuple[bool, ...],
    leaf: GraphQLLeafType,
    scope: Scope,
    name: str,
) -> tuple[list[str], str]:
    """Return the same as lines that may set ``name``, and the value's expression."""
    must, *inner = non_null
    if inner or leaf not in _BUILT_IN or read.is_final or leaf.name in read.fits:
        return [], leaf_expression(read, non_null, leaf, scope)
    careful = scope.add(_checked(leaf, must=must), leaf.name)
    wrong = _WRONG[leaf.name].format(v=name)
    if leaf.name == "Int" and INTEGER in read.fits and read.never_null:
        wrong = _OUT_OF_RANGE.format(v=name)
    elif not must:
        wrong = f"{name} is not None and ({wrong})"
    alike = _ALIKE.get(leaf.name, "").format(v=name)
    lines = [
        f"{name} = {read.text}",
        f"if {wrong}:",
        f"    {name} = {alike}{careful}({name})",
    ]
    return lines, name


def complete_leaf(
    value: Any, non_null: tuple[bool, ...], leaf: GraphQLLeafType, coordinate: str
) -> tuple[Any, bool]:
    """Coerce one value; an exception stands where coercion failed.

    Args:
        value: The raw value; an exception is one that failed before.
        non_null: A flag for the value and one for the items of each list inside.
        leaf: Its type.
        coordinate: The field, for messages.

    Returns:
        The coerced value, and whether all of it is right: no exception in it and no
        null where there may be none.
    """
    must, *inner = non_null
    if value is None:
        return None, not must
    if isinstance(value, Exception):
        return value, False
    if inner:
        return _complete_list(value, tuple(inner), leaf, coordinate)
    try:
        return _coerce(value, leaf), True
    except Exception as error:  # noqa: BLE001 - a scalar's serializer raises anything
        return _mismatch(value, leaf, error), False


def _complete_list(
    value: Any, inner: tuple[bool, ...], leaf: GraphQLLeafType, coordinate: str
) -> tuple[Any, bool]:
    if not is_list_class(type(value)):
        return no_list(coordinate), False
    done = [complete_leaf(item, inner, leaf, coordinate) for item in value]
    return [item for item, _ in done], all(is_right for _, is_right in done)


def _coerce(value: Any, leaf: GraphQLLeafType) -> Any:
    if isinstance(leaf, GraphQLEnumType):
        return _enum_name(value, leaf)
    if leaf in _BUILT_IN:
        return leaf.coerce_output_value(value)
    return _serializer(leaf)(value)


def _enum_name(value: Any, leaf: GraphQLEnumType) -> str:
    try:
        return str(leaf.coerce_output_value(value))
    except GraphQLError:
        if isinstance(value, str) and value in leaf.values:
            return value
        members: Any = getattr(getattr(leaf, "wrapped_cls", None), "__members__", {})
        if isinstance(value, str) and value in members:
            return str(leaf.coerce_output_value(members[value]))
        raise


def _mismatch(
    value: Any, leaf: GraphQLLeafType, error: Exception
) -> SourceBadAnswerError:
    """Say what did not fit; shows plain values, hides everything else."""
    kind = "Enum" if isinstance(leaf, GraphQLEnumType) else leaf.name
    name = f"Enum '{leaf.name}'" if kind == "Enum" else leaf.name
    shown = repr(value) if isinstance(value, _SHOWN) else f"<{type(value).__name__}>"
    if leaf in _BUILT_IN and isinstance(value, _SHOWN):
        failure = SourceBadAnswerError(str(error))
    else:
        failure = SourceBadAnswerError(f"{name} cannot represent value: {shown}")
    failure.__cause__ = error
    return failure


_BUILT_IN: Final = frozenset(
    {GraphQLString, GraphQLID, GraphQLInt, GraphQLFloat, GraphQLBoolean}
)

_TESTS: Final[Mapping[str, str]] = {
    "String": "type({read}) is str",
    "ID": "type({read}) is str",
    "Int": f"type({{read}}) is int and -{_MAX_INT + 1} <= v <= {_MAX_INT}",
    "Float": f"type({{read}}) is float and -{_MAX_FLOAT} <= v <= {_MAX_FLOAT}",
    "Boolean": "{read} is True or v is False",
}
_ALIKE: Final[Mapping[str, str]] = {
    "ID": "str({v}) if type({v}) is int else ",
    "Float": "float({v}) if type({v}) is int and "
    f"-{2**53} <= {{v}} <= {2**53} else ",
}
_OUT_OF_RANGE: Final = f"not -{_MAX_INT + 1} <= {{v}} <= {_MAX_INT}"
_WRONG: Final[Mapping[str, str]] = {
    "String": "type({v}) is not str",
    "ID": "type({v}) is not str",
    "Int": f"type({{v}}) is not int or {_OUT_OF_RANGE}",
    "Float": "type({v}) is not float or {v} - {v}",
    "Boolean": "{v} is not True and {v} is not False",
}
"""When a value is not plainly right; of floats ``inf - inf`` and ``nan`` are true."""
_OR_NULL: Final = " or v is None"


def _checked(leaf: GraphQLLeafType, *, must: bool) -> Callable[[Any], Any]:
    """Return what coerces the values that the inlined test did not let pass."""
    coerce = leaf.coerce_output_value

    def careful(value: Any) -> Any:
        if value is None and not must:
            return None
        if value is None or isinstance(value, Exception):
            unfit(value)
        return coerce(value)

    return careful


def _enum_expression(
    read: Read,
    leaf: GraphQLEnumType,
    scope: Scope,
    *,
    must: bool,
) -> str:
    table: dict[Any, str | None] = dict(read.enum_table or enum_names(leaf))
    if must:
        table = {key: name for key, name in table.items() if name is not None}
    elif not read.never_null:
        table[None] = None
    return f"{scope.add(table, leaf.name)}[{read.text}]"


def _scalar_expression(
    read: Read,
    leaf: GraphQLLeafType,
    scope: Scope,
    *,
    must: bool,
) -> str:
    serialize = scope.add(_serializer(leaf), leaf.name)
    parser = _quick_parser(leaf)
    if parser is not None:
        cls, parse = scope.add(_TEMPORAL[leaf.name][0].__class__), scope.add(parser)
        other = f"{serialize}(v)" if must else f"None if v is None else {serialize}(v)"
        if read.stamp is not None and leaf.name == "DateTime":
            return _stamp_expression(read, scope, "" if must else "None")
        return (
            f"{parse}(v).isoformat() if type(v := {read.text}) is str"
            f" else v.isoformat() if type(v) is {cls} else {other}"
        )
    if must:
        return f"{serialize}({read.text})"
    return f"None if (v := {read.text}) is None else {serialize}(v)"


def _stamp_expression(read: Read, scope: Scope, null: str) -> str:
    """Return an expression for a ``Timestamp``'s text, or for what stands for none.

    One that is set but for its presence has seconds; that is looked at first.
    """
    text, no_stamp = scope.add(stamp_text), null or f"{scope.add(unfit)}(None)"
    made, seconds = f"{text}(s, v.nanos)", f"(s := (v := {read.stamp}).seconds)"
    if len(read.guards) == 1:
        return f"{made} if {seconds} or {read.guards[0]} else {no_stamp}"
    made = f"{text}({seconds}, v.nanos)"
    guards = " and ".join(read.guards)
    return f"{made} if {guards} else {no_stamp}" if guards else made


def _serializer(leaf: GraphQLLeafType) -> Callable[[Any], Any]:
    """Return a scalar's serializer that also takes texts in the scalar's input form.

    Rows decoded from JSON hold dates and the like as text.
    """
    serialize, parse = leaf.coerce_output_value, leaf.coerce_input_value
    quick = _quick_parser(leaf)

    def read_text(value: str) -> Any:
        if quick is not None:
            try:
                return serialize(quick(value))
            except ValueError:
                pass
        try:
            return serialize(value)
        except Exception:  # noqa: BLE001 - a scalar's serializer raises anything
            return serialize(parse(value))

    def to_json(value: Any) -> Any:
        done = read_text(value) if type(value) is str else serialize(value)
        if done is None or done is Undefined or value is None:
            unfit(value)
        return done

    return to_json


def _quick_parser(leaf: GraphQLLeafType) -> Callable[[str], Any] | None:
    if isinstance(leaf, GraphQLEnumType):
        return None
    sample, parser = _TEMPORAL.get(leaf.name, (None, None))
    if sample is None:
        return None
    try:
        is_iso = leaf.coerce_output_value(sample) == sample.isoformat()
    except Exception:  # noqa: BLE001 - somebody's own scalar of that name
        return None
    return parser if is_iso else None


def _list_expression(
    read: Read,
    inner: tuple[bool, ...],
    leaf: GraphQLLeafType,
    scope: Scope,
    *,
    must: bool,
) -> str:
    item = scope.item(read, len(inner))
    expression = leaf_expression(item, inner, leaf, scope)
    if read.is_list:
        plain = expression == item.text
        items = f"for {item.text} in {read.text}"
        return f"list({read.text})" if plain else f"[{expression} {items}]"
    made = f"[{expression} for {item.text} in v]"
    lists, careful = scope.add(LEAF_LISTS, "LISTS"), scope.add(unfit)
    value = f"(v := {read.text})"
    if must:
        return f"{made} if type({value}) in {lists} else {careful}(v)"
    return (
        f"None if {value} is None else {made} if type(v) in {lists} else {careful}(v)"
    )
