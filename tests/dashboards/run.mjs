// Renders every dashboard in Chromium, from what the daemon really serves, and judges what is shown.
//
// node run.mjs [NAME…]     only these dashboards (fleet, host, …); no faults are planted then
//   PLIMSOLL   the program (target/debug/plimsoll)
//   SECONDS    of samples before the first look (60)
//   SHOTS      a directory for pictures of the dashboards

import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DASHBOARDS } from './expected.mjs';
import { startBrowser } from './harness/browser.mjs';
import { problems } from './harness/problems.mjs';
import { serve } from './harness/serve.mjs';
import { SCRAPE, settled, startScene } from './host/scene.mjs';
import { lintProblems } from './lint/check.mjs';
import { MUTANTS } from './mutants.mjs';

const ROOT = new URL('../../', import.meta.url);
const { PLIMSOLL = fileURLToPath(new URL('target/debug/plimsoll', ROOT)), SECONDS = '60', SHOTS } = process.env;
const chosen = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(new URL(`dashboards/${name}.json`, ROOT), 'utf8'));
const dashboards = Object.fromEntries(Object.keys(DASHBOARDS).map((name) => [name, read(name)]));

let failed = 0;
function tell(what, found) {
  console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${what}`);
  for (const one of found) console.log(`       ${one}`);
  failed += found.length;
}

tell('rules', lintProblems(ROOT, Object.values(dashboards)));

const rules = ['alerts/plimsoll-recording.yml'].map((name) => fileURLToPath(new URL(name, ROOT))).filter(existsSync);
const scene = await startScene({ plimsoll: PLIMSOLL, rules });
const missing = new Set();
const mutants = new Map();
const server = await serve({
  prometheus: scene.prometheus.url,
  dashboards: (name) => mutants.get(name) ?? dashboards[name],
  missing,
});
const browser = await startBrowser();
try {
  await settled(scene, Number(SECONDS));
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
  for (const name of chosen.length ? chosen : Object.keys(dashboards)) {
    const { query = '', ...expectations } = DASHBOARDS[name];
    const report = await show(name, query, SHOTS && path.join(SHOTS, `${name}.png`));
    tell(name, problems(dashboards[name], report, expectations));
    if (process.env.TELL) console.log(JSON.stringify(report.panels, null, 1));
  }
  for (const [name, { of, plant, sees }] of chosen.length ? [] : Object.entries(MUTANTS)) {
    const mutant = structuredClone(dashboards[of]);
    plant(mutant);
    mutants.set(name, mutant);
    const { query = '', ...expectations } = DASHBOARDS[of];
    const found = problems(mutant, await show(name, query), expectations);
    tell(`planted: ${name}`, found.some((one) => sees.test(one)) ? [] : [`it is not seen, only: ${found.join('; ') || 'nothing'}`]);
  }
  tell('files of the page', [...missing].map((one) => `${one} is not there`));
} catch (error) {
  tell('the scene', [error.stack]);
} finally {
  await browser.close();
  server.close();
  await scene.stop();
}
console.log(failed === 0 ? 'all dashboards are well' : `${failed} problems`);
process.exit(failed === 0 ? 0 : 1);

function show(name, query, image) {
  const parameters = `dashboard=${encodeURIComponent(`/dashboards/${encodeURIComponent(name)}`)}&scrape=${SCRAPE}&from=now-${process.env.RANGE ?? '2m'}&to=now`;
  return browser.show(`${server.url}/?${parameters}&${query}`, { image });
}
