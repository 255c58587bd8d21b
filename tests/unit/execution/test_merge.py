from copy import deepcopy
from itertools import permutations

import pytest
from support.graphs import supergraph_header

from graphgw.execution.merge import (
    MergeRule,
    apply_renames,
    build_merge_rules,
    fold,
    merge_entities,
)
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.planning.plan import EntityInput, Fetch, PathStep, QueryPlan, Rename

SUPERGRAPH = read_supergraph(
    supergraph_header("A", "B")
    + """
type Query @join__type(graph: A) @join__type(graph: B) { a: Item }
interface Item @join__type(graph: A, key: "id")
  @join__type(graph: B, key: "id", isInterfaceObject: true) { id: ID! }
type Book implements Item @join__type(graph: A, key: "id")
  @join__implements(graph: A, interface: "Item") { id: ID! }
"""
)


def test_an_entity_is_laid_over_every_object_it_stands_for():
    targets = [{"id": 1}, {"id": 2}, {"id": 1}]

    merge_entities(targets, [0, 1, 0], [{"n": "a"}, None], MergeRule(), wins=False)

    assert targets == [{"id": 1, "n": "a"}, {"id": 2}, {"id": 1, "n": "a"}]


def test_a_deep_merge_gives_each_object_its_own_parts():
    targets = [{"part": {"a": 1}}, {"part": {"a": 2}}, {}]
    rule = MergeRule(is_deep=True)

    merge_entities(targets, [0, 0, 0], [{"part": {"b": 3}}], rule, wins=False)

    assert targets == [
        {"part": {"a": 1, "b": 3}},
        {"part": {"a": 2, "b": 3}},
        {"part": {"b": 3}},
    ]
    assert len({id(target["part"]) for target in targets}) == 3


def test_objects_keep_their_identity():
    tree = {"a": {"b": [{"x": 1}]}}
    inner = tree["a"]["b"][0]

    fold(tree, {"a": {"b": [{"y": 2}]}}, wins=True)

    assert tree["a"]["b"][0] is inner
    assert inner == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(
            [{"v": {"a": 1}}, {"v": {"b": [{"c": 1}, None]}}, {"v": None}],
            id="null-object",
        ),
        pytest.param(
            [{"l": [{"a": 1}, {"a": 2}]}, {"l": [{"b": 1}, None]}, {"l": [None] * 2}],
            id="lists-by-index",
        ),
        pytest.param([{"l": [1, 2], "x": 1}, {"l": [3], "x": 2}], id="conflict"),
        pytest.param([{"v": {"x": 1}}, {"v": {"x": None}}], id="null-leaf"),
        pytest.param([{"l": [{"a": 1}]}, {"l": [{"b": 1}, {"b": 2}]}], id="lengths"),
    ],
)
def test_the_order_in_which_fetches_finish_does_not_matter(answers):
    trees = []
    for order in permutations(range(len(answers))):
        tree, highest = {}, -1
        for index in order:
            fold(tree, deepcopy(answers[index]), wins=index < highest)
            highest = max(highest, index)
        trees.append(tree)

    assert all(tree == trees[0] for tree in trees)


def test_shapes_that_do_not_fit_together_do_not_fail():
    tree = {"a": {"x": 1}, "b": [1], "c": 1}

    fold(tree, {"a": [1], "b": {"x": 1}, "c": {"x": 1}}, wins=True)

    assert tree == {"a": {"x": 1}, "b": [1], "c": {"x": 1}}


def fetch(number, selections, *, graph="A", path=(), typename=None, renames=()):
    inputs = ()
    if typename:
        inputs = (EntityInput(("Book",), typename, parse_field_set("id")),)
    fields = parse_field_set(selections)
    return Fetch(number, graph, "query", fields, path, inputs, (), renames)


def test_only_fetches_that_write_the_same_objects_merge_deeply():
    a = (PathStep("a"),)
    plan = QueryPlan(
        "query",
        (
            fetch(0, "a { b { c } } x { y }"),
            fetch(1, "a { d }", graph="B"),
            fetch(2, "e { f }", path=a, typename="Book"),
            fetch(3, "b { g }", path=a, typename="Book"),
            fetch(4, "z { y }"),
        ),
    )

    rules = build_merge_rules(plan, SUPERGRAPH)

    assert [rule.is_deep for rule in rules] == [True, True, False, True, False]


def test_the_typename_of_an_interface_object_is_not_taken():
    plan = QueryPlan(
        "query", (fetch(0, "id", graph="B", path=(PathStep("a"),), typename="Item"),)
    )
    (rule,) = build_merge_rules(plan, SUPERGRAPH)
    target = {"__typename": "Book"}

    merge_entities([target], [0], [{"__typename": "Item", "n": 1}], rule, wins=False)

    assert target == {"__typename": "Book", "n": 1}


def test_renames_undo_aliases_at_their_place_and_type():
    rename = Rename((PathStep("items", 1),), "__gw_name", "name", ("Cat",))
    answer = {
        "items": [
            {"__typename": "Cat", "__gw_name": "Tom"},
            {"__typename": "Dog", "__gw_name": "kept", "name": "Rex"},
            None,
        ]
    }

    apply_renames([answer, None], [rename])

    assert answer["items"] == [
        {"__typename": "Cat", "name": "Tom"},
        {"__typename": "Dog", "__gw_name": "kept", "name": "Rex"},
        None,
    ]
