import pytest
from support.fake_subgraph import FakeSubgraph
from support.graphs import FakeGraph, supergraph_header

SHOP = (
    supergraph_header("USERS", "ORDERS", "PRODUCTS")
    + """
enum Grade { GOOD BAD SECRET @inaccessible }
interface Item
  @join__type(graph: PRODUCTS)
{ id: ID! title: String }
type Book implements Item
  @join__implements(graph: PRODUCTS, interface: "Item")
  @join__type(graph: PRODUCTS, key: "id")
{ id: ID! title: String pages: Int }
type Film implements Item
  @join__implements(graph: PRODUCTS, interface: "Item")
  @join__type(graph: PRODUCTS, key: "id")
{ id: ID! title: String minutes: Float! }
type Ghost implements Item @inaccessible
  @join__implements(graph: PRODUCTS, interface: "Item")
  @join__type(graph: PRODUCTS, key: "id")
{ id: ID! title: String }
type Query
  @join__type(graph: USERS) @join__type(graph: ORDERS) @join__type(graph: PRODUCTS)
{
  user: User @join__field(graph: USERS)
  users: [User] @join__field(graph: USERS)
  strict: [User!]! @join__field(graph: USERS)
  products: [Product!] @join__field(graph: PRODUCTS)
  items: [Item] @join__field(graph: PRODUCTS)
  grade(of: Grade): Grade @join__field(graph: PRODUCTS)
  grades: [Grade!] @join__field(graph: PRODUCTS)
  count: Int @join__field(graph: ORDERS)
}
type User
  @join__type(graph: USERS, key: "id")
  @join__type(graph: ORDERS, key: "id")
{
  id: ID!
  name: String! @join__field(graph: USERS)
  age: Int @join__field(graph: USERS)
  orders: [Order!] @join__field(graph: ORDERS)
  total: Float! @join__field(graph: ORDERS)
}
type Order
  @join__type(graph: ORDERS, key: "id")
{ id: ID! product: Product buyer: User! }
type Product
  @join__type(graph: ORDERS, key: "sku")
  @join__type(graph: PRODUCTS, key: "sku")
{
  sku: ID!
  title: String @join__field(graph: PRODUCTS)
  price: Float @join__field(graph: PRODUCTS)
  tags: [String!] @join__field(graph: PRODUCTS)
}
"""
)


@pytest.fixture
def users():
    rows = [
        {"id": "1", "name": "Ada", "age": 36},
        {"id": "2", "name": "Bob", "age": None},
    ]
    return FakeSubgraph(
        "users",
        """
        type Query { user: User users: [User] strict: [User!]! }
        type User { id: ID! name: String! age: Int }
        """,
        {"user": rows[0], "users": [rows[0], None, rows[1]], "strict": rows},
        {"User": rows},
    )


@pytest.fixture
def orders():
    def order(key, sku, buyer):
        product = None if sku is None else {"sku": sku}
        return {"id": key, "product": product, "buyer": {"id": buyer}}

    return FakeSubgraph(
        "orders",
        """
        type Query { count: Int }
        type User { id: ID! orders: [Order!] total: Float! }
        type Order { id: ID! product: Product buyer: User! }
        type Product { sku: ID! }
        """,
        {"count": 3},
        {
            "User": [
                {
                    "id": "1",
                    "orders": [order("o1", "a", "1"), order("o2", "b", "1")],
                    "total": 10,
                },
                {"id": "2", "orders": [order("o3", "a", "2")], "total": 2.5},
            ],
        },
    )


@pytest.fixture
def products():
    rows = [
        {"sku": "a", "title": "Apple", "price": 1.5, "tags": ["x", "y"]},
        {"sku": "b", "title": "Bread", "price": 2, "tags": None},
    ]
    items = [
        {"__typename": "Book", "id": "k", "title": "Emma", "pages": 400},
        {"__typename": "Film", "id": "f", "title": "Up", "minutes": 96.0},
        {"__typename": "Ghost", "id": "g", "title": "Boo"},
    ]
    return FakeSubgraph(
        "products",
        """
        enum Grade { GOOD BAD SECRET }
        interface Item { id: ID! title: String }
        type Book implements Item { id: ID! title: String pages: Int }
        type Film implements Item { id: ID! title: String minutes: Float! }
        type Ghost implements Item { id: ID! title: String }
        type Query {
          products: [Product!] items: [Item] grade(of: Grade): Grade grades: [Grade!]
        }
        type Product { sku: ID! title: String price: Float tags: [String!] }
        """,
        {"products": rows, "items": items, "grade": "SECRET", "grades": ["GOOD"]},
        {"Product": rows},
    )


@pytest.fixture
def shop(users, orders, products):
    return FakeGraph.read(
        SHOP, {"USERS": users, "ORDERS": orders, "PRODUCTS": products}
    )
