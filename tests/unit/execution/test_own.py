from copy import deepcopy
from dataclasses import replace

import pytest
from support.graphs import supergraph_header

from graphgw.execution.merge import build_merge_rules, merge_entities
from graphgw.execution.own import build_copier, copy_all
from graphgw.execution.representations import build_collector
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.planning.plan import EntityInput, Fetch, PathStep, QueryPlan, Rename

SUPERGRAPH = read_supergraph(
    supergraph_header("A", "B")
    + """
type Query @join__type(graph: A) @join__type(graph: B) { users: [User] }
type User @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
  id: ID!
  orders: [Order] @join__field(graph: B)
  home: Home @join__field(graph: B)
}
type Home @join__type(graph: B) { city: String rooms: [Room] }
type Room @join__type(graph: B) { size: Int }
type Order @join__type(graph: B) { id: ID! items: [Item] }
type Item @join__type(graph: B) { count: Int product: Product }
type Product @join__type(graph: A, key: "id") @join__type(graph: B, key: "id") {
  id: ID!
  name: String @join__field(graph: A)
}
"""
)
USERS = PathStep("users", 1)
PRODUCTS = (USERS, PathStep("orders", 1), PathStep("items", 1), PathStep("product"))


def fetch(id_, fields, path=(), typename="User", graph="B"):
    inputs = (EntityInput((typename,), typename, parse_field_set("id")),)
    selections = parse_field_set(fields)
    return Fetch(id_, graph, "query", selections, path, inputs if path else ())


ROOT = fetch(0, "users { id }", graph="A")
ORDERS = fetch(
    1,
    "... on User { orders { id items { count product { id } } } home { city } }",
    (USERS,),
)
NAMES = fetch(2, "... on Product { name }", PRODUCTS, "Product", "A")
PLAN = QueryPlan("query", (ROOT, ORDERS, NAMES))


def entity(number=1):
    items = [{"count": 2, "product": {"id": "p1"}}, None]
    orders = [{"id": f"o{number}", "items": items}, {"id": "o0", "items": None}, None]
    return {"orders": orders, "home": {"city": "Ulm"}}


def test_what_a_request_changes_is_its_own():
    given = [entity(), None, entity(2)]
    before = deepcopy(given)
    rule = build_merge_rules(PLAN, SUPERGRAPH)[1]
    tree = {"users": [{"id": 1}, {"id": 2}, {"id": 3}, {"id": 1}]}

    merge_entities(tree["users"], [0, 1, 2, 0], rule.own(given), rule, wins=False)
    products = build_collector(NAMES, SUPERGRAPH).collect(tree)
    for product in products:
        product["name"] = "pen"

    assert len(products) == 3
    assert given == before
    found = tree["users"][2]["orders"][0]["items"][0]["product"]
    assert found == {"id": "p1", "name": "pen"}


def test_what_no_other_fetch_writes_is_shared():
    given = [entity()]

    (own,) = build_merge_rules(PLAN, SUPERGRAPH)[1].own(given)

    assert own == given[0]
    assert own["home"] is given[0]["home"]
    assert own["orders"] is not given[0]["orders"]


def test_an_answer_below_which_nothing_is_written_is_taken_as_it_is():
    given = [{"name": "pen"}]

    assert build_merge_rules(PLAN, SUPERGRAPH)[2].own(given) is given


def test_several_ways_that_part_are_copied():
    rooms = fetch(
        3, "... on Room { size }", (USERS, PathStep("home"), PathStep("rooms", 1))
    )
    plan = QueryPlan("query", (*PLAN.fetches, rooms))
    given = [entity()]
    given[0]["home"]["rooms"] = [{"size": 1}]

    (own,) = build_copier(plan, ORDERS)(given)

    assert own == given[0]
    assert own["home"]["rooms"][0] is not given[0]["home"]["rooms"][0]
    product = given[0]["orders"][0]["items"][0]["product"]
    assert own["orders"][0]["items"][0]["product"] is not product


@pytest.mark.parametrize(
    ("plan", "changes_rows"),
    [
        pytest.param(PLAN, True, id="rows-are-refused"),
        pytest.param(
            QueryPlan(
                "query",
                (
                    ROOT,
                    replace(ORDERS, renames=(Rename((), "__gw_h", "home"),)),
                    NAMES,
                ),
            ),
            False,
            id="renamed",
        ),
        pytest.param(
            QueryPlan(
                "query",
                (
                    *PLAN.fetches,
                    fetch(3, "... on User { home { rooms { size } } }", (USERS,)),
                ),
            ),
            False,
            id="written-by-two",
        ),
    ],
)
def test_where_more_is_changed_everything_is_copied(plan, changes_rows):
    rule = build_merge_rules(plan, SUPERGRAPH, changes_rows=changes_rows)[1]
    given = [entity()]

    (own,) = rule.own(given)

    assert rule.own is copy_all
    assert own == given[0]
    assert own["home"] is not given[0]["home"]
