// Hive Gateway over the supergraph that $SUPERGRAPH names, with the planner of Hive
// Router. Where to listen comes from the command line.

import { defineConfig } from "@graphql-hive/gateway";
import { unifiedGraphHandler } from "@graphql-hive/router-runtime";

export const gatewayConfig = defineConfig({
  supergraph: process.env.SUPERGRAPH,
  unifiedGraphHandler,
  logging: "error",
  // A file is read once: there is nothing to ask for again.
  pollingInterval: 0,
});
