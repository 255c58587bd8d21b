// Collects the licence notices of every package that ends up in the bundle.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const NOTICE = /^(licen[cs]e|copying|notice|third-?party-?notices?)(\.|$)/i;
const RULE = '-'.repeat(80);
const MIT = (holder) => `Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy of this
software and associated documentation files (the "Software"), to deal in the Software
without restriction, including without limitation the rights to use, copy, modify, merge,
publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons
to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR
PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE
FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER
DEALINGS IN THE SOFTWARE.`;

/** Make the page's plugin, which writes `fileName`, and the workers', which only collects. */
export function collectLicenses(fileName) {
  const modules = new Set();
  const collect = (bundle) => {
    for (const chunk of Object.values(bundle)) {
      for (const id of chunk.moduleIds ?? []) {
        modules.add(id);
      }
    }
  };
  return {
    forWorkers: { name: 'collect-licenses', generateBundle: (_, bundle) => collect(bundle) },
    forPage: {
      name: 'write-licenses',
      generateBundle(_, bundle) {
        collect(bundle);
        this.emitFile({ type: 'asset', fileName, source: printLicenses(findPackages(modules)) });
      },
    },
  };
}

function findPackages(modules) {
  const packages = new Map();
  for (const id of modules) {
    const path = id.replace(/^\0/, '').split('?')[0];
    if (!path.includes('/node_modules/')) {
      continue;
    }
    const found = readPackage(path);
    packages.set(`${found.name} ${found.version}`, found);
  }
  return [...packages.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, found]) => found);
}

function readPackage(path) {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    const found = existsSync(file) && JSON.parse(readFileSync(file, 'utf8'));
    if (found?.name && found.version) {
      return { ...found, notices: readNotices(folder) };
    }
  }
  throw new Error(`${path} belongs to no package`);
}

function readNotices(folder) {
  return readdirSync(folder)
    .filter((name) => NOTICE.test(name))
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8').replaceAll('\r\n', '\n').trim());
}

function printLicenses(packages) {
  const sections = packages.map((found) =>
    [`${found.name} ${found.version} (${found.license})`, ...noticesOf(found, packages)].join('\n\n'),
  );
  return [
    'The GraphiQL page contains the following packages, under these licences.',
    ...sections,
  ].join(`\n\n${RULE}\n`) + '\n';
}

// Some packages leave their notice to a sibling from the same repository.
function noticesOf(found, packages) {
  if (found.notices.length > 0) {
    return found.notices;
  }
  const sibling = packages.find(
    (other) => other.notices.length > 0 && repositoryOf(other) === repositoryOf(found),
  );
  if (sibling) {
    return sibling.notices;
  }
  if (found.license !== 'MIT') {
    throw new Error(`${found.name} has no licence notice`);
  }
  const author = found.author?.name ?? found.author;
  return [MIT(author ? author : `the ${found.name} authors`)];
}

function repositoryOf({ name, repository }) {
  const url = repository?.url ?? repository ?? name;
  return url.replace(/^(git\+)?https?:\/\/|^github:|\.git$/g, '').replace(/^github\.com\//, '');
}
