// Records what was built from what, so that a test can tell a stale build.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const IDE = dirname(fileURLToPath(import.meta.url));
const BUILT = join(IDE, '..', 'graphgw', 'server', 'ide');
const RECORD = 'build.json';
const NOT_SOURCES = ['node_modules/', 'README.md'];

function digests(folder, isWanted) {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .map((path) => path.split(sep).join('/'))
      .filter(isWanted)
      .sort()
      .map((path) => [path, sha256(join(folder, path))]),
  );
}

function sha256(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

const record = {
  sources: digests(IDE, (path) => !NOT_SOURCES.some((start) => path.startsWith(start))),
  built: digests(BUILT, (path) => path !== RECORD),
};
writeFileSync(join(BUILT, RECORD), `${JSON.stringify(record, null, 2)}\n`);
