// Programs that run beside the test, and end with it.

import { spawn } from 'node:child_process';
import net from 'node:net';

const running = new Set();

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A port that nobody has, from the kernel. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a program. Its last words are kept, for when it ends early. */
export function start(name, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let said = '';
  const keep = (chunk) => { said = (said + chunk).slice(-20_000); };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const one = { name, child, ended: false, said: () => said };
  child.on('error', (error) => { keep(String(error)); one.ended = true; });
  one.exit = new Promise((resolve) => child.on('close', () => { one.ended = true; running.delete(one); resolve(); }));
  running.add(one);
  return one;
}

/** Ends all of them and waits until they are gone. */
export async function endAll() {
  const all = [...running];
  for (const { child } of all) child.kill('SIGTERM');
  const forced = setTimeout(() => all.forEach(({ child }) => child.kill('SIGKILL')), 15_000);
  await Promise.all(all.map(({ exit }) => exit));
  clearTimeout(forced);
}

/** Waits for `check` to give something, as long as `program` runs. */
export async function until(what, program, seconds, check) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await check().catch(() => undefined);
    if (value) return value;
    if (program.ended) throw new Error(`${program.name} ended before ${what}:\n${program.said()}`);
    if (Date.now() > end) throw new Error(`${what} did not happen in ${seconds} s; ${program.name} said:\n${program.said()}`);
    await sleep(250);
  }
}

export async function json(url) {
  const answer = await fetch(url, { signal: AbortSignal.timeout(20_000) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}
