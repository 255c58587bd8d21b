"""Check a local subgraph when it is registered: every problem at once."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeAlias

from google.protobuf.message import Message
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    get_named_type,
    is_abstract_type,
    is_non_null_type,
)
from strawberry.federation.schema_directives import External, Key
from strawberry.types.base import get_object_definition

from graphgw.errors import Problem
from graphgw.sources.http_answers import JSONText
from graphgw.subgraphs.local.expected_rows import promised_rows
from graphgw.subgraphs.local.fields import (
    Batched,
    Computed,
    Reference,
    Resolved,
    RowOf,
)
from graphgw.subgraphs.local.key_fields import key_paths
from graphgw.subgraphs.local.schema import (
    NO_DEFAULT,
    default_of,
    field_definition,
    is_plain,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from graphql import GraphQLField

    from graphgw.subgraphs.local.fields import Binding
    from graphgw.subgraphs.local.schema import LocalSchema

__all__ = ["check_subgraph"]

Declared: TypeAlias = GraphQLObjectType | GraphQLInterfaceType

_BATCH = "async def(keys, context, *, arguments) -> list"
_RESOLVER = "async def(context, *, arguments) -> row"
_BATCH_POSITIONS = 2


def check_subgraph(schema: LocalSchema) -> list[Problem]:
    """Return everything that is wrong with a subgraph's types and functions."""
    problems: list[Problem] = []
    for declared in schema.core.type_map.values():
        if not isinstance(declared, Declared) or declared.name.startswith("_"):
            continue
        roots = schema.root_types()
        for name, core_field in declared.fields.items():
            if not name.startswith("_"):
                problems += _check_field(schema, declared, name, core_field)
                if declared in roots and _has_no_answer(core_field):
                    where = f"{declared.name}.{name}"
                    mend = f"write resolved({_RESOLVER})"
                    problems.append(Problem("nothing answers this field", where, mend))
        if _resolvable_keys(declared):
            problems += _check_entity(schema, declared)
    problems += _check_loaders(schema)
    problems += _check_messages(schema)
    return problems


def _check_field(
    schema: LocalSchema, declared: Declared, name: str, core_field: GraphQLField
) -> Iterator[Problem]:
    where = f"{declared.name}.{name}"
    binding = schema.binding(core_field)
    match binding:
        case Batched(loader):
            yield from _check_batch(loader.function, where)
        case Resolved(function):
            yield from _check_resolved(schema, declared, function, where)
        case Computed(function, reads):
            yield from _check_computed(function, reads, where)
            if isinstance(function, RowOf):
                yield from _check_embedded(schema, core_field, function, where)
        case Reference(pairs):
            target = get_named_type(core_field.type).name
            yield from _check_reference(schema, target, dict(pairs), where)
    yield from _check_runtime_type(schema, core_field, binding, where)


def _check_batch(function: Callable[..., Any], where: str) -> Iterator[Problem]:
    parameters = list(inspect.signature(function).parameters.values())
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    is_fitting = len(positional) == _BATCH_POSITIONS or any(
        p.kind is p.VAR_POSITIONAL for p in positional
    )
    if not (is_fitting and inspect.iscoroutinefunction(function)):
        name = getattr(function, "__name__", "the function")
        yield Problem(f'"{name}" is no batch function', where, f"write {_BATCH}")


def _check_resolved(
    schema: LocalSchema, declared: Declared, function: Callable[..., Any], where: str
) -> Iterator[Problem]:
    name = getattr(function, "__name__", "the function")
    parameters = inspect.signature(function).parameters.values()
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    is_stream = inspect.isasyncgenfunction(function)
    if len(positional) != 1 or not (is_stream or inspect.iscoroutinefunction(function)):
        yield Problem(f'"{name}" is no resolver', where, f"write {_RESOLVER}")
    elif is_stream != (declared is schema.core.subscription_type):
        needed = "a coroutine" if is_stream else "an async generator"
        yield Problem(f'"{name}" must be {needed} here', where)


def _check_computed(
    function: Callable[..., Any], reads: tuple[str, ...], where: str
) -> Iterator[Problem]:
    try:
        inspect.signature(function).bind_partial(*reads)
    except ValueError:  # some built-in functions have no signature
        return
    except TypeError:
        name = getattr(function, "__name__", "the function")
        yield Problem(f'"{name}" does not take {len(reads)} values', where)


def _check_embedded(
    schema: LocalSchema, core_field: GraphQLField, function: RowOf, where: str
) -> Iterator[Problem]:
    """Find what an embedded object must have, and no part of it stands for."""
    declared = get_named_type(core_field.type)
    if not isinstance(declared, GraphQLObjectType):
        yield Problem(f"only objects can be embedded; {declared.name} is none", where)
        return
    given = {*function.names, *function.constants}
    for name, inner in declared.fields.items():
        if not is_plain(inner) or not is_non_null_type(inner.type):
            continue
        first = schema.plain_path(name, inner).row[0]
        if first not in given:
            yield Problem(
                f"{declared.name}.{name} is never null, and has no part",
                where,
                f"say what holds it: embedded({first}=...)",
            )


def _check_reference(
    schema: LocalSchema, target: str, keys: Mapping[str, str], where: str
) -> Iterator[Problem]:
    declared = schema.core.get_type(target)
    if not isinstance(declared, GraphQLObjectType):
        yield Problem(f"a reference leads to an entity; {target} is none", where)
        return
    names = {schema.field_named(target, key) for key in keys}
    if not any(names == _roots(key) for key in _keys(declared)):
        yield Problem(f"{sorted(keys)} is no key of {target}", where)


def _check_runtime_type(
    schema: LocalSchema,
    core_field: GraphQLField,
    binding: Binding | None,
    where: str,
) -> Iterator[Problem]:
    """Find rows that do not tell which object of an abstract type they are."""
    named = get_named_type(core_field.type)
    if not is_abstract_type(named) or schema.type_of(named.name) is not None:
        return
    function: Callable[..., Any]
    match binding:
        case Batched(loader):
            function = loader.function
        case Resolved(function) | Computed(function):
            pass
        case _:
            return
    for row_class in promised_rows(function):
        is_told = (
            row_class in {dict, JSONText}
            or get_object_definition(row_class) is not None
        )
        if not is_told and schema.type_name_of(row_class) is None:
            yield Problem(
                f"rows of {row_class.__name__} do not tell their type in {named.name}",
                where,
                "name it in rows={...}, or give the interface a type_of",
            )


def _check_entity(schema: LocalSchema, declared: Declared) -> Iterator[Problem]:
    """Find fields of an entity without loader that its representation cannot have."""
    if schema.entities.get(declared.name):
        return
    given = {name for key in _keys(declared) for name in _roots(key)}
    given |= {n for n, f in declared.fields.items() if _is_external(f)}
    for name, core_field in declared.fields.items():
        where = f"{declared.name}.{name}"
        match schema.binding(core_field):
            case Batched(_, keys):
                needed = keys
            case Computed(_, reads):
                needed = reads
            case Reference(pairs):
                needed = tuple(row_name for _, row_name in pairs)
            case Resolved():
                needed = ()
            case _:
                if name not in given:
                    yield Problem(
                        f"{declared.name} has no loader, and {name} is not in its key",
                        where,
                        f"give entities={{{declared.name}: by(...)}}, or batch it",
                    )
                continue
        for part in needed:
            if schema.field_named(declared.name, part) not in given:
                yield Problem(
                    f"{part} is no key or external field of {declared.name}", where
                )


def _check_loaders(schema: LocalSchema) -> Iterator[Problem]:
    for type_name, entity_keys in schema.entities.items():
        declared = schema.core.get_type(type_name)
        if not isinstance(declared, Declared):
            yield Problem("an entity is an object or interface type", type_name)
            continue
        known = {key_paths(key) for key in _keys(declared)}
        for entity_key in entity_keys:
            yield from _check_batch(entity_key.loader.function, type_name)
            try:
                paths = key_paths(entity_key.fields)
            except ValueError as error:
                yield Problem(str(error), type_name)
                continue
            if paths not in known and set(paths) not in [set(k) for k in known]:
                yield Problem(
                    f'"{entity_key.fields}" is no key of {type_name}',
                    type_name,
                    f'declare keys=["{entity_key.fields}"]',
                )


def _check_messages(schema: LocalSchema) -> Iterator[Problem]:
    """Find plain fields that the messages named in ``rows`` do not have."""
    for row_class, type_name in schema.row_types.items():
        declared = schema.object_type(type_name)
        if declared is None or not issubclass(row_class, Message):
            continue
        for name, core_field in declared.fields.items():
            if not is_plain(core_field) or _is_external(core_field):
                continue
            path = schema.plain_path(name, core_field).row
            if not _message_has(row_class.DESCRIPTOR, path):
                message = f"{row_class.__name__} has no field {'.'.join(path)}"
                yield Problem(message, f"{type_name}.{name}")


def _message_has(descriptor: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        found = None if descriptor is None else descriptor.fields_by_name.get(name)
        if found is None:
            return False
        descriptor = found.message_type
    return True


def _directives(element: Any) -> list[object]:
    definition = element.extensions.get("strawberry-definition")
    return list(getattr(definition, "directives", None) or ())


def _keys(declared: Declared) -> list[str]:
    return [str(d.fields) for d in _directives(declared) if isinstance(d, Key)]


def _resolvable_keys(declared: Declared) -> list[str]:
    found = [d for d in _directives(declared) if isinstance(d, Key)]
    return [str(d.fields) for d in found if d.resolvable is not False]


def _roots(key: str) -> set[str]:
    return {path[0] for path in key_paths(key)}


def _has_no_answer(core_field: GraphQLField) -> bool:
    return is_plain(core_field) and default_of(core_field) is NO_DEFAULT


def _is_external(core_field: GraphQLField) -> bool:
    return any(
        isinstance(directive, External)
        for directive in field_definition(core_field).directives
    )
