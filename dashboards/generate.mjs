// Writes the dashboards: `node dashboards/generate.mjs`. With `--check` it writes nothing and fails
// where a file is not what it would write.

import { readFileSync, writeFileSync } from 'node:fs';
import { ALL } from './source/dashboard.mjs';

const check = process.argv.includes('--check');
let stale = 0;
for (const [name] of ALL) {
  const { default: dashboard } = await import(`./source/${name}.mjs`);
  const file = new URL(`${name}.json`, import.meta.url);
  const text = `${JSON.stringify(dashboard, null, 2)}\n`;
  if (!check) {
    writeFileSync(file, text);
  } else if (read(file) !== text) {
    stale += 1;
    console.error(`dashboards/${name}.json is not what its source makes: run node dashboards/generate.mjs`);
  }
}
process.exitCode = stale > 0 ? 1 : 0;

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
