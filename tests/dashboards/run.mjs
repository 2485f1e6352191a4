// Renders every dashboard in Chromium, from what the daemon really serves, and judges what is shown.
//
// node run.mjs [NAME…]     only these views of expected.mjs (fleet, host, …); no faults are planted then
//   PLIMSOLL   the program (target/debug/plimsoll)
//   SAMPLES    seconds of samples before the first look (60)
//   RANGE      how far back dashboards look (2m)
//   SHOTS      a directory for pictures of the dashboards
//   TELL       anything: print the reports

import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { VIEWS } from './expected.mjs';
import { startBrowser } from './harness/browser.mjs';
import { problems } from './harness/problems.mjs';
import { serve } from './harness/serve.mjs';
import { endAll } from './host/processes.mjs';
import { SCRAPE, settled, startScene } from './host/scene.mjs';
import { lintProblems } from './lint/check.mjs';
import { MUTANTS } from './mutants.mjs';

const ROOT = new URL('../../', import.meta.url);
const { PLIMSOLL = fileURLToPath(new URL('target/debug/plimsoll', ROOT)), SAMPLES = '60', RANGE = '2m', SHOTS, TELL } = process.env;
const chosen = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(new URL(`dashboards/${name}.json`, ROOT), 'utf8'));
const names = readdirSync(new URL('dashboards', ROOT)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
const dashboards = Object.fromEntries(names.map((name) => [name, read(name)]));

let failed = 0;
function tell(what, found) {
  console.log(`${found.length === 0 ? 'ok  ' : 'FAIL'} ${what}`);
  for (const one of found) console.log(`       ${one}`);
  failed += found.length;
}

tell('rules', lintProblems(ROOT, Object.values(dashboards)));
const seen = Object.values(VIEWS).map(({ dashboard }) => dashboard);
tell('views', names.filter((name) => !seen.includes(name)).map((name) => `expected.mjs has no view of ${name}`));

const rules = [fileURLToPath(new URL('alerts/plimsoll-recording.yml', ROOT))];
const missing = new Set();
const mutants = new Map();
const open = [];
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => endAll().finally(() => process.exit(1)));
try {
  const scene = await startScene({ plimsoll: PLIMSOLL, rules });
  open.push(scene.stop);
  const server = await serve({
    prometheus: scene.prometheus.url,
    dashboards: (name) => mutants.get(name) ?? dashboards[name],
    missing,
  });
  open.push(server.close);
  const browser = await startBrowser();
  open.push(browser.close);
  await settled(scene, Number(SAMPLES));
  await look((query, image) => browser.show(`${server.url}/?${query}`, { image }));
} catch (error) {
  tell('the scene', [error.stack]);
} finally {
  for (const close of open.reverse()) {
    try {
      await close();
    } catch (error) {
      tell('the end', [error.stack]);
    }
  }
  await endAll();
}
console.log(failed === 0 ? 'all dashboards are well' : `${failed} problems`);
process.exit(failed === 0 ? 0 : 1);

async function look(browse) {
  const show = (name, { query = '' }, image) => {
    const address = encodeURIComponent(`/dashboards/${encodeURIComponent(name)}`);
    return browse(`dashboard=${address}&scrape=${SCRAPE}&from=now-${RANGE}&to=now&${query}`, image);
  };
  if (SHOTS) mkdirSync(SHOTS, { recursive: true });
  for (const [name, view] of Object.entries(VIEWS)) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    const report = await show(view.dashboard, view, SHOTS && path.join(SHOTS, `${name.replaceAll(' ', '-')}.png`));
    tell(name, problems(dashboards[view.dashboard], report, view));
    if (TELL) console.log(JSON.stringify(report, null, 1));
  }
  for (const [name, { of, plant, sees }] of chosen.length > 0 ? [] : Object.entries(MUTANTS)) {
    const mutant = structuredClone(dashboards[VIEWS[of].dashboard]);
    plant(mutant);
    mutants.set(name, mutant);
    const found = problems(mutant, await show(name, VIEWS[of]), VIEWS[of]);
    tell(`planted: ${name}`, found.some((one) => sees.test(one)) ? [] : [`it is not seen, only: ${found.join('; ') || 'nothing'}`]);
  }
  tell('files of the page', [...missing].map((one) => `${one} is not there`));
}
