// deploy/: its files are what the programs they are for accept, and deploy/native works as it says.
//
// Grafana and the images of compose.yml are not run here: there is no registry and no Grafana server.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { endAll, freePort, json, start, until } from './host/processes.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { PLIMSOLL = path.join(ROOT, 'target/debug/plimsoll') } = process.env;
const at = (name) => path.join(ROOT, name);
const yaml = (name) => parse(readFileSync(at(name), 'utf8'));
// What is said goes to the standard error, and a refusal is thrown.
const accepted = (command, ...args) => execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });

function demand(condition, words) {
  if (!condition) throw new Error(words);
}

function configuration() {
  const compose = at('deploy/compose.yml');
  accepted('docker-compose', '-f', compose, 'config', '--quiet');
  accepted('amtool', 'check-config', at('deploy/alertmanager/alertmanager.yml'));
  const home = mkdtempSync(path.join(os.tmpdir(), 'plimsoll-config-'));
  mkdirSync(path.join(home, 'rules'));
  for (const name of ['plimsoll.yml', 'plimsoll-recording.yml']) copyFileSync(at(`alerts/${name}`), path.join(home, 'rules', name));
  copyFileSync(at('deploy/prometheus/prometheus.yml'), path.join(home, 'prometheus.yml'));
  accepted('promtool', 'check', 'config', path.join(home, 'prometheus.yml'));
  rmSync(home, { recursive: true });

  const { services } = parse(readFileSync(compose, 'utf8'));
  const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes);
  for (const mount of mounts) {
    const file = path.join(ROOT, 'deploy', mount.split(':')[0]);
    demand(readable(file), `compose.yml mounts ${mount.split(':')[0]}, which is not there`);
  }
  const [provider] = yaml('deploy/grafana/provisioning/dashboards/plimsoll.yml').providers;
  demand(mounts.includes(`../dashboards:${provider.options.path}:ro`), 'compose.yml does not mount the dashboards where Grafana looks');
  const home_ = services.grafana.environment.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH;
  demand(readable(at(home_.replace(provider.options.path, 'dashboards'))), `there is no ${home_}`);
  const [source] = yaml('deploy/grafana/provisioning/datasources/prometheus.yml').datasources;
  demand(source.type === 'prometheus' && source.isDefault, 'the data source is not the default Prometheus');
  demand(services[new URL(source.url).hostname], `no service is called as in ${source.url}`);
  const { scrape_configs: [{ static_configs: [{ targets }] }] } = yaml('deploy/prometheus/prometheus.yml');
  demand(services[targets[0].split(':')[0]], `no service is called as in ${targets[0]}`);
  console.log('ok   configuration of deploy/');
}

function readable(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    return error.code === 'EISDIR' && readdirSync(file).length > 0;
  }
}

/** As a user runs it: it says where to look, everything works together, and Ctrl-C leaves nothing. */
async function native() {
  const temporary = mkdtempSync(path.join(os.tmpdir(), 'plimsoll-native-'));
  const [plimsoll, prometheus, alertmanager] = [await freePort(), await freePort(), await freePort()];
  const env = {
    ...process.env, PLIMSOLL, TMPDIR: temporary, PLIMSOLL_PORT: plimsoll, PROMETHEUS_PORT: prometheus, ALERTMANAGER_PORT: alertmanager,
  };
  const stack = start('deploy/native', at('deploy/native'), [], { env, detached: true });
  await until('it says where to look', stack, 120, async () => /Ctrl-C ends/.test(stack.said()));
  for (const port of [plimsoll, prometheus, alertmanager]) {
    const url = new RegExp(`http://127\\.0\\.0\\.1:${port}/`).exec(stack.said())?.[0];
    demand(url, `it does not say that something is on port ${port}:\n${stack.said()}`);
    demand((await fetch(url)).ok, `${url} does not answer`);
  }
  const of = (port, address) => json(`http://127.0.0.1:${port}${address}`);
  await until('Prometheus has scraped it', stack, 60, async () =>
    (await of(prometheus, '/api/v1/query?query=plimsoll_build_info')).data.result.length === 1);
  await until('the orphan of the demo is an alert in Alertmanager', stack, 120, async () =>
    (await of(alertmanager, '/api/v2/alerts')).some(({ labels }) =>
      labels.alertname === 'PlimsollVolumeOrphaned' && labels.volume === 'galera-2' && labels.cluster === 'demo'));
  const { groups } = (await of(prometheus, '/api/v1/rules')).data;
  const broken = groups.flatMap(({ rules }) => rules).filter(({ lastError }) => lastError);
  demand(groups.length > 0 && broken.length === 0, `rules that fail: ${broken.map(({ name, lastError }) => `${name}: ${lastError}`)}`);

  // What a terminal does on Ctrl-C.
  process.kill(-stack.child.pid, 'SIGINT');
  await Promise.race([stack.exit, new Promise((_, reject) => { setTimeout(() => reject(new Error('Ctrl-C does not end it')), 60_000).unref(); })]);
  demand(stack.child.exitCode === 0, `it ended with ${stack.child.exitCode}:\n${stack.said()}`);
  for (const port of [plimsoll, prometheus, alertmanager]) {
    demand(await fetch(`http://127.0.0.1:${port}/`).then(() => false, () => true), `something is still on port ${port}`);
  }
  const left = readdirSync(temporary);
  demand(left.length === 0, `it leaves ${left.join(', ')}`);
  rmSync(temporary, { recursive: true });
  console.log('ok   deploy/native');
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => endAll().finally(() => process.exit(1)));
try {
  configuration();
  await native();
} catch (error) {
  console.log(`FAIL ${error.stack}`);
  process.exitCode = 1;
} finally {
  await endAll();
}
