"""Contracts of random tags: a valid part of the graph, or problems with coordinates."""

from __future__ import annotations

from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    print_schema,
    validate_schema,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphgw.composition.compose import compose
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.errors import ConfigurationError, Problem
from graphgw.federation.contract import ContractFilter, build_contract
from graphgw.federation.print_supergraph import print_supergraph
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.federation.supergraph import Supergraph

HEAD = """
extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@tag"]
)
"""
SDL = """
type Query %(Query)s {
  user(id: ID! %(user_id)s, by: By %(user_by)s): User %(user)s
  things(kind: Kind = ONE %(things_kind)s): [Thing] %(things)s
  any(by: By! %(any_by)s): Any %(any)s
  count: Int %(count)s
}
type Mutation %(Mutation)s { change(by: By): User %(change)s }
type User implements Node & Thing %(User)s {
  id: ID! %(User_id)s
  name: String %(User_name)s
  friends: [User] %(User_friends)s
  kind: Kind %(User_kind)s
}
type Box implements Thing %(Box)s { name: String %(Box_name)s  any: Any %(Box_any)s }
interface Node %(Node)s { id: ID! %(Node_id)s }
interface Thing %(Thing)s { name: String %(Thing_name)s }
union Any %(Any)s = Box | User
enum Kind %(Kind)s { ONE %(ONE)s TWO %(TWO)s }
input By %(By)s { name: String %(By_name)s kind: Kind %(By_kind)s also: By %(By_also)s }
"""
PLACES = sorted({part.split(")s")[0] for part in SDL.split("%(")[1:]})
TAGS = (
    "",
    '@tag(name: "in")',
    '@tag(name: "out")',
    '@tag(name: "in") @tag(name: "out")',
)
WEIGHTED = st.sampled_from((*TAGS[:1] * 3, TAGS[1], TAGS[1], *TAGS[2:]))
GRAPHS = st.fixed_dictionaries(dict.fromkeys(PLACES, WEIGHTED))
FILTERS = st.builds(
    ContractFilter,
    include=st.sampled_from(((), ("in",))),
    exclude=st.sampled_from(((), ("out",))),
    hides_unreachable=st.booleans(),
)
PARTS = (
    GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType | GraphQLEnumType
)


def graph(tags: dict[str, str]) -> Supergraph:
    return compose([SubgraphSDL("one", "", HEAD + SDL % tags)]).supergraph


def build(
    supergraph: Supergraph, contract: ContractFilter
) -> tuple[Supergraph | None, tuple[Problem, ...]]:
    try:
        return build_contract(supergraph, contract), ()
    except ConfigurationError as error:
        return None, error.problems


def elements(schema: GraphQLSchema) -> dict[str, str]:
    """Return the type of each element, by coordinate."""
    found: dict[str, str] = {}
    for name, type_ in schema.type_map.items():
        if name.startswith("__"):
            continue
        found[name] = type(type_).__name__
        fields: dict[str, Any] = getattr(type_, "fields", {})
        for field_name, field in fields.items():
            found[f"{name}.{field_name}"] = str(field.type)
            for argument, value in getattr(field, "args", {}).items():
                found[f"{name}.{field_name}({argument}:)"] = str(value.type)
        for value in getattr(type_, "values", {}):
            found[f"{name}.{value}"] = ""
    return found


def tags_of(supergraph: Supergraph, coordinate: str) -> set[str]:
    """Return the tags of an element and of what it stands within."""
    places = {coordinate, coordinate.partition("(")[0], coordinate.partition(".")[0]}
    return {
        str(applied.arguments["name"])
        for place in places
        for applied in supergraph.rules.get(place, ())
        if applied.name == "tag"
    }


def demanded(supergraph: Supergraph, shown: dict[str, str], coordinate: str) -> bool:
    """Tell whether an interface that is shown demands a field."""
    owner, _, name = coordinate.partition(".")
    type_ = supergraph.schema.type_map[owner]
    interfaces = getattr(type_, "interfaces", ())
    return any(f"{found.name}.{name}" in shown for found in interfaces)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tags=GRAPHS, contract=FILTERS)
def test_a_contract_is_a_valid_part_of_the_graph_or_tells_what_is_in_the_way(
    tags: dict[str, str], contract: ContractFilter
):
    supergraph = graph(tags)
    whole = elements(supergraph.api_schema)
    made, problems = build(supergraph, contract)
    if made is None:
        assert problems
        assert all(problem.where in whole for problem in problems)
        return
    shown = elements(made.api_schema)

    assert validate_schema(made.api_schema) == []
    assert shown.items() <= whole.items()
    for coordinate in shown:
        found = tags_of(supergraph, coordinate)
        assert not found.intersection(contract.exclude), coordinate
        type_ = supergraph.schema.type_map[coordinate.partition(".")[0]]
        is_field = "." in coordinate and "(" not in coordinate
        needs_tag = isinstance(type_, GraphQLUnionType) or (
            is_field and isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        )
        if contract.include and needs_tag and not found.intersection(contract.include):
            assert demanded(supergraph, shown, coordinate), coordinate


@settings(max_examples=100, deadline=None)
@given(tags=GRAPHS, contract=FILTERS)
def test_a_contract_printed_as_a_supergraph_reads_as_the_same(
    tags: dict[str, str], contract: ContractFilter
):
    supergraph = graph(tags)
    made, _ = build(supergraph, contract)
    if made is None:
        return

    again = read_supergraph(print_supergraph(made))

    assert print_schema(again.api_schema) == print_schema(made.api_schema)
