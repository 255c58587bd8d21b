"""Random supergraphs with rows, and subgraphs that are strict about what they know.

``RandomSupergraph(seed)`` makes up entities with several keys, value types, shared and
required and provided fields, interfaces, unions and interface objects, spreads them
over subgraphs, and fills them with rows. Its subgraphs raise where they are asked for
what they do not resolve, or get a representation that lacks something. Shared fields
answer alike everywhere, so the truth is what graphql-core says on the API schema.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from graphql import (
    GraphQLResolveInfo,
    GraphQLSchema,
    build_schema,
    execute_sync,
    get_named_type,
    is_abstract_type,
    is_composite_type,
    is_object_type,
    parse,
    validate,
)

from graphgw.planning.print_document import print_fetch_document
from graphgw.subgraphs.protocol import FetchError, FetchResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphgw.context import RequestContext
    from graphgw.operations.operation import VariableDefinition
    from graphgw.planning.plan import Fetch
    from graphgw.types import JSONObject

__all__ = ["RandomSupergraph", "StrictSubgraph"]


@dataclass
class InGraph:
    """What one subgraph says of a field."""

    requires: str = ""
    provides: str = ""
    is_external: bool = False
    is_non_null: bool = False


@dataclass
class FieldSpec:
    """A field: its type as text and the subgraphs that have it.

    With an argument its value depends on it: ``f(n: Int)``.
    """

    type: str
    graphs: dict[str, InGraph] = field(default_factory=dict)
    has_argument: bool = False

    def head(self, name: str) -> str:
        return f"{name}(n: Int)" if self.has_argument else name

    @property
    def named(self) -> str:
        return self.type.strip("[]!")


@dataclass
class TypeSpec:
    """A type: its kind, its keys by subgraph, its fields."""

    name: str
    kind: str = "type"
    keys: dict[str, list[str]] = field(default_factory=dict)
    fields: dict[str, FieldSpec] = field(default_factory=dict)
    implements: dict[str, list[str]] = field(default_factory=dict)
    members: dict[str, list[str]] = field(default_factory=dict)
    interface_object_in: set[str] = field(default_factory=set)


@dataclass
class Row:
    """An object as one subgraph sees it."""

    row: JSONObject
    sent: JSONObject = field(default_factory=dict)
    provided: frozenset[str] = frozenset()


class RandomSupergraph:
    """One made-up supergraph; equal seeds make equal ones."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - not for secrets
        self.graphs = [f"G{i}" for i in range(self.random.randint(2, 4))]
        self.types: dict[str, TypeSpec] = {}
        self.entities: list[TypeSpec] = []
        self.query = TypeSpec("Query")
        self._make_entities()
        self._make_values()
        self._make_interface()
        self._make_union()
        self._make_references()
        self._make_requirements()
        self._widen_interface()
        self._make_interface_object()
        self._make_roots()
        self._make_provisions()
        self.rows = {e.name: [self._row(e, i) for i in range(3)] for e in self.entities}
        self._link_rows()
        self.schema = build_schema(self._api_sdl())

    # Types

    def _some(self, graphs: list[str], most: int = 2) -> list[str]:
        count = self.random.randint(1, min(most, len(graphs)))
        return sorted(self.random.sample(graphs, count))

    def _make_entities(self) -> None:
        for number in range(self.random.randint(2, 3)):
            entity = TypeSpec(f"E{number}")
            graphs = self._some(self.graphs, 4)
            hub = self.random.choice(graphs)
            for graph in graphs:
                keys = self.random.choice(
                    (["id"], ["id"], ["code"], ["id", "code"], ["id code"])
                )
                entity.keys[graph] = ["id", "code"] if graph == hub else keys
            for key in ("id", "code"):
                having = [g for g, keys in entity.keys.items() if key in " ".join(keys)]
                entity.fields[key] = FieldSpec("ID!", {g: InGraph() for g in having})
            for index in range(self.random.randint(2, 4)):
                spec = FieldSpec("String", {g: InGraph() for g in self._some(graphs)})
                entity.fields[f"f{index}"] = spec
            known = {g: InGraph() for g in self._some(graphs)}
            entity.fields["g"] = FieldSpec("String", known, has_argument=True)
            self.types[entity.name] = entity
            self.entities.append(entity)

    def _make_values(self) -> None:
        for number, entity in enumerate(self.entities):
            graphs = self._some(list(entity.keys), 3)
            value = TypeSpec(f"V{number}", keys={g: [] for g in graphs})
            for index, graph in enumerate(graphs):
                extra = {
                    g: InGraph(is_non_null=self.random.random() < 0.5)
                    for g in self._some(graphs)
                }
                value.fields[f"v{index}"] = FieldSpec("String", {graph: InGraph()})
                value.fields[f"w{index}"] = FieldSpec("String", extra)
            self.types[value.name] = value
            type_ = self.random.choice((value.name, f"[{value.name}]"))
            spec = FieldSpec(type_, {g: InGraph() for g in graphs})
            entity.fields["value"] = spec

    def _add_stub(self, entity: TypeSpec, graph: str) -> None:
        """Make a subgraph know an entity, by its id."""
        if graph not in entity.keys:
            entity.keys[graph] = ["id"]
            entity.fields["id"].graphs.setdefault(graph, InGraph())

    def _make_interface(self) -> None:
        found = TypeSpec("I", "interface")
        members = self.entities[:2]
        for entity in members:
            entity.fields["name"] = FieldSpec(
                "String", {g: InGraph() for g in self._some(list(entity.keys))}
            )
        for graph in self._some(self.graphs, 3):
            for entity in members:
                self._add_stub(entity, graph)
                entity.fields["id"].graphs.setdefault(graph, InGraph())
                entity.implements.setdefault(graph, []).append("I")
            found.keys[graph] = []
            for name in ("id", "name", "f0"):
                if all(graph in e.fields[name].graphs for e in members):
                    spec = found.fields.setdefault(
                        name, FieldSpec("String" if name != "id" else "ID!")
                    )
                    spec.graphs[graph] = InGraph()
        self.types["I"] = found

    def _make_union(self) -> None:
        found = TypeSpec("U", "union")
        graph = self.random.choice(self.graphs)
        for entity in self.entities[-2:]:
            self._add_stub(entity, graph)
        found.members[graph] = [entity.name for entity in self.entities[-2:]]
        found.keys[graph] = []
        self.types["U"] = found

    def _make_references(self) -> None:
        targets = [*(entity.name for entity in self.entities), "I", "U"]
        for entity in self.entities:
            for index in range(self.random.randint(1, 3)):
                target = self.types[self.random.choice(targets)]
                graphs = self._some(list(entity.keys))
                if target.kind != "type":
                    graphs = [g for g in graphs if g in target.keys]
                else:
                    for graph in graphs:
                        self._add_stub(target, graph)
                if not graphs:
                    continue
                name = target.name
                type_ = self.random.choice((name, f"[{name}]"))
                spec = FieldSpec(type_, {g: InGraph() for g in graphs})
                entity.fields[f"ref{index}"] = spec

    def _make_requirements(self) -> None:
        for entity in self.entities:
            for index in range(self.random.randint(0, 3)):
                graph = self.random.choice(sorted(entity.keys))
                wanted = [
                    name
                    for name, spec in entity.fields.items()
                    if graph not in spec.graphs
                    and spec.graphs
                    and spec.named not in {"I", "U"}
                ]
                if not wanted:
                    continue
                needs = self.random.choice(wanted)
                entity.fields[needs].graphs[graph] = InGraph(is_external=True)
                target = self.types.get(entity.fields[needs].named)
                if entity.fields[needs].has_argument:
                    needs = f"{needs}(n: {self.random.randint(1, 2)})"
                if target is not None:
                    needs = f"{needs} {{ {self._inner_need(target, graph)} }}"
                spec = FieldSpec("String", {graph: InGraph(requires=needs)})
                entity.fields[f"r{index}"] = spec

    def _widen_interface(self) -> None:
        """List fields on the interface that its types may not resolve there."""
        interface = self.types["I"]
        for graph in interface.keys:
            for name in ("f0", "f1", "r0", "g", "value"):
                specs = [e.fields.get(name) for e in self.entities[:2]]
                if any(spec is None or graph not in spec.graphs for spec in specs):
                    continue
                if len({spec.type for spec in specs if spec}) > 1:
                    continue
                spec = specs[0]
                assert spec is not None
                if self.random.random() < 0.5:
                    known = FieldSpec(spec.type, has_argument=spec.has_argument)
                    known = interface.fields.setdefault(name, known)
                    known.graphs[graph] = InGraph()

    def _inner_need(self, target: TypeSpec, graph: str) -> str:
        """Name a leaf of a required object, and make the subgraph know of it."""
        names = [
            n
            for n, s in target.fields.items()
            if s.named == "String" and s.graphs and not s.has_argument
        ]
        name = self.random.choice(names)
        if target in self.entities:
            self._add_stub(target, graph)
        target.keys.setdefault(graph, [])
        target.fields[name].graphs.setdefault(graph, InGraph(is_external=True))
        return name

    def _make_interface_object(self) -> None:
        interface = self.types["I"]
        owners = [
            graph
            for graph in interface.keys
            if "id" in interface.fields
            and graph in interface.fields["id"].graphs
            and all("id" in e.keys.get(graph, ()) for e in self.entities[:2])
        ]
        free = [
            graph
            for graph in self.graphs
            if all(graph not in e.keys for e in self.entities[:2])
            and graph not in interface.keys
        ]
        if not free and self.random.random() < 0.7:
            free = [f"G{len(self.graphs)}"]
            self.graphs += free
        if not owners or not free:
            return
        interface.keys[owners[0]] = ["id"]
        graph = self.random.choice(free)
        interface.keys[graph] = ["id"]
        interface.interface_object_in.add(graph)
        interface.fields["id"].graphs[graph] = InGraph()
        interface.fields["io"] = FieldSpec("String", {graph: InGraph()})
        names = ["io", "iog", "ioref"]
        known = FieldSpec("String", {graph: InGraph()}, has_argument=True)
        interface.fields["iog"] = known
        target = next((e for e in self.entities if graph in e.keys), None)
        type_ = f"[{target.name}]" if target else "String"
        interface.fields["ioref"] = FieldSpec(type_, {graph: InGraph()})
        if owners[0] in interface.fields.get("name", FieldSpec("")).graphs:
            interface.fields["name"].graphs[graph] = InGraph(is_external=True)
            interface.fields["io2"] = FieldSpec("String", {graph: InGraph("name")})
            names.append("io2")
        for entity in self.entities[:2]:
            for name in names:
                known = interface.fields[name]
                inherited = FieldSpec(known.type, has_argument=known.has_argument)
                entity.fields[name] = inherited

    def _make_roots(self) -> None:
        for entity in self.entities:
            graphs = self._some(list(entity.keys))
            self._root(f"one{entity.name}", entity.name, graphs)
            self._root(f"all{entity.name}", f"[{entity.name}]", graphs)
        for name in ("I", "U"):
            graphs = self._some(list(self.types[name].keys), 2)
            self._root(f"all{name}", f"[{name}]", graphs)
        interface = self.types["I"]
        for graph in interface.interface_object_in:
            self._root("allIO", "[I]", [graph])

    def _root(self, name: str, type_: str, graphs: list[str]) -> None:
        self.query.fields[name] = FieldSpec(type_, {g: InGraph() for g in graphs})

    def _make_provisions(self) -> None:
        """Let some fields provide what their type has only elsewhere."""
        for owner in (self.query, *self.entities):
            for spec in owner.fields.values():
                target = self.types.get(spec.named)
                if target is None or target not in self.entities:
                    continue
                for graph, here in spec.graphs.items():
                    if here.is_external or self.random.random() < 0.6:
                        continue
                    for name, other in target.fields.items():
                        found = other.graphs.get(graph)
                        is_free = found is None or (
                            found.is_external and not found.requires
                        )
                        is_plain = other.named == "String" and not other.has_argument
                        if is_free and is_plain and other.graphs:
                            if found is None:
                                other.graphs[graph] = InGraph(is_external=True)
                            here.provides = name
                            break

    # Rows

    def _row(self, entity: TypeSpec, number: int) -> JSONObject:
        row: JSONObject = {"__typename": entity.name}
        for name, spec in entity.fields.items():
            if spec.has_argument:
                row[name] = _computed(f"{entity.name}-{name}-{number}")
            elif spec.named in {"String", "ID"}:
                row[name] = f"{entity.name}-{name}-{number}"
                if spec.type == "String" and self.random.random() < 0.1:
                    row[name] = None
        return row

    def _link_rows(self) -> None:
        for entity in self.entities:
            for row in self.rows[entity.name]:
                for name, spec in entity.fields.items():
                    if spec.named not in {"String", "ID"}:
                        row[name] = self._value(spec)

    def _value(self, spec: FieldSpec) -> Any:
        if spec.type.startswith("["):
            return [self._object(spec.named) for _ in range(self.random.randint(0, 3))]
        return self._object(spec.named) if self.random.random() > 0.1 else None

    def _object(self, name: str) -> JSONObject:
        target = self.types[name]
        if name.startswith("V"):
            values = {f: f"{f}-{self.random.randint(0, 9)}" for f in target.fields}
            return {"__typename": name, **values}
        return self.random.choice(
            [r for n in self.possible(name) for r in self.rows[n]]
        )

    def possible(self, name: str) -> list[str]:
        """Return the runtime types of a type."""
        target = self.types[name]
        if target.kind == "interface":
            return [e.name for e in self.entities[:2]]
        if target.kind == "union":
            return next(iter(target.members.values()))
        return [name]

    def roots(self) -> JSONObject:
        """Return the true root values."""
        values: JSONObject = {}
        for name, spec in self.query.fields.items():
            rows = [row for n in self.possible(spec.named) for row in self.rows[n]]
            values[name] = rows if spec.type.startswith("[") else rows[0]
        return values

    # Schemas

    def supergraph_sdl(self) -> str:
        """Print the supergraph, join v0.3."""
        graphs = "\n".join(
            f'  {g} @join__graph(name: "{g.lower()}", url: "")' for g in self.graphs
        )
        lines = [
            "schema",
            '  @link(url: "https://specs.apollo.dev/link/v1.0")',
            '  @link(url: "https://specs.apollo.dev/join/v0.3", for: EXECUTION)',
            "{ query: Query }",
            f"enum join__Graph {{\n{graphs}\n}}",
        ]
        for spec in (self.query, *self.types.values()):
            lines += self._supergraph_type(spec)
        return "\n".join(lines) + "\n"

    def _supergraph_type(self, spec: TypeSpec) -> Iterator[str]:
        marks = []
        for graph in self.graphs if spec is self.query else sorted(spec.keys):
            is_object = graph in spec.interface_object_in
            more = ", isInterfaceObject: true" if is_object else ""
            keys = spec.keys.get(graph, [])
            marks += [f'@join__type(graph: {graph}, key: "{k}"{more})' for k in keys]
            if not keys:
                marks.append(f"@join__type(graph: {graph})")
        names = sorted({name for found in spec.implements.values() for name in found})
        for graph, found in spec.implements.items():
            marks += [
                f'@join__implements(graph: {graph}, interface: "{n}")' for n in found
            ]
        for graph, members in spec.members.items():
            marks += [
                f'@join__unionMember(graph: {graph}, member: "{m}")' for m in members
            ]
        if spec.kind == "union":
            members = " | ".join(self.possible(spec.name))
            yield f"union {spec.name} {' '.join(marks)} = {members}"
            return
        implements = f" implements {' & '.join(names)}" if names else ""
        yield f"{spec.kind} {spec.name}{implements} {' '.join(marks)} {{"
        for name, found in spec.fields.items():
            marks = self._join_fields(found)
            yield f"  {found.head(name)}: {found.type} {' '.join(marks)}"
        yield "}"

    def _join_fields(self, spec: FieldSpec) -> Iterator[str]:
        if not spec.graphs:
            yield "@join__field"
        for graph, here in spec.graphs.items():
            more = ", external: true" if here.is_external else ""
            more += f', type: "{spec.type}!"' if here.is_non_null else ""
            more += f', requires: "{here.requires}"' if here.requires else ""
            more += f', provides: "{here.provides}"' if here.provides else ""
            yield f"@join__field(graph: {graph}{more})"

    def _api_sdl(self) -> str:
        return self._plain_sdl(None)

    def subgraph_sdl(self, graph: str) -> str:
        """Print what one subgraph knows, ``_entities`` included."""
        text = self._plain_sdl(graph)
        entities = [
            name
            for name, spec in self.types.items()
            if spec.keys.get(graph)
            and (spec.kind == "type" or graph in spec.interface_object_in)
        ]
        if entities:
            text += f"scalar _Any\nunion _Entity = {' | '.join(entities)}\n"
            text += (
                "extend type Query { "
                "_entities(representations: [_Any!]!): [_Entity]! }\n"
            )
        return text

    def _plain_sdl(self, graph: str | None) -> str:
        lines = []
        for spec in (self.query, *self.types.values()):
            if graph and spec is not self.query and graph not in spec.keys:
                continue
            if spec.kind == "union":
                lines.append(f"union U = {' | '.join(self.possible('U'))}")
                continue
            is_object = graph in spec.interface_object_in
            kind = "type" if is_object else spec.kind
            names = sorted(
                {n for g, f in spec.implements.items() if graph in {None, g} for n in f}
            )
            implements = f" implements {' & '.join(names)}" if names else ""
            lines.append(f"{kind} {spec.name}{implements} {{")
            lines += [
                f"  {found.head(name)}: {found.type}"
                + ("!" if graph and found.graphs[graph].is_non_null else "")
                for name, found in spec.fields.items()
                if graph is None or graph in found.graphs
            ]
            lines += ["  _: Int", "}"] if not implements and kind == "type" else ["}"]
        text = "\n".join(lines) + "\n"
        return text if graph else text.replace("  _: Int\n", "")

    def subgraphs(self) -> dict[str, StrictSubgraph]:
        """Return every subgraph by id."""
        return {graph: StrictSubgraph(self, graph) for graph in self.graphs}

    # Operations

    def operation(self, depth: int = 4) -> str:
        """Write a random query."""
        fields = list(self.schema.query_type.fields)
        names = self.random.sample(fields, min(len(fields), self.random.randint(1, 2)))
        types = {name: self.schema.query_type.fields[name].type for name in names}
        inner = [f"{name} {self._selections(types[name], depth)}" for name in names]
        return "{ " + " ".join(inner) + " }"

    def _selections(self, type_: Any, depth: int) -> str:
        named = get_named_type(type_)
        parts = []
        if is_abstract_type(named):
            members = sorted(t.name for t in self.schema.get_possible_types(named))
            chosen = self.random.sample(members, self.random.randint(0, len(members)))
            for member in chosen:
                inner = self._selections(self.schema.type_map[member], depth)
                parts.append(f"... on {member} {inner}")
        elif self.random.random() < 0.15:
            names = [i.name for i in named.interfaces]
            for name in names:
                inner = self._selections(self.schema.type_map[name], depth - 1)
                parts.append(f"... on {name} {inner}")
        if self.random.random() < 0.2:
            parts.append("__typename")
        parts += self._fields(named, depth)
        self.random.shuffle(parts)
        return "{ " + " ".join(parts or ["__typename"]) + " }"

    def _fields(self, named: Any, depth: int) -> Iterator[str]:
        fields = getattr(named, "fields", {})
        chosen = [name for name in fields if self.random.random() < 0.55]
        free = {"id", "code", "f0"}.difference(chosen) if is_object_type(named) else []
        spare = sorted(free)
        for name in chosen:
            type_ = fields[name].type
            if not is_composite_type(get_named_type(type_)):
                alias = ""
                if spare and not name.startswith("io") and self.random.random() < 0.1:
                    alias = f"{spare.pop()}: "
                if fields[name].args:
                    for _ in range(2):
                        number = self.random.randint(1, 3)
                        yield f"{name}{number}: {name}(n: {number})"
                    if name == "iog" and is_object_type(named):
                        yield f"iog: iog(n: {self.random.randint(1, 3)})"
                    continue
                yield f"{alias}{name}"
            elif depth > 0:
                alias = ""
                if is_object_type(named) and self.random.random() < 0.6:
                    alias = f"{named.name}_{name}: "
                yield f"{alias}{name} {self._selections(type_, depth - 1)}"

    def truth(self, query: str) -> JSONObject:
        """Answer a query from the rows directly."""
        result = execute_sync(
            self.schema,
            parse(query),
            self.roots(),
            type_resolver=lambda row, _info, _type: row["__typename"],
        )
        assert not result.errors, result.errors
        return dict(result.data or {})


class StrictSubgraph:
    """One subgraph of a random supergraph; records the fetches it is sent."""

    def __init__(self, supergraph: RandomSupergraph, graph: str) -> None:
        self.supergraph = supergraph
        self.graph = graph
        self.name = graph.lower()
        self.schema: GraphQLSchema = build_schema(supergraph.subgraph_sdl(graph))
        self.documents: list[str] = []

    def prepare(
        self, fetch: Fetch, variables: Sequence[VariableDefinition]
    ) -> _PreparedFetch:
        """Print the fetch once and check that this subgraph would take it."""
        document = print_fetch_document(fetch, variables)
        errors = validate(self.schema, parse(document))
        # A keyed interface is no member of _Entity here; its fragments are let pass.
        errors = [e for e in errors if "can never be of type 'I'" not in e.message]
        assert not errors, (document, errors)
        return _PreparedFetch(self, document, is_entity=bool(fetch.inputs))

    def resolve(self, source: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        """Resolve one field, if this subgraph may."""
        name = info.field_name
        if name == "_entities":
            return [self._find(sent) for sent in arguments["representations"]]
        if isinstance(source, Row):
            spec = self.supergraph.types[info.parent_type.name].fields[name]
            value = self._checked(source, spec, name)
            if spec.has_argument:
                value = value(info, **arguments)
        else:
            spec = self.supergraph.query.fields[name]
            value = self.supergraph.roots()[name]
        provided = frozenset(spec.graphs[self.graph].provides.split())
        return _wrapped(value, provided)

    def _checked(self, source: Row, spec: FieldSpec, name: str) -> Any:
        here = spec.graphs[self.graph]
        if here.is_external and name not in source.provided:
            raise AssertionError(f"{self.name} does not resolve {name}")
        if here.requires:
            needs = re.findall(r"\w+", here.requires)
            sent, true = source.sent.get(needs[0], "missing"), source.row[needs[0]]
            if needs[1:2] == ["n"]:
                true, needs = true(None, n=int(needs[2])), needs[:1]
            if len(needs) > 1:
                true = _only(true, needs[1])
            if sent != true:
                raise AssertionError(f"{self.name} got {sent} as {needs} for {name}")
        return source.row[name]

    def _find(self, sent: JSONObject) -> Row | None:
        name = sent["__typename"]
        keys = self.supergraph.types[name].keys[self.graph]
        assert any(set(key.split()) <= set(sent) for key in keys), sent
        for possible in self.supergraph.possible(name):
            for row in self.supergraph.rows[possible]:
                if all(row[k] == sent[k] for k in ("id", "code") if k in sent):
                    return Row(row, sent)
        return None

    def type_of(self, source: Row, info: GraphQLResolveInfo, _type: Any) -> str:
        """Name the runtime type as this subgraph knows it."""
        name = source.row["__typename"]
        return name if name in info.schema.type_map else "I"


def _computed(text: str) -> Any:
    return lambda _info, n=None: f"{text}-{n}"


def _only(value: Any, name: str) -> Any:
    if isinstance(value, list):
        return [_only(item, name) for item in value]
    return None if value is None else {name: value[name]}


def _wrapped(value: Any, provided: frozenset[str]) -> Any:
    if isinstance(value, list):
        return [_wrapped(item, provided) for item in value]
    return Row(value, {}, provided) if isinstance(value, dict) else value


@dataclass
class _PreparedFetch:
    subgraph: StrictSubgraph
    document: str
    is_entity: bool

    def code(self) -> str:
        return self.document

    async def run(
        self,
        context: RequestContext,  # noqa: ARG002 - the protocol's
        variables: JSONObject,
        representations: Sequence[JSONObject],
    ) -> FetchResult:
        self.subgraph.documents.append(self.document)
        result = execute_sync(
            self.subgraph.schema,
            parse(self.document),
            None,
            variable_values={**variables, "representations": list(representations)},
            field_resolver=self.subgraph.resolve,
            type_resolver=self.subgraph.type_of,
        )
        errors = tuple(FetchError(error.message) for error in result.errors or ())
        data: Any = result.data
        if self.is_entity and data is not None:
            data = data["_entities"]
        return FetchResult(data, errors)
