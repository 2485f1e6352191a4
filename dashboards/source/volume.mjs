import { dashboard, row } from './dashboard.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { ROLE, VOLUME } from './query.mjs';
import { LOAD, LOOK, PLAIN, UNTIL_FULL, VOLUME_STATES, bound, steps } from './style.mjs';

const CHOSEN = `${ROLE}, volume=~"$volume"`;
const one = (metric) => `plimsoll_volume_${metric}{${CHOSEN}}`;
const sum = (metric) => `sum(${one(metric)})`;
const io = (metric) => `sum(rate(plimsoll_volume_io_${metric}_total{${CHOSEN}}[$__rate_interval]))`;
const keys = (role, disk) => [['cluster'], ['job'], ['source'], ['instance', 'Host', { width: 190 }],
  ['role', role, { width: 180 }], ['volume', 'Volume', { width: 180 }], ['disk', disk]];
const facts = (labels) => `max by (${VOLUME}, ${labels}) (${one('info')})`;

export default dashboard({
  name: 'volume',
  about: 'A volume, on whichever hosts it lies: how full it is, who uses it, what its I/O looks like, where it lives.',
  choose: ['role', 'volume'],
  rows: [
    row('How full is it, and when is it full?',
      [
        stat({ title: 'Load', about: 'Bytes used of the quota.', width: 3, unit: 'percentunit', decimals: 0,
          thresholds: LOAD, none: 'no quota', expr: `${sum('used_bytes')} / ${sum('quota_bytes')}` }),
        stat({ title: 'Used', about: 'Bytes allocated to the volume.', width: 3, unit: 'bytes',
          none: 'not measured', expr: sum('used_bytes') }),
        stat({ title: 'Free to write', about: 'Bytes that can still be written before the quota is reached (where something '
          + 'enforces it) or the filesystem is full.', width: 3, unit: 'bytes', none: 'not known', expr: sum('available_bytes') }),
        stat({ title: 'Past quota', about: 'Bytes held beyond the quota.', width: 3, unit: 'bytes', none: 'no quota',
          thresholds: steps(PLAIN, [1, LOOK]), expr: sum('over_quota_bytes') }),
        stat({ title: 'Grows by', about: 'Robust rate of growth; nothing until enough was seen.', width: 3, unit: 'binBps',
          none: 'not known yet', expr: sum('growth_bytes_per_second') }),
        stat({ title: 'Full in', about: 'Time until its quota or its filesystem is full, whichever comes first, at the growth '
          + 'seen. Nothing when it does not grow, or history does not bear a prediction out.', width: 3, unit: 's', decimals: 1,
          none: 'not foreseen', thresholds: UNTIL_FULL, expr: `min(${one('full_timestamp_seconds')}) - time()` }),
        stat({ title: 'Held by', about: 'Live tasks and containers that use the volume.', width: 3, unit: 'none',
          expr: sum('holders') }),
        stat({ title: 'Measured', about: 'Age of the last whole measurement.', width: 3, unit: 's', decimals: 0,
          none: 'never', thresholds: steps(PLAIN, [900, LOOK]),
          expr: `time() - min(${one('measured_timestamp_seconds')})` }),
      ],
      [timeseries({
        title: 'Load line', about: 'Bytes used against the quota, and the most it was ever measured to hold. Added up '
          + 'where several volumes are chosen.',
        width: 16, height: 10, unit: 'bytes', named: ['Used'], bounds: [bound('Peak'), bound('Quota')],
        queries: [
          { expr: sum('peak_bytes'), legend: 'Peak' },
          { expr: sum('used_bytes'), legend: 'Used' },
          { expr: sum('quota_bytes'), legend: 'Quota' },
        ],
      }),
      timeseries({
        title: 'Files', about: 'Inodes in the volume, its own directory included.', width: 8, height: 10, unit: 'none',
        queries: [{ expr: `sum by (volume) (${one('files')})`, legend: '{{volume}}' }],
      })]),
    row('Who uses it?',
      [table({
        title: 'Holders', about: 'Live tasks and containers that use the volume, and where each has it mounted.',
        width: 16, height: 7,
        keys: [['cluster'], ['job'], ['source'], ['role'], ['disk'], ['framework'], ['executor'], ['instance', 'Host', { width: 170 }],
          ['volume', 'Volume', { width: 150 }], ['framework_name', 'Framework', { width: 160 }], ['task', 'Task'],
          ['container'], ['container_path', 'Mounted as', { width: 140 }], ['read_only', 'Read only', { width: 100 }]],
        columns: [{ expr: `max by (${VOLUME}, framework, framework_name, executor, task, container, container_path, `
          + `read_only) (${one('holder_info')})` }],
        sort: 'Task', ascending: true,
      }),
      timeseries({
        title: 'State over time', about: 'In which state the chosen volumes are.', width: 8, height: 7, unit: 'none',
        decimals: 0, stacked: true, named: Object.values(VOLUME_STATES),
        queries: Object.entries(VOLUME_STATES).map(([state, legend]) => ({
          expr: `sum(plimsoll_volume_state{state="${state}", ${CHOSEN}})`, legend,
        })),
      })]),
    row('What does its I/O look like?',
      [
        timeseries({
          title: 'Bytes moved', none: 'It has no device of its own', about: 'Read from and written to the device of the volume. Only where the volume has a '
            + 'device of its own: of a shared one nobody can say whose bytes they are.',
          width: 8, unit: 'binBps', named: ['Read', 'Written'],
          queries: [{ expr: io('read_bytes'), legend: 'Read' }, { expr: io('written_bytes'), legend: 'Written' }],
        }),
        timeseries({
          title: 'Operations', none: 'It has no device of its own', about: 'Reads and writes of the volume\'s own device.', width: 8, unit: 'iops',
          named: ['Read', 'Written'],
          queries: [{ expr: io('reads_completed'), legend: 'Read' }, { expr: io('writes_completed'), legend: 'Written' }],
        }),
        timeseries({
          title: 'Time an operation takes', none: 'It has no device of its own', about: 'Mean seconds of a read and of a write on the volume\'s own device.',
          width: 8, unit: 's', named: ['Read', 'Written'],
          queries: [
            { expr: `${io('read_time_seconds')} / (${io('reads_completed')} > 0)`, legend: 'Read' },
            { expr: `${io('write_time_seconds')} / (${io('writes_completed')} > 0)`, legend: 'Written' },
          ],
        }),
      ]),
    row('Where does it live, and how is it measured?',
      [table({
        title: 'Place', about: 'Path, disk and device of the volume. Sharing says whether anything else that is known lies '
          + 'on its device.',
        width: 24, height: 5, keys: keys(),
        columns: [
          { title: 'Path', label: 'path' },
          { title: 'Disk type', label: 'disk_type', width: 110 },
          { title: 'Device', label: 'device', width: 110 },
          { title: 'Sharing', label: 'sharing', width: 110 },
          { expr: facts('path, disk_type') },
          { expr: `max by (${VOLUME}, device, sharing) (${one('device_info')})` },
        ],
        sort: 'Volume', ascending: true,
      })],
      [table({
        title: 'Measurement', about: 'How its bytes are known, how old and how exact they are, and what happens past the quota.',
        width: 24, height: 5, keys: keys('Role', 'Disk'),
        columns: [
          { title: 'Enforcement', label: 'enforcement', width: 130 },
          { title: 'Method', label: 'method', width: 130 },
          { title: 'Reservation', label: 'reservation', width: 130 },
          { title: 'Principal', label: 'principal', width: 150 },
          { title: 'May be off by', unit: 'bytes', width: 130, expr: `max by (${VOLUME}) (${one('error_bound_bytes')})` },
          { title: 'Age', unit: 's', decimals: 0, width: 100,
            expr: `time() - max by (${VOLUME}) (${one('measured_timestamp_seconds')})` },
          { expr: facts('enforcement, method, reservation, principal') },
        ],
        sort: 'Volume', ascending: true,
      })]),
  ],
});
