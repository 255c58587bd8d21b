// Builds the page into the Python package. See README.md for the URLs it expects.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

import { collectLicenses } from './licenses.js';

const MOUNT = '/graphiql/';

const licenses = collectLicenses('THIRD_PARTY_LICENSES.txt');

export default defineConfig({
  plugins: [react(), licenses.forPage],
  worker: { format: 'es', plugins: () => [licenses.forWorkers] },
  experimental: {
    // The page is served at several URLs, so it names its assets by the mount;
    // scripts and styles name each other relatively and work under any prefix.
    renderBuiltUrl: (file, { hostType }) =>
      hostType === 'html' ? MOUNT + file : { relative: true },
  },
  build: {
    outDir: '../graphgw/server/ide',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 4096,
    sourcemap: false,
    rolldownOptions: {
      onwarn: (warning, warn) => {
        // "use no memo" speaks to React's compiler, which has already run.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') {
          warn(warning);
        }
      },
    },
  },
});
