// The second host: its kernel's files are made here and go on counting, in the kernel's own form.
// The real daemon reads them by --path.procfs and --path.sysfs. Two Docker containers (one at its
// write limit, one without a limit), one disk, and two NFS mounts, of which one has a volume on it.

import { closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

export const MIB = 1 << 20;
/** What the containers do in a second. */
export const LIMITED = { id: 'a1b2'.repeat(16), process: 4001, write: 2 * MIB, limit: 2 * MIB, operations: 40, someWait: 0.9, allWait: 0.6 };
export const FREE = { id: 'c3d4'.repeat(16), process: 4002, read: 8 * MIB, write: MIB, operations: 160, someWait: 0.05, allWait: 0.02 };
/** What the mounts do in a second: requests, and the milliseconds each takes in the queue, on the way, in all. */
export const NFS = [
  { server: 'filer-a', export: '/vol/db', at: 'mnt/db', minor: 90, read: 40, write: 25, queue: 2, response: 18, whole: 20, again: 0, bytes: 65536 },
  { server: 'filer-b', export: '/vol/archive', at: 'mnt/archive', minor: 91, read: 4, write: 1, queue: 10, response: 140, whole: 150, again: 1, bytes: 1048576 },
];
const DISK = '8:16';
// So large that a number keeps its length: files are written in place while they are read.
const FIRST = 1e12;

/** Makes the host below `root` and returns what keeps it counting. The first container has `open` open. */
export function countingHost(root, open) {
  const put = (name, text) => {
    const file = path.join(root, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  for (const { at } of NFS) mkdirSync(path.join(root, at), { recursive: true });
  put('proc/self/mountinfo', mountTable(root));
  // As in the kernel's own: the number is a link to the device, which has the name.
  put('sys/devices/sdb/uevent', 'MAJOR=8\nMINOR=16\nDEVNAME=sdb\nDEVTYPE=disk\n');
  mkdirSync(path.join(root, 'sys/dev/block'), { recursive: true });
  symlinkSync('../../devices/sdb', path.join(root, 'sys/dev/block', DISK));
  put('proc/sys/kernel/task_delayacct', '1\n');
  put('sys/fs/cgroup/cgroup.controllers', 'cpuset cpu io memory pids\n');

  const files = [{ file: put('proc/self/mountstats', mountStats(root, 0)), text: (seconds) => mountStats(root, seconds) }];
  for (const container of [LIMITED, FREE]) {
    const group = `sys/fs/cgroup/docker/${container.id}`;
    put(`${group}/cgroup.procs`, `${container.process}\n`);
    put(`${group}/cgroup.threads`, `${container.process}\n`);
    aProcess(root, put, container, container === LIMITED ? open : undefined);
    const stat = (seconds) => processStat(container, seconds);
    files.push({ file: put(`proc/${container.process}/stat`, stat(0)), text: stat });
    put(`${group}/io.max`, container.limit ? `${DISK} rbps=max wbps=${container.limit} riops=max wiops=max\n` : '');
    for (const [name, text] of [['io.stat', ioStat], ['io.pressure', ioPressure]]) {
      files.push({ file: put(`${group}/${name}`, text(container, 0)), text: (seconds) => text(container, seconds) });
    }
  }

  const started = Date.now();
  const written = files.map(({ file, text }) => ({ descriptor: openSync(file, 'r+'), text }));
  const timer = setInterval(() => {
    const seconds = (Date.now() - started) / 1000;
    for (const { descriptor, text } of written) writeSync(descriptor, text(seconds), 0);
  }, 200);
  return {
    stop() {
      clearInterval(timer);
      written.forEach(({ descriptor }) => closeSync(descriptor));
    },
  };
}

const counted = (perSecond, seconds) => String(FIRST + Math.round((perSecond ?? 0) * seconds));

function ioStat({ read, write, operations }, seconds) {
  const of = (perSecond) => counted(perSecond, seconds);
  const half = operations / 2;
  return `${DISK} rbytes=${of(read)} wbytes=${of(write)} rios=${of(read ? half : 0)} wios=${of(half)} dbytes=0 dios=0\n`;
}

function ioPressure({ someWait, allWait }, seconds) {
  const line = (name, share) => `${name} avg10=00.00 avg60=00.00 avg300=00.00 total=${counted(share * 1e6, seconds)}\n`;
  return line('some', someWait) + line('full', allWait);
}

/** The one process of a container, in the mount namespace of the host. */
function aProcess(root, put, { id, process }, open) {
  const here = `proc/${process}`;
  put(`${here}/mountinfo`, mountTable(root));
  put(`${here}/comm`, 'postgres\n');
  put(`${here}/cgroup`, `0::/docker/${id}\n`);
  put(`${here}/maps`, '');
  const link = (name, to) => {
    mkdirSync(path.dirname(path.join(root, here, name)), { recursive: true });
    symlinkSync(to, path.join(root, here, name));
  };
  link('ns/mnt', 'mnt:[4026531841]');
  link('root', '/');
  link('cwd', '/');
  link('fd/0', '/dev/null');
  put(`${here}/fdinfo/0`, 'pos:\t0\nflags:\t02\n');
  if (!open) return;
  link('fd/3', open);
  put(`${here}/fdinfo/3`, 'pos:\t0\nflags:\t02\n');
}

/** Field 42 of what is told of a process is what it waited for block I/O, in hundredths of a second. */
function processStat({ process, someWait }, seconds) {
  const fields = Array(52).fill('0');
  fields.splice(0, 3, String(process), '(postgres)', 'D');
  fields[41] = counted(someWait * 100, seconds);
  return `${fields.join(' ')}\n`;
}

/** The real mounts below which files really lie, the unified hierarchy, and the made-up NFS ones. */
function mountTable(root) {
  const real = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    .filter((line) => ['/', '/tmp'].includes(line.split(' ')[4]));
  const parent = real[0].split(' ')[0];
  const made = [
    `9001 ${parent} 0:80 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw`,
    ...NFS.map(({ server, export: shared, at, minor }, index) =>
      `${9002 + index} ${parent} 0:${minor} / ${path.join(root, at)} rw - nfs4 ${server}:${shared} `
      + `rw,vers=4.2,proto=tcp,clientaddr=10.0.0.9,addr=10.0.0.${index + 5}`),
  ];
  return [...real, ...made, ''].join('\n');
}

function mountStats(root, seconds) {
  return NFS.map((mount, index) => {
    const { server, export: shared, at, read, write, queue, response, whole, again, bytes } = mount;
    const of = (perSecond) => counted(perSecond, seconds);
    const requests = (name, rate) => `\t${name}: ${[
      of(rate), of(rate + again), '0', of(rate * 200), of(rate * bytes), of(rate * queue), of(rate * response), of(rate * whole), '0',
    ].join(' ')}`;
    return [
      `device ${server}:${shared} mounted on ${path.join(root, at)} with fstype nfs4 statvers=1.1`,
      `\topts:\trw,vers=4.2,proto=tcp,addr=10.0.0.${index + 5}`,
      '\tage:\t7200',
      `\tbytes:\t${of(read * bytes)} ${of(write * bytes)} 0 0 ${of(read * bytes)} ${of(write * bytes)} 0 0`,
      '\tRPC iostats version: 1.1  p/v: 100003/4 (nfs)',
      `\txprt:\ttcp 832 1 1 0 11 ${of(read + write)} ${of(read + write)} 0 0 0 24 26 0`,
      '\tper-op statistics',
      requests('READ', read),
      requests('WRITE', write),
      requests('GETATTR', 2),
      '',
    ].join('\n');
  }).join('');
}
