// Two hosts and a Prometheus: `plimsoll demo`, and the daemon on a host that counts (counting.mjs).

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { MIB, NFS, countingHost } from './counting.mjs';
import { writeState } from './history.mjs';
import { endAll, freePort, json, start, until } from './processes.mjs';

/** Seconds between scrapes. */
export const SCRAPE = 5;
export const HOSTS = { demo: 'agent1.example:10061', counting: 'docker1.example:10061' };
// 20 MiB in six hours, and 8 MiB left: full in less than three.
const GROWING = { role: 'shop', name: 'orders-db', quota: 56 * MIB, before: 28 * MIB, used: 48 * MIB, hours: 6 };

/** Starts everything; `rules` are files of recording and alert rules. */
export async function startScene({ plimsoll, rules = [] }) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'pl-'));
  const stops = [endAll];
  const stop = async () => {
    for (const one of stops) await one();
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  };
  try {
    const demo = await daemon('plimsoll demo', plimsoll, ['demo', '--directory', home]);
    const host = path.join(home, 'host');
    const { config, open } = prepare(host);
    const counting = countingHost(host, open);
    stops.push(() => counting.stop());
    const second = await daemon('plimsoll serve', plimsoll, [
      'serve', '--config.file', config, '--path.procfs', path.join(host, 'proc'), '--path.sysfs', path.join(host, 'sys'),
    ]);
    const prometheus = await startPrometheus(home, { demo, counting: second }, rules);
    return { prometheus, demo, second, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function daemon(name, plimsoll, args) {
  const port = await freePort();
  const program = start(name, plimsoll, [...args, '--web.listen-address', `127.0.0.1:${port}`]);
  const url = `http://127.0.0.1:${port}`;
  await until(`${name} is ready`, program, 60, async () => (await fetch(`${url}/-/ready`)).ok);
  return { program, url, target: `127.0.0.1:${port}` };
}

/** Configuration, volumes and remembered history of the second host. */
function prepare(host) {
  const data = path.join(host, 'data');
  const grown = path.join(data, GROWING.name);
  const archive = path.join(host, NFS[1].at, 'backups');
  for (const one of [grown, archive, path.join(data, 'uploads')]) mkdirSync(one, { recursive: true });
  // Random, so that no filesystem makes less of it.
  const open = path.join(grown, 'table.ibd');
  writeFileSync(open, randomBytes(GROWING.used));
  writeFileSync(path.join(data, 'uploads', 'picture'), randomBytes(3 * MIB));
  const state = path.join(host, 'state');
  mkdirSync(state, { recursive: true });
  const key = { source: 'directories', role: GROWING.role, volume: GROWING.name, disk: 'DIRECTORY' };
  writeState(path.join(state, 'state'), [
    { key, from: GROWING.before, to: GROWING.used, hours: GROWING.hours, limit: GROWING.quota, method: 'walk' },
  ]);
  const config = path.join(host, 'plimsoll.yml');
  writeFileSync(config, `
mesos: {enabled: false}
docker: {enabled: false}
directories:
- {path: ${grown}, name: ${GROWING.name}, role: ${GROWING.role}, owner: shop-team, quota: 56MiB}
- {path: ${path.join(data, 'uploads')}, name: uploads, role: shop, quota: 3MiB}
- {path: ${archive}, name: backups, role: backup}
usage: {max_age: 5s, cpu_budget: 0.2}
io: {enabled: true, interval: 1s}
network: {interval: 1s}
orphans: {open_files_interval: 10s}
storage: {enabled: true, path: ${state}}
`);
  return { config, open };
}

async function startPrometheus(home, daemons, rules) {
  const file = path.join(home, 'prometheus.yml');
  const targets = Object.entries(daemons).map(([name, { target }]) => `
  - targets: ['${target}']
    labels: {cluster: harbour, instance: '${HOSTS[name]}'}`);
  writeFileSync(file, `
global: {scrape_interval: ${SCRAPE}s, evaluation_interval: ${SCRAPE}s}
rule_files: [${rules.map((one) => `'${one}'`).join(', ')}]
scrape_configs:
- job_name: plimsoll
  static_configs:${targets.join('')}
`);
  const port = await freePort();
  const program = start('prometheus', 'prometheus', [
    `--config.file=${file}`, `--storage.tsdb.path=${path.join(home, 'tsdb')}`, `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const url = `http://127.0.0.1:${port}`;
  await until('Prometheus is ready', program, 60, async () => (await fetch(`${url}/-/ready`)).ok);
  const query = async (expression) =>
    (await json(`${url}/api/v1/query?${new URLSearchParams({ query: expression })}`)).data.result;
  return { program, url, query };
}

/** Waits until Prometheus holds `seconds` of both hosts, everything measured. */
export async function settled({ prometheus: { program, query } }, seconds) {
  const first = `min(timestamp(plimsoll_build_info) - min_over_time(timestamp(plimsoll_build_info)[1h:1s])) >= ${seconds}`;
  await until(`${seconds} s of samples of both hosts`, program, seconds + 240, async () =>
    (await query('count(plimsoll_build_info)'))[0]?.value[1] === '2' && (await query(first)).length > 0);
  await until('all is measured', program, 120, async () => (await query('sum(plimsoll_usage_pending_subjects) == 0')).length > 0);
}
