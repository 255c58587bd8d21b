"""A schema with every kind of type, for tests of operations."""

from __future__ import annotations

from graphql import build_schema

__all__ = ["PET_SCHEMA"]

PET_SCHEMA = build_schema(
    """
    scalar Any
    enum Order { ASC DESC }
    input Range { from: Int! = 0, to: Int }
    input Filter {
      text: String, ids: [ID!], order: Order = ASC, range: Range, or: [Filter!]
      raw: Any
    }
    input Pick @oneOf { id: ID, name: String }

    interface Node { id: ID! }
    interface Named { name(upper: Boolean = false): String }
    interface Pet implements Node & Named {
      id: ID!
      name(upper: Boolean = false): String
      owner: User
      size: Float
    }
    type Dog implements Node & Named & Pet {
      id: ID!
      name(upper: Boolean = false): String
      owner: User
      size: Float
      barks: Boolean!
      friend(pick: Pick): Pet
      weight: Int
    }
    type Cat implements Node & Named & Pet {
      id: ID!
      name(upper: Boolean = false): String
      owner: User!
      size: Float
      lives(order: Order!): Int
      friend(pick: Pick): Thing
      weight: Float
    }
    type User implements Node & Named {
      id: ID!
      name(upper: Boolean = false): String
      pets(first: Int! = 10, after: ID, filter: Filter): [Pet!]!
      favourite: Thing
      friends(ids: [ID!], ranges: [Range!]): [User]
    }
    union Thing = Dog | User
    union Animal = Dog | Cat

    type Query {
      user(id: ID!): User
      node(id: ID!): Node
      things(order: Order = DESC, filter: Filter): [Thing]
      animal(pick: Pick!): Animal
      pets(size: Float, raw: Any): [[Pet!]]
      count(filter: Filter, ids: [[ID]]): Int!
    }
    type Mutation {
      rename(id: ID!, name: String!): User
      feed(filter: Filter!): [Pet]
    }
    type Subscription { renamed(ids: [ID!]!): Node }
    """
)
