import { dashboard, row } from './dashboard.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { FRAMEWORK, SANDBOX, largestNow, withName } from './query.mjs';
import { LOOK, PLAIN, WRONG, steps } from './style.mjs';

const OF = 'cluster, job, instance, source, framework, executor, container, device';
const WINDOW = '[$__rate_interval]';
const rate = (metric, at = '') => `rate(plimsoll_container_io_${metric}_total{${FRAMEWORK}}${WINDOW}${at})`;
const limit = (metric) => `plimsoll_container_io_${metric}_per_second{${FRAMEWORK}}`;
const largest = (metric, over = 'sum') =>
  largestNow(10, (at) => `${over} by (instance, who) (${withName(rate(metric, at))})`);
const HELD = steps(PLAIN, [0.1, LOOK], [0.5, WRONG]);
const held = (direction) => `max by (${OF}) (${rate(`${direction}_throttled_seconds`)})`;
const mean = (direction, sign) =>
  `sum by (role, volume) (rate(plimsoll_volume_io_${direction}_time_seconds_total{}${WINDOW}${sign}))`
  + ` / (sum by (role, volume) (rate(plimsoll_volume_io_${direction}s_completed_total{}${WINDOW}${sign})) > 0)`;

const byContainer = (about, title, expr, more) =>
  timeseries({ title, about, width: 12, height: 9, queries: [{ expr, legend: '{{who}}, {{instance}}' }], ...more });

export default dashboard({
  name: 'io',
  about: 'Block I/O of running containers: who is held back by a limit, who moves the bytes, who waits.',
  choose: ['framework'],
  from: 'now-1h',
  rows: [
    row('Who is held back by a limit?',
      [
        stat({ title: 'Held back now', about: 'Containers that stood at a limit for more than a tenth of the time, on some '
          + 'device and in some direction.', width: 4, unit: 'none', thresholds: steps(PLAIN, [1, LOOK]),
          expr: `count(count by (${SANDBOX}) (${rate('read_throttled_seconds')} > 0.1 or `
            + `${rate('write_throttled_seconds')} > 0.1)) or vector(0)` }),
        stat({ title: 'With a limit', about: 'Containers with a limit of bytes or operations on some device.', width: 4, unit: 'none',
          expr: `count(count by (${SANDBOX}) (${limit('read_limit_bytes')} or ${limit('write_limit_bytes')} or `
            + `${limit('read_limit_operations')} or ${limit('write_limit_operations')})) or vector(0)` }),
        stat({ title: 'Containers counted', about: 'Running containers with a control group of their own.', width: 4, unit: 'none',
          expr: `count(plimsoll_container_io_info{${FRAMEWORK}}) or vector(0)` }),
        stat({ title: 'Read', about: 'Bytes a second that containers read from all devices.', width: 4, unit: 'binBps',
          none: 'not counted', expr: `sum(${rate('read_bytes')})` }),
        stat({ title: 'Written', about: 'Bytes a second that containers write to all devices; on cgroup v1 without buffered '
          + 'writes.', width: 4, unit: 'binBps', none: 'not counted', expr: `sum(${rate('written_bytes')})` }),
        stat({ title: 'Waiting for I/O', about: 'Most time any container had all its tasks waiting for I/O (pressure, full).', width: 4,
          unit: 'percentunit', decimals: 0, none: 'not counted', thresholds: HELD, expr: `max(${rate('pressure_full_seconds')})` }),
      ],
      [table({
        title: 'Containers with a limit',
        about: 'Each container and device with a limit: the limit in force, what is used of it, and the share of time its I/O '
          + 'stood at the limit.',
        width: 24, height: 8,
        keys: [['cluster'], ['job'], ['source'], ['framework'], ['container'], ['instance', 'Host', { width: 180 }], ['who', 'Container'],
          ['executor'], ['device', 'Device', { width: 90 }]],
        columns: [
          ['Read limit', `${limit('read_limit_bytes')}`, 'binBps', 110],
          ['Reads', rate('read_bytes'), 'binBps', 110],
          ['Reads held back', held('read'), 'percentunit', 140, HELD],
          ['Write limit', `${limit('write_limit_bytes')}`, 'binBps', 110],
          ['Writes', rate('written_bytes'), 'binBps', 110],
          ['Writes held back', held('write'), 'percentunit', 140, HELD],
          ['Limit of reads', limit('read_limit_operations'), 'iops', 120],
          ['Limit of writes', limit('write_limit_operations'), 'iops', 125],
        ].map(([title, expr, unit, width, thresholds]) => ({
          title, unit, width, ...(unit === 'percentunit' && { decimals: 0 }), ...(thresholds && { thresholds }),
          expr: `max by (${OF}, who) (${withName(expr)})`,
        })),
        only: [OF, `(${['read_limit_bytes', 'write_limit_bytes', 'read_limit_operations', 'write_limit_operations']
          .map(limit).join(' or ')})`],
        sort: 'Writes held back',
      })],
      [
        byContainer('Share of time a container\'s reads stood at a limit, on the device where it was held back most: the ten most held back now.', 'Reads held back',
          largest('read_throttled_seconds', 'max'), { unit: 'percentunit', soft: 1, none: 'No limit of reads' }),
        byContainer('Share of time a container\'s writes stood at a limit, on the device where it was held back most: the ten most held back now.', 'Writes held back',
          largest('write_throttled_seconds', 'max'), { unit: 'percentunit', soft: 1, none: 'No limit of writes' }),
      ]),
    row('Who moves the bytes?',
      [
        byContainer('Bytes a second each container reads from all devices: the ten largest now.', 'Bytes read', largest('read_bytes'),
          { unit: 'binBps' }),
        byContainer('Bytes a second each container writes to all devices: the ten largest now. cgroup v1 charges buffered writes to the '
          + 'root group.', 'Bytes written', largest('written_bytes'), { unit: 'binBps' }),
      ],
      [
        byContainer('Read operations a second of each container: the ten largest now.', 'Read operations', largest('reads'), { unit: 'iops' }),
        byContainer('Write operations a second of each container: the ten largest now.', 'Write operations', largest('writes'),
          { unit: 'iops' }),
      ]),
    row('Who waits for the disk?',
      [
        byContainer('Share of time in which at least one task of the container waited for I/O (PSI, some): the ten largest now.',
          'Some tasks wait', largest('pressure_some_seconds'), { width: 8, unit: 'percentunit', soft: 1 }),
        byContainer('Share of time in which every task of the container that was not idle waited for I/O (PSI, full).',
          'All tasks wait', largest('pressure_full_seconds'), { width: 8, unit: 'percentunit', soft: 1 }),
        byContainer('Threads of the container that wait for block I/O at a time, on average. Only where the kernel\'s delay '
          + 'accounting is on.', 'Threads that wait', largest('delay_seconds'), { width: 8, unit: 'none', soft: 1, none: 'Not counted here' }),
      ]),
    row('How busy are the devices that belong to one volume?',
      [
        timeseries({
          title: 'Busy', none: 'No volume has a device of its own', about: 'Share of time in which the volume\'s own device had something to do: the ten busiest now.',
          width: 12, height: 8, unit: 'percentunit', soft: 1,
          queries: [{ expr: largestNow(10, (at) =>
            `sum by (role, volume) (rate(plimsoll_volume_io_time_seconds_total{}${WINDOW}${at}))`), legend: '{{role}} / {{volume}}' }],
        }),
        timeseries({
          title: 'Time a write takes', none: 'No volume has a device of its own', about: 'Mean seconds of a write on the volume\'s own device: the ten slowest now.',
          width: 12, height: 8, unit: 's',
          queries: [{ expr: largestNow(10, (at) => mean('write', at)), legend: '{{role}} / {{volume}}' }],
        }),
      ]),
  ],
});
