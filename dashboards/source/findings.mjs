// Findings: the same numbers and the same list on several dashboards.

import { stat, table } from './panel.mjs';
import { HOST_LINK } from './dashboard.mjs';
import { withName } from './query.mjs';
import { COLOURS, LOOK, NONE_IS_WELL, NONE_IS_WELL_MILD, steps } from './style.mjs';

const SEVERITIES = { 3: 'critical', 2: 'warning', 1: 'info' };

/** How many findings of a severity there are. */
export const severity = (name, width) =>
  stat({
    title: name,
    about: `Active findings of severity ${name.toLowerCase()}. Each stands in the list beside.`,
    width,
    expr: `count(plimsoll_finding{severity="${name.toLowerCase()}"}) or vector(0)`,
    unit: 'none',
    thresholds: name === 'Critical' ? NONE_IS_WELL : name === 'Warning' ? NONE_IS_WELL_MILD : undefined,
  });

// The labels that name a subject, in one; those that do not apply are empty.
const SUBJECT = ['role', 'volume', 'disk', 'framework', 'who', 'mount_point', 'server', 'export', 'reservation', 'collector', 'subject'];
const ranked = Object.entries(SEVERITIES)
  .map(([rank, name]) => `${rank} * plimsoll_finding{severity="${name}"}`)
  .join(' or ');
const joined = `label_join(${withName(`topk(100, ${ranked})`)}, "what", " ", ${SUBJECT.map((label) => `"${label}"`).join(', ')})`;
const named = `label_replace(${joined}, "what", "$1", "what", " *(.*?) *")`;

/** The list of findings, the gravest first. `host` shows which host each is on. */
export const findings = ({ width, height, host = true }) =>
  table({
    title: 'Findings',
    about: 'What needs a person, the gravest first, at most 100. docs/runbook.md has a section on each kind: '
      + 'what it means, how to check it, what to do.',
    width,
    height,
    keys: [
      ['cluster'], ['job'], ['container'],
      ['kind', 'Kind', { width: 260 }],
      ['instance', host && 'Host', { width: 200 }],
      ['what', 'Subject'],
    ],
    columns: [{
      title: 'Severity',
      place: 0,
      width: 100,
      align: 'left',
      unit: 'none',
      expr: `max by (cluster, job, instance, kind, container, what) (${named})`,
      thresholds: steps(COLOURS.Info, [2, LOOK], [3, COLOURS.Critical]),
      values: Object.fromEntries(Object.entries(SEVERITIES).map(([rank, text], index) => [
        rank, { text, index, color: [COLOURS.Info, LOOK, COLOURS.Critical][Number(rank) - 1] },
      ])),
    }],
    sort: 'Severity',
    links: host ? { Host: HOST_LINK } : {},
  });
