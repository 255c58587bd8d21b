import pytest
from support.graphs import supergraph_header

from graphgw.execution.representations import build_collector, find_paths
from graphgw.federation.field_sets import parse_field_set
from graphgw.federation.read_supergraph import read_supergraph
from graphgw.federation.selection import Field, Fragment
from graphgw.planning.plan import EntityInput, Fetch, PathStep

SUPERGRAPH = read_supergraph(
    supergraph_header("A")
    + """
type Query @join__type(graph: A) { products: [Product] }
scalar Any @join__type(graph: A)
interface Media @join__type(graph: A) { size: Int }
type Image implements Media
  @join__type(graph: A) @join__implements(graph: A, interface: "Media")
{ size: Int }
type Video implements Media
  @join__type(graph: A) @join__implements(graph: A, interface: "Media")
{ size: Int length: Int }
type Shop @join__type(graph: A) { code: ID name: String! }
type Product
  @join__type(graph: A, key: "id")
  @join__type(graph: A, key: "sku shop { code }")
{
  id: ID sku: ID shop: Shop price: Float weight: Int! raw: Any
  media: Media parts: [Product!]
}
type Node @join__type(graph: A, key: "id", isInterfaceObject: true) { id: ID! }
"""
)
PRODUCTS = (PathStep("products", 1),)


def representations(rows, fields, *, path=PRODUCTS, inputs=None):
    if inputs is None:
        inputs = (EntityInput(("Product",), "Product", parse_field_set(fields)),)
    fetch = Fetch(1, "A", "query", (Field("price"),), path, inputs)
    return build_collector(fetch, SUPERGRAPH).run({"products": rows})


def test_equal_entities_share_one_representation():
    rows = [{"id": "1"}, {"id": "2"}, {"id": "1"}]

    found = representations(rows, "id")

    assert found.representations == [
        {"__typename": "Product", "id": "1"},
        {"__typename": "Product", "id": "2"},
    ]
    assert found.positions == [0, 1, 0]
    assert [id(target) for target in found.targets] == [id(row) for row in rows]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(None, id="null-object"),
        pytest.param({"id": None}, id="null-key"),
        pytest.param({}, id="no-key"),
        pytest.param("x", id="text"),
        pytest.param({"id": ["1"]}, id="list-key"),
        pytest.param([{"id": "1"}], id="list"),
    ],
)
def test_an_entity_without_a_key_is_left_out_and_positions_stay(row):
    found = representations([{"id": "1"}, row, {"id": "2"}], "id")

    assert [r["id"] for r in found.representations] == ["1", "2"]
    assert [target["id"] for target in found.targets] == ["1", "2"]
    assert found.positions == [0, 1]


def test_a_required_null_is_sent_but_a_missing_value_leaves_the_entity_out():
    rows = [{"id": "1", "price": None}, {"id": "2"}]

    found = representations(rows, "id price")

    assert found.representations == [
        {"__typename": "Product", "id": "1", "price": None}
    ]


def test_a_required_value_that_may_not_be_null_leaves_the_entity_out():
    rows = [{"id": "1", "weight": None}, {"id": "2", "weight": 3}]

    assert representations(rows, "id weight").representations == [
        {"__typename": "Product", "id": "2", "weight": 3}
    ]


def test_entities_that_are_all_alike_share_and_keep_their_positions():
    rows = [{"id": "a"}, {"id": "b"}, {"id": "a"}]
    odd = [*rows, {"id": None}]

    alike, mixed = representations(rows, "id"), representations(odd, "id")

    assert alike == mixed
    assert alike.positions == [0, 1, 0]
    assert all(one is other for one, other in zip(alike.targets, rows, strict=True))


def test_composite_keys_of_plain_values_are_compared_in_full():
    rows = [{"id": "a", "sku": "x"}, {"id": "a", "sku": "y"}, {"id": "a", "sku": "x"}]

    found = representations(rows, "id sku")

    assert found.positions == [0, 1, 0]
    assert found.representations == [
        {"__typename": "Product", "id": "a", "sku": "x"},
        {"__typename": "Product", "id": "a", "sku": "y"},
    ]


def test_objects_of_another_type_are_not_among_the_entities():
    rows = [{"__typename": "Shop", "id": "s"}, {"__typename": "Product", "id": "p"}]

    found = representations(rows, "id")

    assert found.representations == [{"__typename": "Product", "id": "p"}]
    assert found.targets == [rows[1]]


def test_one_complete_key_of_several_is_enough():
    shop = {"code": "s"}
    rows = [
        {"id": None, "sku": "a", "shop": shop},
        {"id": "1", "sku": None, "shop": shop},
        {"id": None, "sku": None, "shop": shop},
    ]

    found = representations(rows, "id sku shop { code }")

    assert [(r["id"], r["sku"]) for r in found.representations] == [
        (None, "a"),
        ("1", None),
    ]


def test_a_composite_key_with_a_null_inside_leaves_the_entity_out():
    rows = [
        {"sku": "a", "shop": {"code": None}},
        {"sku": "a", "shop": None},
        {"sku": "a", "shop": {"code": "s", "name": "ignored"}},
    ]

    found = representations(rows, "sku shop { code }")

    assert found.representations == [
        {"__typename": "Product", "sku": "a", "shop": {"code": "s"}}
    ]


def test_lists_of_objects_are_sent_and_compared_by_value():
    rows = [
        {"id": "1", "parts": [{"id": "p", "x": 1}, {"id": "q"}]},
        {"id": "1", "parts": [{"id": "p"}, {"id": "q"}]},
        {"id": "1", "parts": [{"id": "q"}]},
    ]

    found = representations(rows, "id parts { id }")

    assert found.positions == [0, 0, 1]
    assert found.representations[0]["parts"] == [{"id": "p"}, {"id": "q"}]


def test_values_of_custom_scalars_are_compared_by_value():
    rows = [{"id": "1", "raw": {"a": [1]}}, {"id": "1", "raw": {"a": [1]}}]

    assert representations(rows, "id raw").positions == [0, 0]


def test_values_are_read_under_their_alias_and_sent_under_their_name():
    selections = (Field("id", "__gw_id"), Field("price", "cost"))
    inputs = (EntityInput(("Product",), "Product", selections),)

    found = representations(
        [{"__gw_id": "1", "cost": 2.0, "id": "other"}], "", inputs=inputs
    )

    assert found.representations == [{"__typename": "Product", "id": "1", "price": 2.0}]


def test_a_nested_fragment_applies_by_runtime_type():
    rows = [
        {"id": "1", "media": {"__typename": "Video", "size": 1, "length": 9}},
        {"id": "2", "media": {"__typename": "Image", "size": 2}},
        {"id": "3", "media": None},
    ]

    found = representations(rows, "id media { size ... on Video { length } }")

    assert [r["media"] for r in found.representations] == [
        {"size": 1, "length": 9},
        {"size": 2},
        None,
    ]


def test_a_nested_fragment_on_the_fields_own_type_needs_no_typename():
    rows = [{"id": "1", "shop": {"code": "s"}}]

    found = representations(rows, "id shop { ... on Shop { code } }")

    assert found.representations[0]["shop"] == {"code": "s"}


def test_a_fragment_of_an_input_for_several_types_applies_to_its_own_alone():
    fragment = Fragment("Video", (Field("length"),))
    inputs = (EntityInput(("Image", "Video"), "Media", (Field("size"), fragment)),)
    rows = [
        {"__typename": "Image", "size": 1},
        {"__typename": "Video", "size": 2, "length": 9},
    ]

    found = representations(rows, "", inputs=inputs)

    assert found.representations == [
        {"__typename": "Media", "size": 1},
        {"__typename": "Media", "size": 2, "length": 9},
    ]


def test_several_inputs_are_told_apart_by_typename():
    inputs = (
        EntityInput(("Product",), "Product", parse_field_set("id")),
        EntityInput(("Image", "Video"), "Node", parse_field_set("id")),
    )
    rows = [
        {"__typename": "Image", "id": "1"},
        {"__typename": "Product", "id": "1"},
        {"__typename": "Video", "id": "1"},
        {"__typename": "Shop", "id": "1"},
        {"id": "1"},
    ]

    found = representations(rows, "", inputs=inputs)

    assert found.representations == [
        {"__typename": "Node", "id": "1"},
        {"__typename": "Product", "id": "1"},
    ]
    assert found.positions == [0, 1, 0]


def test_paths_go_through_nested_lists_and_narrow_by_type():
    path = (PathStep("grid", 2, ("Video",)), PathStep("owner"))
    grid = [
        [{"__typename": "Video", "owner": {"id": "1"}}, None],
        None,
        [{"__typename": "Image", "owner": {"id": "2"}}],
        [{"__typename": "Video", "owner": None}],
    ]
    inputs = (EntityInput(("Product",), "Product", parse_field_set("id")),)
    fetch = Fetch(1, "A", "query", (Field("price"),), path, inputs)

    found = build_collector(fetch, SUPERGRAPH).run({"grid": grid})

    assert [r["id"] for r in found.representations] == ["1"]


def test_paths_of_shared_objects_are_all_found():
    shared = {"id": "1"}
    tree = {"products": [shared, None, shared]}

    assert find_paths(tree, PRODUCTS) == {
        id(shared): [("products", 0), ("products", 2)]
    }


@pytest.mark.parametrize("levels", [3, 40])
def test_objects_are_found_at_any_depth(levels):
    tree = [{"id": "1"}, {"id": "2"}]
    for _ in range(levels):
        tree = [{"parts": tree}, {"parts": None}, None]
    path = (*PRODUCTS, *(PathStep("parts", 1) for _ in range(levels)))

    found = representations(tree, "id", path=path)

    assert [sent["id"] for sent in found.representations] == ["1", "2"]


def test_lists_in_lists_are_walked_through():
    rows = [[{"id": "1"}], None, [None, {"id": "2"}]]

    found = representations(rows, "id", path=(PathStep("products", 2),))

    assert [sent["id"] for sent in found.representations] == ["1", "2"]


def test_a_null_in_one_of_several_key_fields_leaves_only_its_entity_out():
    rows = [{"id": "1", "sku": "a"}, {"id": "2", "sku": None}]

    found = representations(rows, "id sku")

    assert [sent["id"] for sent in found.representations] == ["1", "2"]
