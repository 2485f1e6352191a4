import { HOST_LINK, dashboard, row } from './dashboard.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { OF_PLIMSOLL, largestNow } from './query.mjs';
import { LOOK, NONE_IS_WELL, NONE_IS_WELL_MILD, PLAIN, WELL, WRONG, steps } from './style.mjs';

const WINDOW = '[$__rate_interval]';
const COLLECTOR = 'cluster, job, instance, collector';
const top = (metric, { by = 'instance', agg = 'sum' } = {}) => [{
  expr: largestNow(10, (at) => `${agg} by (${by}) (${metric.replace('@', at)})`),
  legend: by.split(', ').map((label) => `{{${label}}}`).join(', '),
}];
const perSecond = (metric, more) => top(`rate(${metric}{}${WINDOW}@)`, more);
const now = (metric, more) => top(`${metric}{}@`, more);

export default dashboard({
  name: 'self',
  about: 'Plimsoll itself: does it see everything, how old and how exact are its values, and what does it cost?',
  rows: [
    row('Does it see everything?',
      [
        stat({ title: 'Silent', about: 'Targets that do not answer Prometheus.', width: 4, unit: 'none', thresholds: NONE_IS_WELL,
          expr: `count(up{} == 0 ${OF_PLIMSOLL}) or vector(0)` }),
        stat({ title: 'Sources unreadable', about: 'Collectors that could not read what they should in their last run.', width: 4,
          unit: 'none', thresholds: NONE_IS_WELL, expr: 'count(plimsoll_collector_success{} == 0) or vector(0)' }),
        stat({ title: 'Disagreements', about: 'Subjects on which two sources of truth do not agree; /api/v1/disagreements lists them.',
          width: 4, unit: 'none', thresholds: NONE_IS_WELL_MILD, expr: 'sum(plimsoll_disagreements{})' }),
        stat({ title: 'Series dropped', about: 'Series folded into subjects called other because metrics.max_series was reached.',
          width: 4, unit: 'none', thresholds: NONE_IS_WELL_MILD, expr: 'sum(plimsoll_series_dropped{})' }),
        stat({ title: 'Versions', about: 'Different builds of Plimsoll among the hosts.', width: 4, unit: 'none',
          thresholds: steps(PLAIN, [2, LOOK]), expr: 'count(count by (version, revision) (plimsoll_build_info{}))' }),
        stat({ title: 'Longest scrape', about: 'Seconds the slowest host took to answer Prometheus.', width: 4, unit: 's',
          thresholds: steps(PLAIN, [1, LOOK], [5, WRONG]), expr: `max(scrape_duration_seconds{} ${OF_PLIMSOLL})` }),
      ],
      [
        table({ title: 'Collectors', about: 'Whether each collector read what it should in its last run, and how long that took.',
          width: 14, height: 9,
          keys: [['cluster'], ['job'], ['instance', 'Host', { width: 200 }], ['collector', 'Collector']],
          columns: [
            { title: 'Works', unit: 'none', width: 90, expr: `min by (${COLLECTOR}) (plimsoll_collector_success{})`,
              thresholds: steps(WRONG, [1, WELL]),
              values: { 0: { text: 'no', index: 0, color: WRONG }, 1: { text: 'yes', index: 1, color: WELL } } },
            { title: 'Took', unit: 's', width: 100, expr: `max by (${COLLECTOR}) (plimsoll_collector_duration_seconds{})` },
            { title: 'Errors', unit: 'none', width: 90, expr: `sum by (${COLLECTOR}) (increase(plimsoll_source_errors_total{}[$__range]))`,
              decimals: 0, thresholds: steps(PLAIN, [1, LOOK]) },
          ],
          sort: 'Errors', links: { Host: HOST_LINK } }),
        timeseries({ title: 'Errors by reason', none: 'No errors', about: 'Things that could not be read, a second, by collector and reason.', width: 10,
          height: 9, unit: 'cps', queries: perSecond('plimsoll_source_errors_total', { by: 'collector, reason' }) }),
      ]),
    row('How old are its values?',
      [
        timeseries({ title: 'Age of the snapshot', about: 'Seconds since the snapshot was made that metrics come from: the ten oldest now.',
          width: 8, unit: 's', queries: [{ legend: '{{instance}}',
            expr: 'time() - min by (instance) (plimsoll_snapshot_timestamp_seconds{}) and bottomk(10, min by (instance) '
              + '(plimsoll_snapshot_timestamp_seconds{} @ end()))' }] }),
        timeseries({ title: 'Overdue', soft: 60, about: 'By how much the most overdue subject is past the greatest age asked for (usage.max_age).',
          width: 8, unit: 's', queries: now('plimsoll_usage_debt_seconds', { agg: 'max' }) }),
        timeseries({ title: 'Waiting to be measured', soft: 1, about: 'Subjects that wait to be measured.', width: 8, unit: 'none',
          queries: now('plimsoll_usage_pending_subjects') }),
      ]),
    row('How exact are they?',
      [
        timeseries({ title: 'Measurements by outcome', about: 'Measurements of one subject, a second: full passes, incremental ones, and '
          + 'the reasons of those that failed.', width: 12, unit: 'cps', stacked: true,
          queries: perSecond('plimsoll_usage_passes_total', { by: 'outcome' }) }),
        timeseries({ title: 'Error bounds that were too small', none: 'None was checked yet', about: 'Share of full passes that found the value before them further '
          + 'off than its published bound.', width: 12, unit: 'percentunit', queries: [{ legend: '{{instance}}',
            expr: `sum by (instance) (rate(plimsoll_usage_bound_exceeded_total{}${WINDOW})) / `
              + `(sum by (instance) (rate(plimsoll_usage_bound_checked_total{}${WINDOW})) > 0)` }] }),
      ]),
    row('What does it cost?',
      [
        timeseries({ title: 'CPU', about: 'Cores the daemon uses, measuring included: the ten largest now.', width: 8, unit: 'none',
          queries: top(`rate(process_cpu_seconds_total{}${WINDOW}@) ${OF_PLIMSOLL}`) }),
        timeseries({ title: 'CPU for measuring', about: 'Cores spent on measuring usage, which usage.cpu_budget bounds.', width: 8,
          unit: 'none', queries: perSecond('plimsoll_usage_cpu_seconds_total') }),
        timeseries({ title: 'Memory', about: 'Resident memory of the daemon: the ten largest now.', width: 8, unit: 'bytes',
          queries: top(`process_resident_memory_bytes{}@ ${OF_PLIMSOLL}`) }),
      ],
      [
        timeseries({ title: 'Inodes looked at', about: 'Inodes a second looked at while measuring.', width: 8, unit: 'cps',
          queries: perSecond('plimsoll_usage_inodes_total') }),
        timeseries({ title: 'Steps aside', about: '1 while measuring waits because tasks of the host wait for I/O (usage.io_pressure).',
          width: 8, unit: 'none', decimals: 0, max: 1, queries: now('plimsoll_usage_throttled', { agg: 'max' }) }),
        timeseries({ title: 'Samples a scrape', about: 'Samples Prometheus takes from a host at each scrape: the ten largest now.', width: 8,
          unit: 'none', queries: top(`scrape_samples_scraped{}@ ${OF_PLIMSOLL}`) }),
      ]),
  ],
});
