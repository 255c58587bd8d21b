"""Representations: the objects of an entity fetch, and what the subgraph is told.

The functions are generated once per plan: ``collect`` finds the objects in the
response tree, ``represent`` builds the distinct representations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any, Final

from graphgw.execution.generated import SourceWriter
from graphgw.execution.shape import TYPENAME_KEY
from graphgw.federation.selection import TYPENAME, Field
from graphgw.types import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphgw.federation.selection import Selection, Selections
    from graphgw.federation.supergraph import Supergraph
    from graphgw.planning.plan import EntityInput, Fetch, PathStep
    from graphgw.types import JSON, JSONObject

__all__ = ["Entities", "EntityCollector", "build_collector", "find_paths"]

_SIMPLE_TYPES: Final = frozenset({"ID", "String", "Int", "Float", "Boolean"})


@record
class Entities:
    """The entities of one fetch: ``positions[i]`` is what stands for ``targets[i]``.

    ``is_whole`` where none of the objects had to be left out.
    """

    targets: list[JSONObject]
    positions: list[int]
    representations: list[JSONObject]
    is_whole: bool = field(compare=False)


@dataclass(frozen=True, slots=True)
class EntityCollector:
    """Compiled for one entity fetch; ``source`` is its text."""

    source: str
    collect: Callable[[JSONObject], list[JSONObject]] = field(repr=False)
    represent: Callable[
        [list[JSONObject]], tuple[list[JSONObject], list[int], list[JSONObject]]
    ] = field(repr=False)

    def run(
        self, tree: JSONObject, objects: list[JSONObject] | None = None
    ) -> Entities:
        """Find the fetch's entities in the tree, and their representations.

        With ``objects`` they are these: they have been found before. Equal entities
        share one representation. An entity is left out where its key is null or
        something that the subgraph requires is missing: it cannot be asked for.
        """
        found = self.collect(tree) if objects is None else objects
        targets, positions, representations = self.represent(found)
        is_whole = len(targets) == len(found)
        return Entities(targets, positions, representations, is_whole)


_LOOPS_AT_ONCE: Final = 15


def build_collector(
    fetch: Fetch, supergraph: Supergraph, type_name: str | None = None
) -> EntityCollector:
    """Write and compile the functions for a fetch that starts below the root.

    A root fetch there answers alike for all objects: they share one representation,
    which is not sent.

    Args:
        fetch: The fetch.
        supergraph: What the plan was made from.
        type_name: The one type of all objects at the fetch's path, if there is one.
    """
    writer = _CollectorWriter(fetch, supergraph, type_name)
    names = writer.compile()
    return EntityCollector(writer.source.text, names["collect"], names["represent"])


def find_paths(
    tree: JSONObject, steps: Sequence[PathStep]
) -> dict[int, list[tuple[str | int, ...]]]:
    """Return the response paths of all objects at ``steps``, by object identity."""
    level: list[tuple[tuple[str | int, ...], JSON]] = [((), tree)]
    for step in steps:
        level = [
            (path, value)
            for parent, holder in level
            for path, value in _spread(
                (*parent, step.key), holder.get(step.key), step.list_depth
            )
            if not step.types or value.get(TYPENAME_KEY) in step.types
        ]
    found: dict[int, list[tuple[str | int, ...]]] = {}
    for path, value in level:
        found.setdefault(id(value), []).append(path)
    return found


def _spread(
    path: tuple[str | int, ...], value: JSON, depth: int
) -> Iterator[tuple[tuple[str | int, ...], JSONObject]]:
    if depth and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _spread((*path, index), item, depth - 1)
    elif not depth and isinstance(value, dict):
        yield path, value


def _freeze(value: JSON) -> Any:
    """Return something hashable that is equal for equal JSON values."""
    if isinstance(value, dict):
        return tuple((key, _freeze(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(_freeze, value))
    return value


class _CollectorWriter:
    """Writes ``collect`` and ``represent`` of one entity fetch."""

    def __init__(
        self, fetch: Fetch, supergraph: Supergraph, type_name: str | None
    ) -> None:
        self.source = SourceWriter({"chain": chain, "freeze": _freeze})
        self._fetch = fetch
        self._supergraph = supergraph
        self._type_name = type_name

    def compile(self) -> dict[str, Any]:
        self.source.function("collect", "tree", list(self._collect_body()))
        self.source.function("represent", "objects", list(self._represent_body()))
        return self.source.compile(f"fetch {self._fetch.id}")

    def _collect_body(self) -> Iterator[str]:
        """Write loops in loops, some at a time: Python nests no more than 20."""
        yield "level = [tree]"
        for steps in _parted(self._fetch.path):
            yield "found = []"
            yield "for o in level:"
            margin, holder = "    ", "o"
            for number, step in enumerate(steps):
                value = f"v{number}"
                yield f"{margin}{value} = {holder}.get({step.key!r})"
                for depth in range(step.list_depth):
                    yield f"{margin}if type({value}) is list:"
                    item = f"i{number}_{depth}"
                    yield f"{margin}    for {item} in {value}:"
                    margin, value = margin + "        ", item
                test = self._type_test(value, step.types) if step.types else ""
                yield f"{margin}if type({value}) is dict{test}:"
                margin, holder = margin + "    ", value
            yield f"{margin}found.append({holder})"
            yield "level = found"
        yield "return level"

    def _type_test(self, variable: str, types: tuple[str, ...]) -> str:
        names = self.source.constant("TYPES_", types)
        return f" and {variable}.get({TYPENAME_KEY!r}) in {names}"

    def _represent_body(self) -> Iterator[str]:
        inputs = self._fetch.inputs
        if not inputs:
            yield "return objects, [0] * len(objects), [{}] if objects else []"
            return
        yield from self._column_body()
        yield "targets, positions, representations = [], [], []"
        for index in range(len(inputs)):
            yield f"known{index} = {{}}"
        yield "for o in objects:"
        yield "    try:"
        yield f"        t = o.get({TYPENAME_KEY!r})"
        for index, entity in enumerate(inputs):
            names = self.source.constant("TYPES_", entity.types)
            is_only = len(inputs) == 1
            word = "elif" if index else "if"
            test = f"t is None or t in {names}" if is_only else f"t in {names}"
            yield f"        {word} {test}:"
            for line in self._entity_body(index, entity):
                yield f"            {line}"
        yield "        else:"
        yield "            continue"
        yield "    except (KeyError, TypeError):"
        yield "        continue"
        yield "    targets.append(o)"
        yield "    positions.append(i)"
        yield "return targets, positions, representations"

    def _column_body(self) -> Iterator[str]:
        """Write what represents all objects at once, where they are all alike.

        Only for one kind of entity with plain fields; whatever is out of the ordinary
        (a null, a field that is missing, another type) leaves it to the loop.
        """
        first, *others = self._fetch.inputs
        type_name = first.types[0] if len(first.types) == 1 else first.typename
        fields = [f for f in first.selections if isinstance(f, Field) and f != TYPENAME]
        is_plain = all(self._is_simple(type_name, found) for found in fields)
        has_fragments = any(not isinstance(f, Field) for f in first.selections)
        if others or has_fragments or not fields or not is_plain:
            return
        reads = [f"o[{found.response_key!r}]" for found in fields]
        names = [f"v{number}" for number in range(len(fields))]
        one = len(fields) == 1
        values = reads[0] if one else f"({', '.join(reads)})"
        key = names[0] if one else f"({', '.join(names)})"
        pairs = [f"{TYPENAME_KEY!r}: {first.typename!r}"]
        pairs += [f"{f.name!r}: {name}" for f, name in zip(fields, names, strict=True)]
        tests = [f"None not in {'distinct' if one else '{*chain(*distinct)}'}"]
        if self._type_name not in first.types:
            types = self.source.constant("TYPES_", frozenset((None, *first.types)))
            found = f"o.get({TYPENAME_KEY!r}) for o in objects"
            tests.append(f"{types}.issuperset([{found}])")
        yield "try:"
        yield f"    keys = [{values} for o in objects]"
        yield "    distinct = dict.fromkeys(keys)"
        yield f"    if {' and '.join(tests)}:"
        yield f"        sent = [{{{', '.join(pairs)}}} for {key} in distinct]"
        yield "        positions = list(range(len(sent)))"
        yield "        if len(sent) < len(keys):"
        yield "            places = dict(zip(distinct, positions))"
        yield "            positions = [places[k] for k in keys]"
        yield "        return objects, positions, sent"
        yield "except (KeyError, TypeError):"
        yield "    pass"

    def _entity_body(self, index: int, entity: EntityInput) -> Iterator[str]:
        """Write the lines that set ``i``, the position of ``o``'s representation."""
        type_name = entity.types[0] if len(entity.types) == 1 else entity.typename
        fields = [
            found
            for found in entity.selections
            if isinstance(found, Field) and found.name != TYPENAME_KEY
        ]
        fragments = [s for s in entity.selections if not isinstance(s, Field)]
        pairs, hashed, variables = [f"{TYPENAME_KEY!r}: {entity.typename!r}"], [], {}
        keys = self._keys(entity)
        strict = keys[0] if len(keys) == 1 else ()
        for number, found in enumerate(fields):
            variable = variables[found.name] = f"v{number}"
            is_key = any(_is_field(part, found.name) for part in strict)
            yield from self._read(found, variable, type_name, _below(strict, found))
            if is_key or self._is_non_null(type_name, found):
                yield f"if {variable} is None: continue"
            pairs.append(f"{found.name!r}: {variable}")
            is_simple = self._is_simple(type_name, found)
            hashed.append(variable if is_simple else f"freeze({variable})")
        if len(keys) > 1:
            yield f"if {_nulls_in_keys(keys, variables)}: continue"
        built = f"{{{', '.join(pairs)}}}"
        if fragments:
            yield f"r = {built}"
            for fragment in fragments:
                yield from self._selection(type_name, fragment, ("o", "r"), ())
            built, hashed = "r", ["freeze(r)"]
        key = hashed[0] if len(hashed) == 1 else f"({', '.join(hashed)})"
        yield f"k = {key}"
        yield f"i = known{index}.get(k)"
        yield "if i is None:"
        yield f"    known{index}[k] = i = len(representations)"
        yield f"    representations.append({built})"

    def _keys(self, entity: EntityInput) -> list[Selections]:
        """Return the keys of the target that the input has in full, the least ones."""
        names = {found.name for found in entity.selections if isinstance(found, Field)}
        keys: dict[frozenset[str], Selections] = {}
        for type_name in (entity.typename, *entity.types):
            definition = self._supergraph.types.get(type_name)
            in_graph = definition and definition.graphs.get(self._fetch.graph)
            for key in in_graph.keys if in_graph else ():
                fields = frozenset(f.name for f in key.fields if isinstance(f, Field))
                if key.is_resolvable and fields and fields <= names:
                    keys.setdefault(fields, key.fields)
        wider = {larger for a, b in combinations(keys, 2) for larger in _wider(a, b)}
        return [key for fields, key in keys.items() if fields not in wider]

    def _read(
        self, found: Field, variable: str, type_name: str, strict: Selections
    ) -> Iterator[str]:
        """Write the lines that read one field of ``o``; KeyError leaves ``o`` out."""
        yield f"{variable} = o[{found.response_key!r}]"
        definition = self._supergraph.field_of(type_name, found.name)
        if found.selections:
            named = definition.named_type if definition else ""
            nested = self._nested_function(named, found.selections, strict)
            yield f"if {variable} is not None: {variable} = {nested}({variable})"

    def _nested_function(
        self, type_name: str, selections: Selections, strict: Selections
    ) -> str:
        """Write a function that builds what is sent for a nested object or list.

        ``strict`` are its parts that belong to a key: nulls in them make it useless.
        """
        name = self.source.name("nested_")
        body = ["if v is None: return None"]
        body.append(f"if v.__class__ is list: return [{name}(x) for x in v]")
        body.append("if v.__class__ is not dict: raise KeyError")
        body.append("r = {}")
        for selection in selections:
            body += self._selection(type_name, selection, ("v", "r"), strict)
        self.source.function(name, "v", [*body, "return r"])
        return name

    def _selection(
        self,
        type_name: str,
        selection: Selection,
        names: tuple[str, str],
        strict: Selections,
    ) -> Iterator[str]:
        """Write what copies one selection from the first name to the second."""
        source, target = names
        if not isinstance(selection, Field):
            condition = selection.type_condition
            types = {condition, *self._supergraph.possible_types(condition)}
            inner = (
                line
                for below in selection.selections
                for line in self._selection(condition, below, names, ())
            )
            if type_name in types:
                yield from inner
                return
            known = self.source.constant("TYPES_", tuple(sorted(types)))
            yield f"if {source}.get({TYPENAME_KEY!r}) in {known}:"
            yield from (f"    {line}" for line in inner)
            return
        read = f"{source}[{selection.response_key!r}]"
        definition = self._supergraph.field_of(type_name, selection.name)
        below = _below(strict, selection)
        if selection.selections:
            named = definition.named_type if definition else ""
            nested = self._nested_function(named, selection.selections, below)
            read = f"{nested}({read})"
        yield f"{target}[{selection.name!r}] = {read}"
        is_key = any(_is_field(part, selection.name) for part in strict)
        if is_key or self._is_non_null(type_name, selection):
            yield f"if {target}[{selection.name!r}] is None: raise KeyError"

    def _is_non_null(self, type_name: str, found: Field) -> bool:
        definition = self._supergraph.field_of(type_name, found.name)
        return definition is not None and definition.type.endswith("!")

    def _is_simple(self, type_name: str, found: Field) -> bool:
        """Tell whether a field's values are hashable as they are."""
        definition = self._supergraph.field_of(type_name, found.name)
        if definition is None or definition.type.startswith("["):
            return False
        if definition.named_type in _SIMPLE_TYPES:
            return True
        named = self._supergraph.types.get(definition.named_type)
        return named is not None and named.kind == "enum"


def _parted(path: Sequence[PathStep]) -> Iterator[list[PathStep]]:
    """Part a path so that one part's lists are not too many for one another."""
    part: list[PathStep] = []
    for step in path:
        if part and sum(s.list_depth + 1 for s in [*part, step]) > _LOOPS_AT_ONCE:
            yield part
            part = []
        part.append(step)
    yield part


def _wider(a: frozenset[str], b: frozenset[str]) -> Iterator[frozenset[str]]:
    if a < b:
        yield b
    elif b < a:
        yield a


def _nulls_in_keys(keys: Sequence[Selections], variables: dict[str, str]) -> str:
    """Return the condition under which every one of the keys holds a null."""
    tests = []
    for key in keys:
        names = [found.name for found in key if isinstance(found, Field)]
        tests.append(" or ".join(f"{variables[name]} is None" for name in names))
    return " and ".join(f"({test})" for test in tests)


def _below(strict: Selections, found: Field) -> Selections:
    """Return what a key selects under one of its fields."""
    return next((part.selections for part in strict if _is_field(part, found.name)), ())


def _is_field(selection: Selection, name: str) -> bool:
    return isinstance(selection, Field) and selection.name == name
