from graphgw.federation.read_supergraph import read_supergraph

SDL = """
schema
  @core(feature: "https://specs.apollo.dev/core/v0.2")
  @core(feature: "https://specs.apollo.dev/join/v0.1", for: EXECUTION)
{ query: Query }
directive @core(feature: String!, as: String, for: core__Purpose) repeatable on SCHEMA
enum core__Purpose { EXECUTION SECURITY }
scalar join__FieldSet
enum join__Graph {
  INVENTORY @join__graph(name: "inventory", url: "http://i")
  PRODUCTS @join__graph(name: "products", url: "http://p")
}
type Query {
  products: [Product] @join__field(graph: PRODUCTS)
  shelf: Shelf @join__field(graph: INVENTORY, provides: "product { title }")
}
type Product
  @join__owner(graph: PRODUCTS)
  @join__type(graph: PRODUCTS, key: "id")
  @join__type(graph: PRODUCTS, key: "sku")
  @join__type(graph: INVENTORY, key: "id")
{
  id: ID!
  sku: String
  title: String
  weight: Float
  dimensions: Dimensions
  media: Media
  shipping(unit: Unit): Float
    @join__field(graph: INVENTORY, requires: "weight dimensions { size }")
}
type Dimensions { size: Int }
type Shelf { product: Product label: Label }
interface Label { text: String }
type Sticker implements Label { text: String }
union Media = Dimensions | Sticker
enum Unit { KG LB }
"""


def test_a_field_without_join_field_lives_with_the_owner():
    product = read_supergraph(SDL).types["Product"]

    assert list(product.fields["media"].graphs) == ["PRODUCTS"]
    assert list(product.fields["shipping"].graphs) == ["INVENTORY"]


def test_key_fields_of_an_extension_are_resolvable_there():
    product = read_supergraph(SDL).types["Product"]

    assert not product.fields["id"].graphs["INVENTORY"].is_external
    assert product.graphs["INVENTORY"].is_extension
    assert [key.text for key in product.graphs["PRODUCTS"].keys] == ["id", "sku"]


def test_required_and_provided_fields_are_external():
    product = read_supergraph(SDL).types["Product"]

    assert product.fields["weight"].graphs["INVENTORY"].is_external
    assert product.fields["title"].graphs["INVENTORY"].is_external
    assert not product.fields["title"].graphs["PRODUCTS"].is_external


def test_value_types_live_where_they_can_be_reached():
    types = read_supergraph(SDL).types

    assert list(types["Shelf"].graphs) == ["INVENTORY"]
    assert list(types["Label"].graphs) == ["INVENTORY", "PRODUCTS"]
    assert list(types["Unit"].graphs) == ["INVENTORY"]
    assert list(types["Media"].graphs) == ["PRODUCTS"]


def test_root_fields_make_the_root_type_live_in_their_graphs():
    query = read_supergraph(SDL).types["Query"]

    assert list(query.graphs) == ["INVENTORY", "PRODUCTS"]
    assert list(query.fields["products"].graphs) == ["PRODUCTS"]


def test_a_root_field_that_names_no_graph_lives_in_all():
    sdl = SDL.replace("type Query {", "type Query { ping: Int")

    query = read_supergraph(sdl).types["Query"]

    assert list(query.fields["ping"].graphs) == ["INVENTORY", "PRODUCTS"]


def test_a_keyed_type_without_an_owner_lives_where_its_keys_do():
    sdl = SDL.replace("  @join__owner(graph: PRODUCTS)\n", "")

    product = read_supergraph(sdl).types["Product"]

    assert list(product.fields["media"].graphs) == ["INVENTORY", "PRODUCTS"]
    assert not product.graphs["INVENTORY"].is_extension


def test_possible_types_are_counted_per_graph():
    supergraph = read_supergraph(SDL)

    assert supergraph.possible["Label"]["INVENTORY"] == ("Sticker",)
    assert supergraph.possible["Media"] == {"PRODUCTS": ("Dimensions", "Sticker")}


def test_the_machinery_is_not_in_the_schema():
    supergraph = read_supergraph(SDL)

    assert "core__Purpose" not in supergraph.types
    assert "join__Graph" not in supergraph.schema.type_map
