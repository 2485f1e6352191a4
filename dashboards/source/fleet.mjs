import { HOST_LINK, VOLUME_LINK, dashboard, row } from './dashboard.mjs';
import { findings, severity } from './findings.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { OF_PLIMSOLL, ROLE, VOLUME, largestNow } from './query.mjs';
import { LOAD, LOOK, NONE_IS_WELL, PLAIN, UNTIL_FULL, VOLUME_STATES, bound, steps } from './style.mjs';

const HOST = 'cluster, job, instance';
const FULL = `plimsoll_volume_full_timestamp_seconds{source!="other", ${ROLE}}`;
const soonest = `bottomk(20, max by (${VOLUME}) (${FULL}) - time())`;
const volume = (metric) => `max by (${VOLUME}) (plimsoll_volume_${metric}{source!="other", ${ROLE}})`;
// By the findings that are there: cheaper than the counts of all kinds, most of which are 0.
const found = (severities) => `(count by (${HOST}) (plimsoll_finding{severity=~"${severities}"}) `
  + `or 0 * group by (${HOST}) (plimsoll_build_info{}))`;
const DISKS = `max by (${HOST}, mount_point)`;
const disk = (metric) => `${DISKS} (plimsoll_filesystem_${metric}{})`;

// Over hours and ten thousand hosts sums are cheap only where they were made beforehand.
const RECORDED = 'From the recording rules: of all hosts, whatever is chosen as Instance.';
const recorded = (...queries) => queries.map(([expr, legend]) => ({ expr, legend, recorded: true }));

export default dashboard({
  name: 'fleet',
  about: 'All hosts at once: what is wrong now, what fills first, who holds the space.',
  choose: ['role'],
  rows: [
    row('What is wrong now?',
      [
        severity('Critical', 3),
        severity('Warning', 3),
        stat({
          title: 'Hosts watched', about: 'Hosts whose Plimsoll was scraped.', width: 3, unit: 'none',
          expr: 'count(plimsoll_build_info{}) or vector(0)',
        }),
        stat({
          title: 'Hosts silent', about: 'Targets that do not answer Prometheus: nothing is known of them.',
          width: 3, unit: 'none', thresholds: NONE_IS_WELL, expr: `count(up{} == 0 ${OF_PLIMSOLL}) or vector(0)`,
        }),
        stat({
          title: 'Agents down', about: 'Mesos or Clusterd agents whose API does not answer. Their volumes are '
            + 'still known from the checkpoint.', width: 3, unit: 'none', thresholds: NONE_IS_WELL,
          expr: 'count(plimsoll_agent_up{} == 0) or vector(0)',
        }),
        stat({
          title: 'Past quota', about: 'Bytes that volumes and sandboxes hold beyond their quotas, together.',
          width: 3, unit: 'bytes', thresholds: steps(PLAIN, [1, LOOK]),
          expr: '(sum(plimsoll_volume_over_quota_bytes{}) or vector(0)) + '
            + '(sum(plimsoll_sandbox_over_quota_bytes{}) or vector(0))',
        }),
        stat({
          title: 'Orphaned', about: 'Bytes of volumes that no source of truth claims.', width: 3, unit: 'bytes',
          expr: `sum(plimsoll_volume_used_bytes{${ROLE}} and on (${VOLUME}) `
            + `plimsoll_volume_state{state="orphaned", ${ROLE}} == 1) or vector(0)`,
          thresholds: steps(PLAIN, [1, LOOK]),
        }),
        stat({
          title: 'Storage hung', about: 'Filesystems that do not answer within the time-out, network '
            + 'storage among them.', width: 3, unit: 'none', thresholds: NONE_IS_WELL,
          expr: 'count(plimsoll_filesystem_responsive{} == 0 or plimsoll_network_filesystem_responsive{} == 0) '
            + 'or vector(0)',
        }),
      ],
      [findings({ width: 24, height: 10 })]),
    row('What fills first?',
      [table({
        title: 'Volumes that fill first',
        about: 'The 20 volumes that meet their quota or a full filesystem soonest, at the growth seen. A volume '
          + 'is listed only when its history bears the prediction out.',
        width: 24, height: 7,
        keys: [
          ['cluster'], ['job'], ['source'],
          ['instance', 'Host', { width: 180 }], ['role', 'Role', { width: 190 }], ['volume', 'Volume'],
          ['disk', 'Disk', { width: 190 }],
        ],
        columns: [
          { title: 'Full in', unit: 's', decimals: 1, width: 130, thresholds: UNTIL_FULL,
            expr: `${volume('full_timestamp_seconds')} - time()` },
          { title: 'Used', unit: 'bytes', width: 110, expr: volume('used_bytes') },
          { title: 'Free to write', unit: 'bytes', width: 120, expr: volume('available_bytes') },
          { title: 'Grows by', unit: 'binBps', width: 120, expr: volume('growth_bytes_per_second') },
        ],
        only: [VOLUME, soonest],
        sort: 'Full in', ascending: true,
        links: { Host: HOST_LINK, Volume: VOLUME_LINK },
      })],
      [
        table({
          title: 'Fullest volumes', about: 'Bytes used of the quota: the 20 volumes nearest to it or past it.',
          width: 12, height: 9,
          keys: [['cluster'], ['job'], ['source'], ['disk'], ['instance', 'Host', { width: 190 }], ['role', 'Role'],
            ['volume', 'Volume']],
          columns: [{ title: 'Load', unit: 'percentunit', decimals: 0, width: 180, gauge: true, thresholds: LOAD,
            expr: `topk(20, ${volume('used_bytes')} / (${volume('quota_bytes')} > 0))` }],
          sort: 'Load', links: { Host: HOST_LINK, Volume: VOLUME_LINK },
        }),
        table({
          title: 'Fullest filesystems', about: 'Share of each filesystem that ordinary users cannot write to: the 20 '
            + 'fullest of those that hold volumes or sandboxes.',
          width: 12, height: 9,
          keys: [['cluster'], ['job'], ['instance', 'Host', { width: 190 }], ['mount_point', 'Mounted at']],
          columns: [{ title: 'Load', unit: 'percentunit', decimals: 0, width: 180, gauge: true, thresholds: LOAD,
            expr: `topk(20, 1 - ${disk('available_bytes')} / (${disk('size_bytes')} > 0))` }],
          sort: 'Load', links: { Host: HOST_LINK },
        }),
      ]),
    row('How much is there, who holds it, and what is promised?',
      [
        timeseries({
          title: 'Volumes against what they may hold',
          about: `Bytes all volumes hold, and the sum of their quotas. Volumes without a quota count only as used. ${RECORDED}`,
          width: 12, unit: 'bytes', named: ['Used'], bounds: [bound('Quota')],
          queries: recorded(
            [`sum(job_role:plimsoll_volume_used_bytes:sum{${ROLE}})`, 'Used'],
            [`sum(job_role:plimsoll_volume_quota_bytes:sum{${ROLE}})`, 'Quota'],
          ),
        }),
        timeseries({
          title: 'Filesystems against what is promised',
          about: 'Size of all local filesystems that hold volumes or sandboxes, what is used of them, and what '
            + `agents have promised to tenants. Promised above the size is overcommitted. ${RECORDED}`,
          width: 12, unit: 'bytes', named: ['Used', 'Promised'], bounds: [bound('Size')],
          queries: recorded(
            ['sum(job:plimsoll_filesystem_size_bytes:sum{} - job:plimsoll_filesystem_available_bytes:sum{})', 'Used'],
            ['sum(job:plimsoll_filesystem_promised_bytes:sum{})', 'Promised'],
            ['sum(job:plimsoll_filesystem_size_bytes:sum{})', 'Size'],
          ),
        }),
      ],
      [
        timeseries({
          title: 'Bytes by role', about: `Bytes the volumes of a role hold: the ten largest roles of this moment. ${RECORDED}`,
          width: 12, unit: 'bytes', stacked: true,
          queries: recorded([
            largestNow(10, (at) => `sum by (role) (job_role:plimsoll_volume_used_bytes:sum{${ROLE}}${at})`), '{{role}}',
          ]),
        }),
        timeseries({
          title: 'Volumes by state',
          about: 'How many volumes are in use, idle (known, without a holder), unowned (their role has no framework '
            + `left), orphaned (nothing claims them), missing (claimed, but gone) or not known. ${RECORDED}`,
          width: 12, unit: 'none', decimals: 0, stacked: true, named: Object.values(VOLUME_STATES),
          queries: recorded(...Object.entries(VOLUME_STATES).map(([state, legend]) =>
            [`sum(job_state:plimsoll_volume_state:sum{state="${state}"})`, legend])),
        }),
      ]),
    row('Which host needs a look?',
      [table({
        title: 'Hosts', about: 'The 100 hosts with the most critical findings and warnings, and how full each is.',
        width: 24, height: 7,
        keys: [['cluster', 'Cluster', { width: 140 }], ['job', 'Job', { width: 140 }], ['instance', 'Host']],
        columns: [
          { title: 'Critical', unit: 'none', width: 100, thresholds: NONE_IS_WELL,
            expr: found('critical') },
          { title: 'Warning', unit: 'none', width: 100, thresholds: steps(PLAIN, [1, LOOK]),
            expr: found('warning') },
          { title: 'Volumes', unit: 'none', width: 100, expr: `count by (${HOST}) (plimsoll_volume_info{source!="other"})` },
          { title: 'Sandboxes', unit: 'none', width: 110, expr: `count by (${HOST}) (plimsoll_sandbox_info{source!="other"})` },
          { title: 'Held by volumes', unit: 'bytes', width: 140, expr: `sum by (${HOST}) (plimsoll_volume_used_bytes{})` },
          { title: 'Fullest filesystem', unit: 'percentunit', decimals: 0, width: 200, gauge: true, thresholds: LOAD,
            expr: `max by (${HOST}) (1 - plimsoll_filesystem_available_bytes{} / (plimsoll_filesystem_size_bytes{} > 0))` },
          { title: 'Oldest look', unit: 's', decimals: 0, width: 120,
            expr: `time() - min by (${HOST}) (plimsoll_snapshot_timestamp_seconds{})` },
        ],
        only: [HOST, `topk(100, ${found('critical|warning')})`],
        sort: 'Critical',
        links: { Host: HOST_LINK },
      })]),
  ],
});
