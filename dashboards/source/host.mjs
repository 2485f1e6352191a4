import { OWN_VOLUME_LINK, dashboard, row } from './dashboard.mjs';
import { findings, severity } from './findings.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { FRAMEWORK, ROLE, SANDBOX, VOLUME, largestNow } from './query.mjs';
import { LOAD, LOOK, NONE_IS_WELL, PLAIN, UNTIL_FULL, VOLUME_STATES, WELL, WRONG, named, steps } from './style.mjs';

const DISK = 'cluster, job, instance, mount_point';
const disk = (metric) => `max by (${DISK}) (plimsoll_filesystem_${metric}{})`;
const volume = (metric, more = '') => `max by (${VOLUME}${more}) (plimsoll_volume_${metric}{${ROLE}})`;
const sandbox = (metric, more = '') => `max by (${SANDBOX}${more}) (plimsoll_sandbox_${metric}{${FRAMEWORK}})`;
const RESERVATION = 'cluster, job, instance, role, reservation';
const resource = (metric) => `max by (${RESERVATION}) (plimsoll_agent_${metric}{})`;

export default dashboard({
  name: 'host',
  about: 'One host: what is wrong on it, how full its disks are, who holds the space, and what the agent promised.',
  choose: ['role', 'framework'],
  single: true,
  rows: [
    row('What is wrong on this host?',
      [
        severity('Critical', 3),
        severity('Warning', 3),
        stat({
          title: 'Agent answers', about: 'Whether the API of the Mesos or Clusterd agent answers. Nothing on a host without one.',
          width: 3, unit: 'bool_yes_no', none: 'none here', expr: 'min(plimsoll_agent_up{})',
          thresholds: steps(WRONG, [1, WELL]),
        }),
        stat({ title: 'Volumes here', about: 'Volumes on the host.', width: 3, unit: 'none',
          expr: `count(plimsoll_volume_info{${ROLE}}) or vector(0)` }),
        stat({ title: 'Sandboxes here', about: 'Sandboxes of running containers.', width: 3, unit: 'none',
          expr: `count(plimsoll_sandbox_info{${FRAMEWORK}}) or vector(0)` }),
        stat({ title: 'Orphans', about: 'Volumes that no source of truth claims.', width: 3, unit: 'none',
          expr: `sum(plimsoll_volume_state{state="orphaned", ${ROLE}}) or vector(0)`,
          thresholds: steps(PLAIN, [1, LOOK]) }),
        stat({ title: 'Missing', about: 'Volumes that are claimed, but whose directory is gone.', width: 3, unit: 'none',
          expr: `sum(plimsoll_volume_state{state="missing", ${ROLE}}) or vector(0)`, thresholds: NONE_IS_WELL }),
        stat({ title: 'Oldest look', about: 'Age of the snapshot that metrics come from.', width: 3, unit: 's', decimals: 0,
          expr: 'time() - min(plimsoll_snapshot_timestamp_seconds{})', thresholds: steps(PLAIN, [120, LOOK], [600, WRONG]) }),
      ],
      [findings({ width: 24, height: 8, host: false })]),
    row('How full are its disks?',
      [table({
        title: 'Filesystems', about: 'Those that hold a volume or a sandbox. Not explained are used bytes that belong to '
          + 'no measured volume or sandbox: images, caches, logs, deleted files that are still open.',
        width: 24, height: 5,
        keys: [['cluster'], ['job'], ['instance'], ['mount_point', 'Mounted at']],
        columns: [
          { title: 'Type', label: 'fstype', width: 100 },
          { title: 'Device', label: 'device', width: 160 },
          { title: 'Load', unit: 'percentunit', decimals: 0, width: 220, gauge: true, thresholds: LOAD,
            expr: `1 - ${disk('available_bytes')} / (${disk('size_bytes')} > 0)` },
          { title: 'Size', unit: 'bytes', width: 110, expr: disk('size_bytes') },
          { title: 'Available', unit: 'bytes', width: 110, expr: disk('available_bytes') },
          { title: 'Promised', unit: 'bytes', width: 110, expr: disk('promised_bytes') },
          { title: 'Not explained', unit: 'bytes', width: 130, expr: disk('unattributed_bytes') },
          { title: 'Free inodes', unit: 'percentunit', decimals: 0, width: 120,
            expr: `${disk('files_free')} / (${disk('files')} > 0)` },
          { title: 'Full in', unit: 's', decimals: 1, width: 120, thresholds: UNTIL_FULL,
            expr: `${disk('full_timestamp_seconds')} - time()` },
          { expr: `max by (${DISK}, fstype, device) (plimsoll_filesystem_info{})` },
        ],
        sort: 'Load',
      })],
      [
        timeseries({
          title: 'What the used bytes are', about: 'Bytes of all volumes, live sandboxes and finished sandboxes, and what '
            + 'none of them explains. Volumes on filesystems of the network are left out.',
          width: 12, unit: 'bytes', stacked: true, named: ['Not explained'],
          queries: [
            { expr: `sum(plimsoll_volume_used_bytes{${ROLE}} and on (${VOLUME}) `
              + `plimsoll_volume_info{remote="", ${ROLE}})`, legend: 'Volumes' },
            { expr: `sum(plimsoll_sandbox_used_bytes{${FRAMEWORK}})`, legend: 'Live sandboxes' },
            { expr: `sum(plimsoll_finished_sandbox_used_bytes{${FRAMEWORK}})`, legend: 'Finished sandboxes' },
            { expr: 'sum(plimsoll_filesystem_unattributed_bytes{})', legend: 'Not explained' },
          ],
        }),
        timeseries({
          title: 'Load of its filesystems', about: 'Share of each filesystem that ordinary users cannot write to.',
          width: 12, unit: 'percentunit', max: 1,
          queries: [{ expr: `1 - ${disk('available_bytes')} / (${disk('size_bytes')} > 0)`, legend: '{{mount_point}}' }],
        }),
      ]),
    row('Which volumes hold the space, and how near are they to their quota?',
      [table({
        title: 'Volumes', about: 'Every volume of the host. Load is what it holds of its quota; enforcement is what '
          + 'happens past that.',
        width: 24, height: 10,
        keys: [['cluster'], ['job'], ['source'], ['instance'], ['role', 'Role', { width: 165 }],
          ['volume', 'Volume', { width: 150 }], ['disk', 'Disk']],
        columns: [
          { title: 'State', label: 'state', width: 105, values: named(VOLUME_STATES) },
          { title: 'Load', unit: 'percentunit', decimals: 0, width: 160, gauge: true, thresholds: LOAD,
            expr: `${volume('used_bytes')} / (${volume('quota_bytes')} > 0)` },
          { title: 'Used', unit: 'bytes', width: 100, expr: volume('used_bytes') },
          { title: 'Quota', unit: 'bytes', width: 100, expr: volume('quota_bytes') },
          { title: 'Holders', unit: 'none', width: 85, expr: volume('holders') },
          { title: 'Enforcement', label: 'enforcement', width: 120 },
          { title: 'Grows by', unit: 'binBps', width: 110, expr: volume('growth_bytes_per_second') },
          { title: 'Full in', unit: 's', decimals: 1, width: 110, thresholds: UNTIL_FULL,
            expr: `${volume('full_timestamp_seconds')} - time()` },
          { expr: volume('info', ', enforcement') },
          { expr: `${volume('state', ', state')} == 1` },
        ],
        sort: 'Load',
        links: { Volume: OWN_VOLUME_LINK },
      })],
      [
        timeseries({
          title: 'Largest volumes', about: 'Bytes used by the ten volumes that are largest now.', width: 12, unit: 'bytes',
          queries: [{
            expr: largestNow(10, (at) => `max by (role, volume) (plimsoll_volume_used_bytes{${ROLE}}${at})`),
            legend: '{{role}} / {{volume}}',
          }],
        }),
        timeseries({
          title: 'Growth of volumes', none: 'Not enough was seen yet', about: 'Robust rate of growth of the ten volumes that grow fastest now. A volume '
            + 'is shown once enough was seen of it.',
          width: 12, unit: 'binBps', min: null,
          queries: [{
            expr: largestNow(10, (at) =>
              `max by (role, volume) (plimsoll_volume_growth_bytes_per_second{${ROLE}}${at})`),
            legend: '{{role}} / {{volume}}',
          }],
        }),
      ]),
    row('Which sandboxes hold the space?',
      [table({
        title: 'Live sandboxes', about: 'Sandboxes of running containers. Load is what each holds of the disk its tasks '
          + 'asked for.',
        width: 24, height: 9,
        keys: [['cluster'], ['job'], ['source'], ['instance'], ['framework'], ['container'],
          ['executor', 'Executor']],
        columns: [
          { title: 'Framework', label: 'framework_name', width: 220, place: 0 },
          { title: 'Role', label: 'role', width: 180 },
          { title: 'Load', unit: 'percentunit', decimals: 0, width: 220, gauge: true, thresholds: LOAD,
            expr: `${sandbox('used_bytes')} / (${sandbox('quota_bytes')} > 0)` },
          { title: 'Used', unit: 'bytes', width: 110, expr: sandbox('used_bytes') },
          { title: 'Quota', unit: 'bytes', width: 110, expr: sandbox('quota_bytes') },
          { title: 'Files', unit: 'none', width: 90, expr: sandbox('files') },
          { title: 'Enforcement', label: 'enforcement', width: 130 },
          { expr: sandbox('info', ', framework_name, role, enforcement') },
        ],
        sort: 'Load',
      })]),
    row('What did the agent promise, and to whom?',
      [table({
        title: 'Resources of the agent', about: 'What the agent offers by role and kind of reservation, and how much of it '
          + 'running tasks hold. A role of * is unreserved.',
        width: 24, height: 7,
        keys: [['cluster'], ['job'], ['instance'], ['role', 'Role'], ['reservation', 'Reservation', { width: 150 }]],
        columns: [
          ['Disk', 'disk_bytes', 'disk_allocated_bytes', 'bytes'],
          ['Memory', 'memory_bytes', 'memory_allocated_bytes', 'bytes'],
          ['CPUs', 'cpus', 'cpus_allocated', 'none'],
          ['Ports', 'ports', 'ports_allocated', 'none'],
        ].flatMap(([title, all, allocated, unit]) => [
          { title, unit, width: 130, expr: resource(all) },
          { title: `${title} held`, unit, width: 150, expr: resource(allocated) },
        ]),
        sort: 'Disk',
      })]),
  ],
});
