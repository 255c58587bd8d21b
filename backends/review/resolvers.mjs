// What each field of schema.graphql is.

import { GraphQLError, GraphQLScalarType } from "graphql";

const MOST = 100;

/** Returns the resolvers over a store of reviews. */
export function createResolvers(reviews) {
  return {
    DateTime: new GraphQLScalarType({
      name: "DateTime",
      serialize: (value) => value.toISOString(),
    }),
    Query: {
      review: (_, { id }) => reviews.find(id),
    },
    Mutation: {
      addReview: (_, { input }) => reviews.add(checked(input)),
    },
    Review: {
      __resolveReference: ({ id }) => reviews.find(id),
      author: (review) => ({ id: review.authorId }),
      product: (review) => ({ id: review.productId }),
    },
    Product: {
      reviews: ({ id }, { first }) => newest(reviews.ofProduct(id), first),
      averageRating: ({ id }) => mean(reviews.ofProduct(id).map((r) => r.rating)),
    },
    User: {
      reviews: ({ id }, { first }) => newest(reviews.byAuthor(id), first),
    },
  };
}

function newest(found, first) {
  if (first < 0 || first > MOST) {
    throw badInput(`first must be between 0 and ${MOST}`);
  }
  return found.toReversed().slice(0, first);
}

function mean(numbers) {
  if (numbers.length === 0) return null;
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function checked(input) {
  if (input.rating < 1 || input.rating > 5) {
    throw badInput("rating must be between 1 and 5");
  }
  return input;
}

function badInput(message) {
  return new GraphQLError(message, { extensions: { code: "BAD_USER_INPUT" } });
}
