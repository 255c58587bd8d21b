"""The Selection IR: fields and fragments of operations and field sets alike.

Conditions (``@skip``, ``@include``) and named fragments are gone before a
selection is built; argument values are canonical GraphQL text, so that selections
compare and hash by value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "TYPENAME",
    "Argument",
    "Field",
    "Fragment",
    "Selection",
    "Selections",
    "print_selections",
    "variables_in",
]

_STRING_OR_VARIABLE: Final = re.compile(r'"(?:\\.|[^"\\])*"|\$([_A-Za-z][_0-9A-Za-z]*)')


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument; ``value`` is canonical GraphQL text such as ``{a: $x, b: 1}``."""

    name: str
    value: str

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables in the value, in order of appearance."""
        found = (match[1] for match in _STRING_OR_VARIABLE.finditer(self.value))
        return tuple(dict.fromkeys(name for name in found if name))


@dataclass(frozen=True, slots=True)
class Field:
    """One selected field; ``selections`` is empty for a leaf."""

    name: str
    alias: str | None = None
    arguments: tuple[Argument, ...] = ()
    selections: tuple[Selection, ...] = ()
    deferred: str | None = None

    @property
    def response_key(self) -> str:
        """The name under which the value appears in the response."""
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class Fragment:
    """Selections that apply to objects of one type only."""

    type_condition: str
    selections: tuple[Selection, ...]
    deferred: str | None = None


Selection: TypeAlias = Field | Fragment
Selections: TypeAlias = tuple[Selection, ...]

TYPENAME: Final = Field("__typename")


def print_selections(selections: Iterable[Selection], indent: int = 0) -> str:
    """Print selections as GraphQL, one a line, without the outer braces."""
    return "\n".join(_lines(selections, "  " * indent))


def variables_in(selections: Iterable[Selection]) -> tuple[str, ...]:
    """Return the names of all variables used, each once, in order of appearance."""
    return tuple(dict.fromkeys(_variables(selections)))


def _variables(selections: Iterable[Selection]) -> Iterator[str]:
    for selection in selections:
        if isinstance(selection, Field):
            for argument in selection.arguments:
                yield from argument.variables
        yield from _variables(selection.selections)


def _lines(selections: Iterable[Selection], margin: str) -> Iterator[str]:
    for selection in selections:
        head = _head(selection)
        if isinstance(selection, Field) and not selection.selections:
            yield margin + head
            continue
        yield f"{margin}{head} {{"
        yield from _lines(selection.selections, margin + "  ")
        yield margin + "}"


def _head(selection: Selection) -> str:
    if isinstance(selection, Fragment):
        return f"... on {selection.type_condition}"
    alias = f"{selection.alias}: " if selection.alias else ""
    arguments = ", ".join(f"{a.name}: {a.value}" for a in selection.arguments)
    return (
        f"{alias}{selection.name}({arguments})" if arguments else alias + selection.name
    )
