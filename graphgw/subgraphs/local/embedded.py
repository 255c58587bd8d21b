"""Read embedded objects where their values stand: in the row around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from graphgw.subgraphs.local.rows import Read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphgw.subgraphs.local.fields import RowOf
    from graphgw.subgraphs.local.program import ReadPath
    from graphgw.subgraphs.local.rows import RowKind, Scope

__all__ = ["EmbeddedRows", "UnreadableError", "embedded_rows"]

_MAX_INT: Final = 2**31 - 1


class UnreadableError(Exception):
    """A value of an embedded object does not stand in the row around it."""


@dataclass(frozen=True, slots=True)
class EmbeddedRows:
    """The rows that a ``RowOf`` would make of rows of another kind, not made at all.

    A row's variable holds the row around it. What is read is what the row that is
    spared would hold, no more: numbers of enums stay numbers.
    """

    around: RowKind
    parts: Mapping[str, ReadPath]
    constants: Mapping[str, Any]
    name: str = "embedded"

    def read(
        self,
        path: ReadPath,
        scope: Scope,
        *,
        must: bool,
        enum: object = None,
        row: str = "row",
    ) -> Read:
        """Return how a part is read, or a constant.

        Raises:
            UnreadableError: It is neither.
        """
        del enum
        first, *rest = path.row
        if not rest and first in self.parts:
            return self.around.read(self.parts[first], scope, must=False, row=row)
        if not rest and first in self.constants:
            return _constant(self.constants[first], scope)
        if must or rest:
            raise UnreadableError(first)
        return Read("None")


def embedded_rows(
    function: RowOf, reads: tuple[ReadPath, ...], around: RowKind
) -> EmbeddedRows:
    """Return the kind of the rows that a function would make."""
    parts = dict(zip(function.names, reads, strict=True))
    return EmbeddedRows(around, parts, function.constants)


def _constant(value: Any, scope: Scope) -> Read:
    text = scope.add(value, "constant")
    if type(value) is str:
        return Read(text, never_null=True, fits=frozenset({"String", "ID"}))
    if type(value) is int and abs(value) <= _MAX_INT:
        return Read(text, never_null=True, fits=frozenset({"Int"}))
    if type(value) is bool:
        return Read(text, never_null=True, fits=frozenset({"Boolean"}))
    return Read(text)
