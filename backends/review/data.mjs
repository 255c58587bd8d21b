// Reviews in memory: the same ones at every start, and those that are added.

const REVIEWS = 4000;
const USERS = 1000;
const PRODUCTS = 1000;
const FIRST = Date.UTC(2025, 0, 1);
const MINUTE = 60_000;

const OPINIONS = [
  ["Broke after a week.", "Not what the picture shows.", "I sent it back."],
  ["Less than I had hoped for.", "It works, with patience."],
  ["Does what it says.", "Fair for the price.", "Neither good nor bad."],
  ["Well made.", "I would buy it again.", "A good present."],
  ["Better than the one I had.", "The whole family uses it.", "Simply great."],
];

/** Returns a generator of numbers below `limit`, the same ones for the same seed. */
function generator(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

export class Reviews {
  #byId = new Map();
  #byProduct = new Map();
  #byAuthor = new Map();

  constructor() {
    const draw = generator(20_250_101);
    for (let number = 0; number < REVIEWS; number += 1) {
      const rating = 1 + Math.max(draw(5), draw(5)); // most people are content
      const opinions = OPINIONS[rating - 1];
      this.add({
        productId: `p${1 + draw(PRODUCTS)}`,
        authorId: `u${1 + draw(USERS)}`,
        rating,
        text: opinions[draw(opinions.length)],
        createdAt: new Date(FIRST + number * 130 * MINUTE),
      });
    }
  }

  add(values) {
    const review = { id: `r${this.#byId.size + 1}`, createdAt: new Date(), ...values };
    this.#byId.set(review.id, review);
    push(this.#byProduct, review.productId, review);
    push(this.#byAuthor, review.authorId, review);
    return review;
  }

  find(id) {
    return this.#byId.get(id) ?? null;
  }

  ofProduct(id) {
    return this.#byProduct.get(id) ?? [];
  }

  byAuthor(id) {
    return this.#byAuthor.get(id) ?? [];
  }
}

function push(map, key, review) {
  if (!map.has(key)) map.set(key, []);
  map.get(key).push(review);
}
