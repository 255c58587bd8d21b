"""What goes away: dates, reasons that clients read, and what is wrong with them."""

import pytest
from graphql import GraphQLEnumType, GraphQLObjectType

from graphgw.composition.compose import compose
from graphgw.composition.compose_alone import compose_alone
from graphgw.composition.subgraph import SubgraphSDL
from graphgw.federation.sunset import Retirement, parse_moment, read_retirements

HEADER = """
extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.3",
    import: ["@composeDirective", "@inaccessible", "@shareable"])
  @link(url: "https://graphgw.dev/policies/v0.1", import: ["@sunset"])
  @composeDirective(name: "@sunset")
"""
JANUARY = 1801353600.0  # 2027-01-31 in UTC


def graph(*texts):
    return compose(
        [SubgraphSDL(f"s{i}", "", HEADER + text) for i, text in enumerate(texts)]
    ).supergraph


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2027-01-31", JANUARY, id="date"),
        pytest.param("2027-01-31T00:00:00Z", JANUARY, id="utc"),
        pytest.param("2027-01-31T02:00:00+02:00", JANUARY, id="zone"),
    ],
)
def test_a_moment_is_a_date_or_a_time(text, moment):
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "soon", "2027-02-30", "31.01.2027"])
def test_anything_else_is_no_moment(text):
    with pytest.raises(ValueError, match="is not a date"):
        parse_moment(text)


def test_everything_deprecated_is_found_with_its_dates():
    found = read_retirements(
        graph(
            """
            type Query {
              a: Int @deprecated
              b(x: Int @sunset(on: "2027-01-31"), by: By): Int
                @sunset(on: "2027-01-31", replacement: "Query.c", since: "1970-01-02")
              c: Kind
            }
            enum Kind { OLD @deprecated NEW }
            input By { id: ID @deprecated }
            """
        )
    )

    assert found == {
        "Query.a": Retirement("Query.a"),
        "Query.b": Retirement("Query.b", 86400.0, JANUARY, "Query.c"),
        "Query.b(x:)": Retirement("Query.b(x:)", None, JANUARY),
        "Kind.OLD": Retirement("Kind.OLD"),
        "By.id": Retirement("By.id"),
    }


def test_the_earliest_date_of_several_subgraphs_counts():
    found = read_retirements(
        graph(
            'type Query @shareable { a: Int @sunset(on: "2027-06-30") }',
            'type Query @shareable { a: Int @sunset(on: "2027-01-31") }',
        )
    )

    assert found["Query.a"].ends == JANUARY


def test_clients_read_the_date_and_the_replacement_as_the_reason():
    supergraph = graph(
        """
        type Query {
          a(x: Int @sunset(on: "2027-01-31")): Int
            @deprecated(reason: "Too slow") @sunset(on: "2027-01-31")
          b: Kind @deprecated(reason: "Use Query.c.")
            @sunset(on: "2027-01-31", replacement: "Query.c")
          c: Int
        }
        enum Kind { OLD @sunset(on: "2027-01-31", replacement: "Kind.NEW") NEW }
        """
    )

    query = supergraph.api_schema.type_map["Query"]
    kind = supergraph.api_schema.type_map["Kind"]
    assert isinstance(query, GraphQLObjectType)
    assert isinstance(kind, GraphQLEnumType)
    a = query.fields["a"]
    assert a.deprecation_reason == "Too slow. Gone from 2027-01-31."
    assert a.args["x"].deprecation_reason == "Gone from 2027-01-31."
    assert query.fields["b"].deprecation_reason == "Use Query.c. Gone from 2027-01-31."
    assert query.fields["c"].deprecation_reason is None
    assert (
        kind.values["OLD"].deprecation_reason == "Use Kind.NEW. Gone from 2027-01-31."
    )


def test_a_subgraph_alone_may_name_replacements_that_others_have():
    text = """
        type Query { a: Int @sunset(on: "2027-01-31", replacement: "Order.total") }
        """

    supergraph = compose_alone(SubgraphSDL("one", "", HEADER + text))

    assert read_retirements(supergraph)["Query.a"].ends == JANUARY
