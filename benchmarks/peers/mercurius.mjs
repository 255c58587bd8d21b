// Mercurius with its gateway. It composes by itself and knows Federation 1 only, so the
// subgraphs' schemas are rewritten: what another subgraph owns becomes an extension.

import { readFileSync } from "node:fs";
import Fastify from "fastify";
import mercuriusGateway from "@mercuriusjs/gateway";
import { Kind, parse, print, visit } from "graphql";

const OWNERS = {
  User: "user",
  Product: "product",
  Order: "order",
  Notification: "notification",
};

function toFederation1(name) {
  const path = new URL(`../remote/schemas/${name}.graphql`, import.meta.url);
  const document = parse(readFileSync(path, "utf8"), { noLocation: true });
  return print(
    visit(document, {
      SchemaExtension: () => null,
      ObjectTypeDefinition(node) {
        const type = node.name.value;
        const isForeign = type in OWNERS && OWNERS[type] !== name;
        if (type !== "Query" && !isForeign) return undefined;
        const fields = node.fields.map((field) =>
          field.name.value === "id" ? external(field) : field,
        );
        return { ...node, kind: Kind.OBJECT_TYPE_EXTENSION, fields };
      },
      Directive: (node) => (node.name.value === "shareable" ? null : undefined),
      Argument: (node) => (node.name.value === "resolvable" ? null : undefined),
    }),
  );
}

function external(field) {
  const name = { kind: Kind.NAME, value: "external" };
  const directive = { kind: Kind.DIRECTIVE, name, arguments: [] };
  return { ...field, directives: [...field.directives, directive] };
}

function service(name) {
  return {
    name,
    url: process.env[`${name.toUpperCase()}_URL`],
    schema: toFederation1(name),
    mandatory: true,
    // As many as the client has; the default is 10.
    connections: 64,
    keepAliveMaxTimeout: 60_000,
  };
}

const app = Fastify();
app.register(mercuriusGateway, {
  jit: 1,
  gateway: { services: Object.values(OWNERS).map(service) },
});
await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
