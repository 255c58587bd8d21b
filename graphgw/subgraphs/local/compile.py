"""Compile the selections of a fetch against a local schema."""

from __future__ import annotations

import inspect
from itertools import count
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

from graphgw.errors import PlanningError
from graphgw.federation.selection import Fragment
from graphgw.subgraphs.kept_answers import keep_answers
from graphgw.subgraphs.local.arguments import NO_ARGUMENTS, compile_arguments
from graphgw.subgraphs.local.fields import (
    Batched,
    Computed,
    Reference,
    Resolved,
)
from graphgw.subgraphs.local.given import common, covers, given_by, has_path
from graphgw.subgraphs.local.key_fields import key_paths
from graphgw.subgraphs.local.program import (
    AbstractProgram,
    BatchRead,
    ComputedCall,
    Constant,
    EntityProgram,
    FieldProgram,
    KeyRead,
    MethodCall,
    ObjectProgram,
    PlainRead,
    ReferenceRead,
    ResolvedCall,
)
from graphgw.subgraphs.local.schema import default_of, is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from graphql import GraphQLField, GraphQLOutputType

    from graphgw.federation.selection import Field, Selections
    from graphgw.federation.supergraph import OperationKind
    from graphgw.planning.plan import EntityInput
    from graphgw.subgraphs.local.given import Given
    from graphgw.subgraphs.local.program import ChildProgram, FieldSource, ReadPath
    from graphgw.subgraphs.local.schema import LocalSchema

__all__ = ["Compiler"]


class Compiler:
    """Compiles one fetch; numbers its fields and objects."""

    def __init__(self, schema: LocalSchema) -> None:
        self._schema = schema
        self._numbers = count(1)

    def root(self, kind: OperationKind, selections: Selections) -> ObjectProgram:
        """Compile the selections of a root type.

        Raises:
            PlanningError: The subgraph has no such type or field.
        """
        core = self._schema.core
        root_types = {
            "query": core.query_type,
            "mutation": core.mutation_type,
            "subscription": core.subscription_type,
        }
        root = root_types[kind]
        if root is None:
            raise PlanningError(f"the subgraph has no {kind} type")
        return self._object(root, selections, (), None)

    def entities(
        self, inputs: Sequence[EntityInput], selections: Selections
    ) -> dict[str, EntityProgram]:
        """Compile the selections of each entity type that is sent.

        Raises:
            PlanningError: The subgraph has no such type, field or key.
        """
        names = dict.fromkeys(entity.typename for entity in inputs)
        return {
            name: self._entity(
                name,
                selections,
                (),
                common([given_by(e.selections) for e in inputs if e.typename == name]),
            )
            for name in names
        }

    def _entity(
        self,
        type_name: str,
        selections: Selections,
        lineage: tuple[int, ...],
        given: Given,
    ) -> EntityProgram:
        declared = self._schema.core.get_type(type_name)
        if isinstance(declared, GraphQLInterfaceType):
            keys = self._keys(type_name, given)
            program = self._abstract(declared, selections, lineage, "Query._entities")
            return EntityProgram(type_name, program, keys, is_async=True)
        if not isinstance(declared, GraphQLObjectType):
            raise PlanningError(f"the subgraph has no entity type '{type_name}'")
        fields = self._collect(declared, selections)
        if all(self._is_given(declared, name, f, given) for name, f in fields.items()):
            known = self._object(declared, selections, lineage, None)
            return EntityProgram(type_name, known, (), known.is_async)
        keys = self._keys(type_name, given)
        loaded = self._object(declared, selections, lineage, given)
        return EntityProgram(type_name, loaded, keys, is_async=True)

    def _keys(self, type_name: str, given: Given) -> tuple[KeyRead, ...]:
        found = []
        for entity_key in self._schema.entities.get(type_name, ()):
            paths = key_paths(entity_key.fields)
            if all(has_path(given, path) for path in paths):
                rule = self._schema.cache_rule_of_type(type_name, paths)
                found.append(KeyRead(entity_key.loader, paths, rule))
        if not found:
            raise PlanningError(f"no loader of '{type_name}' fits its representation")
        return tuple(found)

    def _is_given(
        self,
        parent: GraphQLObjectType,
        name: str,
        group: list[Field],
        given: Given,
    ) -> bool:
        """Tell whether a representation is enough for a field."""
        del name
        field = group[0]
        if field.name == "__typename":
            return True
        core_field = self._core_field(parent, field.name)
        if is_plain(core_field):
            below = given.get(field.name)
            return below is not None and covers(below, _merged(group))
        match self._schema.binding(core_field):
            case Batched(_, keys):
                names: Iterable[str] = keys
            case Computed(_, reads):
                names = reads
            case Reference(pairs):
                names = (row_name for _, row_name in pairs)
            case Resolved():
                return True
            case _:
                return False
        paths = (self._schema.path_of(parent.name, name) for name in names)
        return all(path.graphql is not None and path.graphql in given for path in paths)

    def _collect(
        self, runtime: GraphQLObjectType, selections: Selections
    ) -> dict[str, list[Field]]:
        """Group the fields that apply to a runtime type by response key, in order.

        See https://spec.graphql.org/draft/#sec-Field-Collection.
        """
        groups: dict[str, list[Field]] = {}
        for selection in selections:
            if isinstance(selection, Fragment):
                if self._applies(selection.type_condition, runtime):
                    inner = self._collect(runtime, selection.selections)
                    for key, fields in inner.items():
                        groups.setdefault(key, []).extend(fields)
            else:
                groups.setdefault(selection.response_key, []).append(selection)
        return groups

    def _applies(self, condition: str, runtime: GraphQLObjectType) -> bool:
        if condition == runtime.name:
            return True
        declared = self._schema.core.get_type(condition)
        return (
            declared is not None
            and is_abstract_type(declared)
            and self._schema.core.is_sub_type(declared, runtime)
        )

    def _object(
        self,
        runtime: GraphQLObjectType,
        selections: Selections,
        lineage: tuple[int, ...],
        given: Given | None,
    ) -> ObjectProgram:
        fields: list[FieldProgram] = []
        columns: list[FieldProgram] = []
        for key, group in self._collect(runtime, selections).items():
            is_given = given is not None and self._is_given(runtime, key, group, given)
            made = self._field(runtime, group, lineage, len(columns), is_given)
            fields.append(made)
            if made.column is not None:
                columns.append(made)
        return ObjectProgram(
            number=next(self._numbers),
            type_name=runtime.name,
            fields=tuple(fields),
            columns=tuple(columns),
            is_async=any(field.is_async for field in fields),
        )

    def _field(
        self,
        parent: GraphQLObjectType,
        group: list[Field],
        lineage: tuple[int, ...],
        column: int,
        is_given: bool,  # noqa: FBT001 - private
    ) -> FieldProgram:
        field = group[0]
        lineage = (*lineage, next(self._numbers))
        coordinate = f"{parent.name}.{field.name}"
        key = field.response_key
        if field.name == "__typename":
            return FieldProgram(
                key, coordinate, (True,), lineage, Constant(parent.name)
            )
        core_field = self._core_field(parent, field.name)
        source = self._source(parent, core_field, field)
        named = get_named_type(core_field.type)
        child: ChildProgram | None = None
        if isinstance(source, ReferenceRead):
            given: Given = {name: {} for name, _ in source.keys}
            child = self._entity(named.name, _merged(group), lineage, given)
        elif not is_leaf_type(named):
            child = self._child(named, _merged(group), lineage, coordinate)
        is_inline = isinstance(source, PlainRead) and child is None and not is_given
        return FieldProgram(
            response_key=key,
            coordinate=coordinate,
            non_null=_non_null(core_field.type),
            lineage=lineage,
            source=source,
            leaf=named if is_leaf_type(named) else None,
            child=child,
            column=None if is_inline else column,
            is_given=is_given,
            is_async=_is_async(source) or (child is not None and child.is_async),
        )

    def _child(
        self,
        named: object,
        selections: Selections,
        lineage: tuple[int, ...],
        coordinate: str,
    ) -> ChildProgram:
        if isinstance(named, GraphQLObjectType) and selections:
            return self._object(named, selections, lineage, None)
        if isinstance(named, GraphQLInterfaceType | GraphQLUnionType) and selections:
            return self._abstract(named, selections, lineage, coordinate)
        raise PlanningError(f"{coordinate} has no selections")

    def _abstract(
        self,
        declared: GraphQLInterfaceType | GraphQLUnionType,
        selections: Selections,
        lineage: tuple[int, ...],
        coordinate: str,
    ) -> AbstractProgram:
        possible = self._schema.core.get_possible_types(declared)
        programs = {
            runtime.name: self._object(runtime, selections, lineage, None)
            for runtime in sorted(possible, key=lambda runtime: runtime.name)
        }
        return AbstractProgram(
            type_name=declared.name,
            coordinate=coordinate,
            programs=programs,
            is_async=any(program.is_async for program in programs.values()),
        )

    def _core_field(self, parent: GraphQLObjectType, name: str) -> GraphQLField:
        core_field: GraphQLField | None = parent.fields.get(name)
        if core_field is None:
            raise PlanningError(f"the subgraph has no field '{parent.name}.{name}'")
        return core_field

    def _kept(
        self,
        parent: GraphQLObjectType,
        core_field: GraphQLField,
        field: Field,
        function: Callable[..., Any],
    ) -> Callable[..., Any]:
        """Return the function of a root field, its answers kept where it says so."""
        if parent is not self._schema.core.query_type:
            return function
        coordinate = f"{parent.name}.{field.name}"
        rule = self._schema.cache_rule_of_field(coordinate, core_field, ())
        return function if rule is None else keep_answers(function, rule)

    def _source(
        self, parent: GraphQLObjectType, core_field: GraphQLField, field: Field
    ) -> FieldSource:
        schema = self._schema

        def path(name: str) -> ReadPath:
            return schema.path_of(parent.name, name)

        def arguments(function: Callable[..., Any]) -> Any:
            convert = schema.converter(core_field, function)
            return compile_arguments(field.arguments, core_field.args, convert)

        match schema.binding(core_field):
            case Batched(loader, keys, is_tuple):
                function = loader.function
                paths = tuple(path(key) for key in keys)
                rule = schema.cache_rule_of_field(
                    f"{parent.name}.{field.name}", core_field, keys
                )
                given = arguments(function)
                return BatchRead(loader, paths, is_tuple, given, rule)
            case Resolved(function):
                kept = self._kept(parent, core_field, field, function)
                return ResolvedCall(kept, arguments(function))
            case Computed(function, reads):
                paths = tuple(path(name) for name in reads)
                is_async = inspect.iscoroutinefunction(function)
                return ComputedCall(function, paths, arguments(function), is_async)
            case Reference(pairs):
                target = get_named_type(core_field.type).name
                named = (
                    (schema.field_named(target, key) or key, r) for key, r in pairs
                )
                return ReferenceRead(tuple((key, path(row)) for key, row in named))
        if is_plain(core_field) and parent in schema.root_types():

            def default(_context: object) -> Any:
                return default_of(core_field)

            return ResolvedCall(default, NO_ARGUMENTS)
        if is_plain(core_field):
            return PlainRead(schema.plain_path(field.name, core_field))
        resolve = core_field.subscribe or core_field.resolve
        if resolve is None:
            raise PlanningError(f"'{parent.name}.{field.name}' has no resolver")
        return MethodCall(
            resolve,
            {
                "field_name": field.name,
                "parent_type": parent,
                "return_type": core_field.type,
                "schema": schema.core,
            },
            compile_arguments(field.arguments, core_field.args),
            inspect.iscoroutinefunction(resolve),
        )


def _is_async(source: FieldSource) -> bool:
    match source:
        case BatchRead() | ResolvedCall():
            return True
        case ComputedCall() | MethodCall():
            return source.is_async
        case _:
            return False


def _non_null(output: GraphQLOutputType) -> tuple[bool, ...]:
    flags = []
    while True:
        flags.append(is_non_null_type(output))
        nullable = get_nullable_type(output)
        if not is_list_type(nullable):
            return tuple(flags)
        output = nullable.of_type


def _merged(group: list[Field]) -> Selections:
    return tuple(selection for field in group for selection in field.selections)
