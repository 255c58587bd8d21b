// The review subgraph: reviews of products by users, in a stack of its own.
//
//   node index.mjs [--port 4105] [--host 127.0.0.1] [--delay-ms 0]

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

import { buildSubgraphSchema } from "@apollo/subgraph";
import { parse } from "graphql";
import { createYoga } from "graphql-yoga";

import { CallLog } from "./calls.mjs";
import { Reviews } from "./data.mjs";
import { createResolvers } from "./resolvers.mjs";

const { values: options } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "4105" },
    "delay-ms": { type: "string", default: "0" },
  },
});

const delay = Number(options["delay-ms"]);
const calls = new CallLog();

const yoga = createYoga({
  schema: buildSubgraphSchema({
    typeDefs: parse(readFileSync(new URL("schema.graphql", import.meta.url), "utf8")),
    resolvers: createResolvers(new Reviews()),
  }),
  graphiql: false,
  landingPage: false,
  plugins: [
    {
      onParams({ params, request }) {
        const keys = params.variables?.representations?.length ?? 0;
        calls.arrived("POST /graphql", keys, request.headers);
      },
      async onExecute() {
        if (delay > 0) await sleep(delay);
      },
    },
  ],
});

const server = createServer((request, response) => {
  const json = { "content-type": "application/json" };
  switch (`${request.method} ${request.url}`) {
    case "GET /health":
      response.writeHead(200, json).end(JSON.stringify({ status: "ok" }));
      break;
    case "GET /_calls":
      response.writeHead(200, json).end(JSON.stringify(calls.endpoints));
      break;
    case "DELETE /_calls":
      calls.reset();
      response.writeHead(204).end();
      break;
    default:
      yoga(request, response);
  }
});

server.on("error", (error) => {
  console.error(`cannot listen on ${options.host}:${options.port}: ${error.message}`);
  process.exit(1);
});
server.listen(Number(options.port), options.host, () => {
  const { port } = server.address();
  console.log(`review service listening on http://${options.host}:${port}/graphql`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
