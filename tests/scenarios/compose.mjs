// Composes each fixture's subgraphs into its supergraph.graphql.
//
//   npm install --prefix /tmp/compose @theguild/federation-composition graphql@16
//   NODE_PATH=/tmp/compose/node_modules node tests/scenarios/compose.mjs [SCENARIO...]
//
// Run it after a subgraph has changed; the tests read only the committed result.
// The host of every URL is replaced by the fixture server's when a test runs.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const { parse } = require("graphql");
const { composeServices, compositionHasErrors } = require(
  "@theguild/federation-composition",
);

// The composer wrongly finds a requirement impossible when it has a fragment on an
// interface: it gets a simpler one to compose, and the real one is put back.
const SIMPLER = {
  requires_with_fragments: ["reading{unit}", /(?<=@requires\(\s*fields: ")reading [^"]*/g],
};

const root = dirname(fileURLToPath(import.meta.url));
const all = readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !entry.name.startsWith("_"))
  .map((entry) => entry.name);
const asked = process.argv.slice(2);

for (const scenario of asked.length ? asked : all) {
  const folder = join(root, scenario, "subgraphs");
  const [simpler, pattern] = SIMPLER[scenario] ?? [];
  const real = [];
  const simplify = (sdl) =>
    pattern ? sdl.replace(pattern, (found) => (real.push(found), simpler)) : sdl;
  const services = readdirSync(folder)
    .sort()
    .map((file) => {
      const name = file.replace(/\.graphql$/, "");
      const sdl = readFileSync(join(folder, file), "utf8");
      return {
        name,
        url: `http://fixture.invalid/${scenario}/${name}`,
        typeDefs: parse(simplify(sdl)),
      };
    });
  const result = composeServices(services);
  if (compositionHasErrors(result)) {
    console.error(`${scenario}: cannot be composed`);
    for (const error of result.errors) console.error(`  ${error.message}`);
    process.exitCode = 1;
  } else {
    let sdl = result.supergraphSdl;
    for (const found of real) sdl = sdl.replace(`requires: "${simpler}"`, `requires: "${found}"`);
    writeFileSync(join(root, scenario, "supergraph.graphql"), sdl);
    console.log(scenario);
  }
}
