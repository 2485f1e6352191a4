import { HOST_LINK, VOLUME_LINK, dashboard, row } from './dashboard.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { FRAMEWORK, ROLE, VOLUME } from './query.mjs';
import { FINISHED_STATES, LOOK, PLAIN, VOLUME_STATES, named, steps } from './style.mjs';

const used = (state) =>
  `sum(plimsoll_volume_used_bytes{source!="other", ${ROLE}} and on (${VOLUME}) `
  + `plimsoll_volume_state{state="${state}", ${ROLE}} == 1)`;
const finished = (state) => `sum(plimsoll_finished_sandbox_used_bytes{state="${state}", ${FRAMEWORK}})`;
const bytes = (title, about, expr) =>
  stat({ title, about, width: 4, unit: 'bytes', thresholds: steps(PLAIN, [1, LOOK]), expr: `${expr} or vector(0)` });
const volume = (metric, more = '') => `max by (${VOLUME}${more}) (plimsoll_volume_${metric}{source!="other", ${ROLE}})`;
const age = (metric) => `time() - ${volume(metric)}`;
const of = (states) => [VOLUME, `plimsoll_volume_state{state=~"${states}", ${ROLE}} == 1`];
const KEYS = [['cluster'], ['job'], ['source'], ['instance', 'Host', { width: 180 }], ['role', 'Role', { width: 180 }],
  ['volume', 'Volume'], ['disk', 'Disk', { width: 200 }]];
const LINKS = { Host: HOST_LINK, Volume: VOLUME_LINK };
const STATE = { title: 'State', label: 'state', width: 105, values: named(VOLUME_STATES) };
const GROUP = 'cluster, job, instance, framework, state';

export default dashboard({
  name: 'reclaim',
  about: 'Data that nobody claims or uses: how much of it, where, since when, and what would free it. Plimsoll deletes nothing.',
  choose: ['role', 'framework'],
  rows: [
    row('How much could be freed?',
      [
        bytes('Orphaned', 'Bytes of volumes that no source of truth claims. Nothing will ever remove them.', used('orphaned')),
        bytes('Unowned', 'Bytes of volumes that are claimed, but whose role no registered framework uses.', used('unowned')),
        bytes('Leaked', 'Bytes of sandboxes below the present agent id that neither API nor checkpoint know: the agent will '
          + 'never remove them.', finished('leaked')),
        bytes('Abandoned', 'Bytes of sandboxes below a former agent id.', finished('abandoned')),
        stat({ title: 'Awaiting removal', about: 'Bytes of finished sandboxes that wait for the agent\'s garbage collection.', width: 4,
          unit: 'bytes', expr: `${finished('awaiting_gc')} or vector(0)` }),
        stat({ title: 'Idle', about: 'Bytes of volumes that are known and have no holder.', width: 4, unit: 'bytes',
          expr: `${used('idle')} or vector(0)` }),
      ],
      [
        timeseries({
          title: 'Volumes without a user', about: 'Bytes of volumes that nobody holds, by state.', width: 12, unit: 'bytes', stacked: true,
          named: ['Idle', 'Unowned', 'Orphaned'],
          queries: ['idle', 'unowned', 'orphaned'].map((state) => ({ expr: used(state), legend: VOLUME_STATES[state] })),
        }),
        timeseries({
          title: 'Sandboxes of runs that are over', about: 'Bytes of finished sandboxes, by what will become of them.', width: 12,
          unit: 'bytes', stacked: true, named: ['Awaiting removal', 'Abandoned', 'Leaked', 'Exited'],
          queries: ['awaiting_gc', 'abandoned', 'leaked', 'exited'].map((state) => ({
            expr: finished(state), legend: FINISHED_STATES[state],
          })),
        }),
      ]),
    row('Which data does nobody claim?',
      [table({
        title: 'Orphaned and unowned volumes', about: 'Before anything is removed: who wrote last, is it mounted, does a process '
          + 'hold files open? `plimsoll orphans` on the host gives the exact call that takes a volume back or drops it.',
        width: 24, height: 8, keys: KEYS,
        columns: [
          STATE,
          { title: 'Used', unit: 'bytes', width: 110, expr: volume('used_bytes') },
          { title: 'Made', unit: 's', decimals: 1, width: 120, expr: age('created_timestamp_seconds') },
          { title: 'Last changed', unit: 's', decimals: 1, width: 120, expr: age('newest_change_timestamp_seconds') },
          { title: 'Mounts', unit: 'none', width: 90, expr: volume('mounts'), thresholds: steps(PLAIN, [1, LOOK]) },
          { title: 'Open files', unit: 'none', width: 100, expr: volume('open_files'), thresholds: steps(PLAIN, [1, LOOK]) },
          { expr: `${volume('state', ', state')} == 1` },
        ],
        only: of('orphaned|unowned'), sort: 'Used', links: LINKS,
      })]),
    row('Which volumes does nobody use?',
      [table({
        title: 'Idle and missing volumes', about: 'Volumes that are claimed, but have no holder, and those whose directory is gone.',
        width: 24, height: 8, keys: KEYS,
        columns: [
          STATE,
          { title: 'Used', unit: 'bytes', width: 110, expr: volume('used_bytes') },
          { title: 'Quota', unit: 'bytes', width: 110, expr: volume('quota_bytes') },
          { title: 'Last changed', unit: 's', decimals: 1, width: 120, expr: age('newest_change_timestamp_seconds') },
          { title: 'Last held', unit: 's', decimals: 1, width: 120, expr: age('last_used_timestamp_seconds') },
          { title: 'Unused for', unit: 's', decimals: 1, width: 120, expr: age('unused_since_timestamp_seconds') },
          { expr: `${volume('state', ', state')} == 1` },
        ],
        only: of('idle|missing'), sort: 'Used', links: LINKS,
      })]),
    row('What waits for the agent, and what will it never remove?',
      [
        table({
          title: 'Finished sandboxes', about: 'Sandboxes of runs that are over, by framework. Awaiting removal: the agent will. '
            + 'Leaked and abandoned: it will not.',
          width: 16, height: 8,
          keys: [['cluster'], ['job'], ['instance', 'Host', { width: 180 }], ['framework', 'Framework'],
            ['state', 'State', { width: 150, values: named(FINISHED_STATES) }]],
          columns: [
            { title: 'Sandboxes', unit: 'none', width: 110, expr: `max by (${GROUP}) (plimsoll_finished_sandboxes{${FRAMEWORK}})` },
            { title: 'Used', unit: 'bytes', width: 110,
              expr: `max by (${GROUP}) (plimsoll_finished_sandbox_used_bytes{${FRAMEWORK}})` },
            { title: 'Not measured', unit: 'none', width: 120,
              expr: `max by (${GROUP}) (plimsoll_finished_sandboxes_unmeasured{${FRAMEWORK}})` },
          ],
          only: [GROUP, `plimsoll_finished_sandboxes{${FRAMEWORK}} > 0`], sort: 'Used', links: { Host: HOST_LINK },
        }),
        timeseries({
          title: 'Age at which the agent removes', about: 'How long a finished sandbox stays at the present use of the agent\'s '
            + 'disk: the fuller the disk, the shorter. The ten shortest now.',
          width: 8, height: 8, unit: 's',
          queries: [{ expr: 'min by (instance) (plimsoll_gc_delay_seconds{}) and bottomk(10, min by (instance) '
            + '(plimsoll_gc_delay_seconds{} @ end()))', legend: '{{instance}}' }],
        }),
      ]),
  ],
});
