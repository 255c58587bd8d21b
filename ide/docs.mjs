// Puts the page at /docs beside GraphiQL: Swagger UI as it was published, and our own files.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const IDE = dirname(fileURLToPath(import.meta.url));
const SWAGGER = join(IDE, 'node_modules', 'swagger-ui-dist');
const OWN = join(IDE, 'docs');
const BUILT = join(IDE, '..', 'graphgw', 'server', 'ide', 'docs');
const TAKEN = [
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'swagger-ui.css',
  'LICENSE',
  'NOTICE',
];

mkdirSync(BUILT, { recursive: true });
for (const name of TAKEN) {
  copyFileSync(join(SWAGGER, name), join(BUILT, name));
}
for (const name of readdirSync(OWN)) {
  copyFileSync(join(OWN, name), join(BUILT, name));
}
copyFileSync(join(IDE, 'public', 'favicon.svg'), join(BUILT, 'favicon.svg'));
