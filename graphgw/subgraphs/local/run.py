"""Run a selection program breadth-first: each field once for a whole column."""

from __future__ import annotations

from itertools import islice
from types import NoneType
from typing import TYPE_CHECKING, Any

from graphgw.errors import InternalError, SourceBadAnswerError
from graphgw.sources.http_answers import JSONText
from graphgw.subgraphs.local.coerce import complete_leaf, no_list
from graphgw.subgraphs.local.columns import (
    attempt,
    flatten,
    group,
    has_holes,
    is_hole,
    is_list_class,
    scatter,
    together,
)
from graphgw.subgraphs.local.entities import load_entities
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    Constant,
    EntityProgram,
    ObjectProgram,
    PlainRead,
    ReferenceRead,
)
from graphgw.subgraphs.local.texts import decoded
from graphgw.subgraphs.local.values import field_values

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from graphgw.context import RequestContext
    from graphgw.subgraphs.local.generate import Reader
    from graphgw.subgraphs.local.program import FieldProgram
    from graphgw.subgraphs.local.readers import Readers
    from graphgw.subgraphs.local.schema import LocalSchema
    from graphgw.types import JSONObject

__all__ = ["Run"]


class Run:
    """The state of one run: what went wrong where, beside the results.

    Exceptions and nulls stay in the columns where they happened; ``tainted`` holds the
    numbers of the fields at or below which something is wrong, ``programs`` how the
    objects at abstract positions above them were made, for ``Settlement``.
    """

    __slots__ = (
        "context",
        "is_failed",
        "programs",
        "readers",
        "schema",
        "tainted",
        "variables",
    )

    def __init__(
        self,
        schema: LocalSchema,
        readers: Readers,
        context: RequestContext,
        variables: JSONObject,
    ) -> None:
        self.schema = schema
        self.readers = readers
        self.context = context
        self.variables = variables
        self.tainted: set[int] = set()
        self.programs: dict[int, ObjectProgram] = {}
        self.is_failed = False

    async def root(self, program: ObjectProgram) -> Any:
        """Return the root object; its fields are worked out at once."""
        return (await self._objects(program, [None]))[0]

    async def mutation(
        self, program: ObjectProgram, between: Callable[[], None]
    ) -> Any:
        """Return the root object; its fields run one after another.

        Args:
            program: The selections of the mutation type.
            between: Called before each field.
        """
        reader = self.readers.of(program, type(None))
        columns = []
        for field in program.columns:
            between()
            columns.append(await self._column(field, reader, [None]))
        return self._assemble(program, reader, [None], columns)[0]

    async def event(self, program: ObjectProgram, value: Any) -> Any:
        """Return the root object of a subscription for one event of its source."""
        reader = self.readers.of(program, type(None))
        columns = [await self._finish(f, [value], reader) for f in program.columns]
        return self._assemble(program, reader, [None], columns)[0]

    async def entities(
        self, program: EntityProgram, representations: Sequence[JSONObject]
    ) -> list[Any]:
        """Return an object, ``None`` or an exception for each representation."""
        if not program.keys:
            return await self._known(program.program, representations)
        rows = await load_entities(self.context, program, representations)
        classes = set(map(type, rows))
        if JSONText in classes:
            rows = list(map(decoded, rows))
            classes = set(map(type, rows))
        if not has_holes(classes):
            return await self._entities(program, rows, representations)
        if any(isinstance(row, Exception) for row in rows):
            self.is_failed = True
        present = [i for i, row in enumerate(rows) if not is_hole(row)]
        found = [rows[i] for i in present]
        given = [representations[i] for i in present]
        objects = await self._entities(program, found, given) if found else []
        return scatter([present], [objects], rows)

    async def _entities(
        self, program: EntityProgram, rows: list[Any], given: Sequence[JSONObject]
    ) -> list[Any]:
        """Return an object for each loaded row, laid under its representation."""
        if isinstance(program.program, ObjectProgram):
            return await self._objects(program.program, rows, list(given))
        objects = await self._abstract(program.program, rows)
        if any(map(is_hole, objects)):
            self.is_failed = True
        return objects

    async def _known(
        self,
        program: ObjectProgram | AbstractProgram,
        representations: Sequence[JSONObject],
    ) -> list[Any]:
        if isinstance(program, AbstractProgram):
            return await self._abstract(program, list(representations))
        return await self._read(program, None, list(representations))

    async def _objects(
        self, program: ObjectProgram, rows: list[Any], given: list[Any] | None = None
    ) -> list[Any]:
        """Return an object for each row; rows of several classes are parted."""
        classes = set(map(type, rows))
        if len(classes) == 1:
            return await self._read(program, classes.pop(), rows, given)
        groups = group([type(row) for row in rows])
        work = [
            self._read(
                program,
                row_class,
                [rows[i] for i in indexes],
                None if given is None else [given[i] for i in indexes],
            )
            for row_class, indexes in groups
        ]
        return scatter([i for _, i in groups], await together(work), rows)

    async def _abstract(self, program: AbstractProgram, rows: list[Any]) -> list[Any]:
        """Return an object for each row by its runtime type, or an exception."""
        names = self.schema.runtime_types(program.type_name, rows)
        groups = [(n, i) for n, i in group(names) if n in program.programs]
        work = [
            self._objects(program.programs[name], [rows[i] for i in indexes])
            for name, indexes in groups
        ]
        done = await together(work)
        for (name, _), objects in zip(groups, done, strict=True):
            inner = program.programs[name]
            if any(field.number in self.tainted for field in inner.fields):
                self.programs.update((id(made), inner) for made in objects)
        unknown = SourceBadAnswerError(
            f"Abstract type '{program.type_name}' must resolve to an Object type at "
            f"runtime for field '{program.coordinate}'."
        )
        return scatter([i for _, i in groups], done, [unknown] * len(rows))

    async def _read(
        self,
        program: ObjectProgram,
        row_class: type | None,
        rows: list[Any],
        given: list[Any] | None = None,
    ) -> list[Any]:
        """Return an object for each row of one class; ``None`` for representations.

        ``given`` are the representations under which the rows are laid.
        """
        reader = self.readers.of(program, row_class)
        if reader.whole is not None:
            try:
                return reader.whole(rows)
            except Exception:  # noqa: BLE001 - found out field by field
                self.readers.note_misfit(program, row_class)
        columns: list[list[Any]] = [[]] * len(program.columns)
        waiting: list[tuple[int, Coroutine[Any, Any, list[Any]]]] = []
        for index, field in enumerate(program.columns):
            if field.is_given and given is not None:
                work = self._column(field, self.readers.of(program, None), given)
            else:
                work = self._column(field, reader, rows)
            if field.is_async:
                waiting.append((index, work))
            else:
                columns[index] = await work
        if len(waiting) == 1:
            ((index, work),) = waiting
            columns[index] = await work
        elif waiting:
            done = await together([work for _, work in waiting])
            for (index, _), values in zip(waiting, done, strict=True):
                columns[index] = values
        return self._assemble(program, reader, rows, columns)

    async def _column(
        self, field: FieldProgram, reader: Reader, rows: list[Any]
    ) -> list[Any]:
        """Return a field's finished values for a column of rows."""
        try:
            values = await field_values(
                field, reader, rows, self.context, self.variables
            )
        except Exception as error:  # noqa: BLE001 - the field's value, told later
            values = [error] * len(rows)
        return await self._finish(field, values, reader)

    async def _finish(
        self, field: FieldProgram, values: list[Any], reader: Reader
    ) -> list[Any]:
        is_known = reader.is_representation and isinstance(field.source, PlainRead)
        if field.child is not None:
            if not (is_known or field.is_deep):
                made = self._at_once(field, values)
                if made is not None:
                    return made
            is_known = is_known or isinstance(field.source, ReferenceRead)
            return await self._complete(field, values, 0, is_known=is_known)
        if JSONText in set(map(type, values)):
            values = list(map(decoded, values))
        if is_known:
            return [self._known_leaf(field, value) for value in values]
        try:
            return self.readers.leaves(field)(values)
        except Exception:  # noqa: BLE001 - found out value by value
            return [self._leaf(field, value) for value in values]

    def _at_once(self, field: FieldProgram, values: list[Any]) -> list[Any] | None:
        """Return the results for rows of one class, ``None`` where it takes more."""
        child = field.child
        classes = set(map(type, values))
        if len(classes) != 1 or not isinstance(child, ObjectProgram):
            return None
        row_class = classes.pop()
        if has_holes((row_class,)):
            return None
        made = self.readers.of(child, row_class).at_once(values)
        if made is None and row_class is JSONText:
            self.readers.note_misfit(child, row_class)
        return made

    async def _complete(
        self, field: FieldProgram, values: list[Any], depth: int, *, is_known: bool
    ) -> list[Any]:
        """Return the results for values that are lists or rows, holes kept."""
        if not values:
            return []
        classes = set(map(type, values))
        if JSONText in classes:
            values = list(map(decoded, values))
            classes = set(map(type, values))
        if has_holes(classes):
            if field.non_null[depth] or any(c is not NoneType for c in _holes(classes)):
                self._taint(field)
            present = [i for i, value in enumerate(values) if not is_hole(value)]
            inner = [values[i] for i in present]
            done = await self._complete(field, inner, depth, is_known=is_known)
            return scatter([present], [done], values)
        if depth + 1 == len(field.non_null):
            return await self._children(field, values, is_known=is_known)
        if not all(map(is_list_class, classes)):
            listed = [_as_list(field, value) for value in values]
            return await self._complete(field, listed, depth, is_known=is_known)
        items, sizes = flatten(values)
        made = iter(await self._complete(field, items, depth + 1, is_known=is_known))
        return [list(islice(made, size)) for size in sizes]

    async def _children(
        self, field: FieldProgram, rows: list[Any], *, is_known: bool
    ) -> list[Any]:
        """Return the results for rows without holes."""
        child = field.child
        if isinstance(child, ObjectProgram):
            if is_known:
                return await self._read(child, None, rows)
            return await self._objects(child, rows)
        if isinstance(child, EntityProgram):
            results = await self.entities(child, rows)
        elif isinstance(child, AbstractProgram):
            results = await self._abstract(child, rows)
        else:
            raise InternalError(f"{field.coordinate} has no selections")
        holes = _holes(set(map(type, results)))
        if holes and (field.non_null[-1] or holes != [NoneType]):
            self._taint(field)
        return results

    def _assemble(
        self,
        program: ObjectProgram,
        reader: Reader,
        rows: list[Any],
        columns: Sequence[list[Any]],
    ) -> list[Any]:
        try:
            return reader.assemble(rows, columns)
        except Exception:  # noqa: BLE001 - found out value by value
            return [
                self._object(program, reader, row, [column[i] for column in columns])
                for i, row in enumerate(rows)
            ]

    def _object(
        self, program: ObjectProgram, reader: Reader, row: Any, values: list[Any]
    ) -> JSONObject:
        """Make one object with care: a value that fails is its exception."""
        made: JSONObject = {}
        for field in program.fields:
            if field.column is not None:
                made[field.response_key] = values[field.column]
            elif isinstance(field.source, Constant):
                made[field.response_key] = field.source.value
            else:
                value = attempt(reader.singles[field.number], row)
                leaf = self._known_leaf if reader.is_representation else self._leaf
                made[field.response_key] = leaf(field, value)
        return made

    def _leaf(self, field: FieldProgram, value: Any) -> Any:
        if field.leaf is None:
            raise InternalError(f"{field.coordinate} is no leaf")
        done, is_right = complete_leaf(
            value, field.non_null, field.leaf, field.coordinate
        )
        if not is_right:
            self._taint(field)
        return done

    def _known_leaf(self, field: FieldProgram, value: Any) -> Any:
        """Return a value that another subgraph has coerced."""
        if isinstance(value, Exception) or (value is None and field.non_null[0]):
            self._taint(field)
        return value

    def _taint(self, field: FieldProgram) -> None:
        self.tainted.update(field.lineage)


def _holes(classes: set[type]) -> list[type]:
    return [c for c in classes if has_holes((c,))]


def _as_list(field: FieldProgram, value: Any) -> Any:
    if is_list_class(type(value)):
        return value
    return no_list(field.coordinate)
