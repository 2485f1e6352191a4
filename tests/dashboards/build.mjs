// Bundles the page that renders a dashboard, with everything it needs, into dist/.

import { copyFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));

// The layer between the two routers wants the old one under the name that the new one has here.
const oldRouter = {
  name: 'old-router',
  setup(bundle) {
    bundle.onResolve({ filter: /^react-router-dom$/ }, ({ importer, kind }) =>
      importer.includes('react-router-dom-v5-compat')
        ? bundle.resolve('rrd5', { resolveDir: here, kind })
        : undefined);
  },
};

mkdirSync(path.join(here, 'dist'), { recursive: true });
await build({
  absWorkingDir: here,
  plugins: [oldRouter],
  entryPoints: ['page/main.jsx'],
  outfile: 'dist/main.js',
  bundle: true,
  format: 'esm',
  target: 'es2022',
  platform: 'browser',
  jsx: 'automatic',
  mainFields: ['module', 'browser', 'main'],
  external: ['systemjs'],
  define: { 'process.env.NODE_ENV': '"production"', global: 'window' },
  loader: { '.svg': 'text', '.woff2': 'file', '.ttf': 'dataurl' },
  logLevel: 'warning',
});
copyFileSync(path.join(here, 'page/index.html'), path.join(here, 'dist/index.html'));
