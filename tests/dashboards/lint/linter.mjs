// The rules of grafana/dashboard-linter (commit 4d0844b), written anew. A rule takes a dashboard and
// yields `{ panel, target, message }`; what it does not look at, as there, is not looked at here.

import { UNITS } from './units.mjs';
import { RATE_INTERVAL, selectors } from './promql.mjs';

const variable = ({ templating }, name) => templating.list.find((one) => one.name === name);
const uid = ({ datasource }) => (typeof datasource === 'string' ? datasource : datasource?.uid);
const DRAWN = ['stat', 'singlestat', 'graph', 'table', 'timeseries', 'gauge'];

/** All panels, those in rows too. */
export const panelsOf = ({ panels }) => panels.flatMap((panel) => [panel, ...panelsOf({ panels: panel.panels ?? [] })]);

function* targetsOf(dashboard) {
  for (const panel of panelsOf(dashboard)) {
    for (const [target, { expr }] of (panel.targets ?? []).entries()) yield { panel, target, expr };
  }
}

/** Parsed selectors; an expression that does not parse is another rule's. */
function parsed(expr) {
  try {
    return selectors(expr);
  } catch {
    return [];
  }
}

function* template(dashboard, name) {
  const found = variable(dashboard, name);
  const label = name[0].toUpperCase() + name.slice(1);
  if (!found) return yield { message: `is missing the ${name} template` };
  if (!['$datasource', '${datasource}'].includes(uid(found))) yield { message: `${name} does not use the templated datasource` };
  if (found.type !== 'query') yield { message: `${name} is no Prometheus query` };
  if (found.label !== label) yield { message: `${name} is labelled ${found.label}, not ${label}` };
  if (!found.multi) yield { message: `${name} is no multi select` };
  if (found.allValue !== '.+') yield { message: `the allValue of ${name} is ${found.allValue}, not .+` };
}

function* matcher(dashboard, label) {
  for (const { panel, target, expr } of targetsOf(dashboard)) {
    for (const { name, matchers } of parsed(expr)) {
      const bound = matchers.some((one) => one.label === label && one.type === '=~' && one.value === `$${label}`);
      if (!bound) yield { panel, target, message: `${name} is not bound to ${label}=~"$${label}"` };
    }
  }
}

export const RULES = {
  * 'template-datasource-rule'({ templating }) {
    const found = templating.list.filter(({ type }) => type === 'datasource');
    if (found.length === 0) yield { message: 'does not have a templated data source' };
    for (const { name, label, query } of found) {
      const alone = found.length === 1;
      if (name !== `${query}_datasource` && !(alone && name === 'datasource')) yield { message: `its data source is named ${name}` };
      const usual = `${query[0].toUpperCase()}${query.slice(1)} data source`;
      if (label !== usual && !(alone && label === 'Data source')) yield { message: `its data source is labelled ${label}` };
    }
  },
  'template-job-rule': (dashboard) => template(dashboard, 'job'),
  'template-instance-rule': (dashboard) => template(dashboard, 'instance'),
  * 'template-label-promql-rule'({ templating }) {
    for (const { name, type, query } of templating.list) {
      if (type !== 'query') continue;
      const text = typeof query === 'string' ? query : query.query;
      const [, call, argument] = /^([a-z_]+)\((.+)\)$/.exec(text) ?? [];
      if (!['label_names', 'label_values', 'metrics', 'query_result'].includes(call)) {
        yield { message: `${name} calls no function of the data source: ${text}` };
        continue;
      }
      try {
        // The last argument of label_values is the label.
        selectors(call === 'label_values' ? argument.replace(/,\s*\w+$/, '') : argument);
      } catch (error) {
        yield { message: `${name}: ${error.message}` };
      }
    }
  },
  * 'template-on-time-change-reload-rule'({ templating }) {
    for (const { name, type, refresh } of templating.list) {
      if (type === 'query' && refresh !== 2) yield { message: `${name} is not read again when the time range changes` };
    }
  },
  * 'panel-datasource-rule'(dashboard) {
    const known = dashboard.templating.list.filter(({ type }) => type === 'datasource')
      .flatMap(({ name }) => [`$${name}`, `\${${name}}`]);
    for (const panel of panelsOf(dashboard)) {
      if (!['singlestat', 'graph', 'table', 'timeseries'].includes(panel.type)) continue;
      if (!known.includes(uid(panel))) yield { panel, message: `uses the data source ${uid(panel)}` };
    }
  },
  * 'panel-title-description-rule'(dashboard) {
    for (const panel of panelsOf(dashboard)) {
      if (DRAWN.includes(panel.type) && !(panel.title && panel.description)) yield { panel, message: 'has no title or no description' };
    }
  },
  * 'panel-units-rule'(dashboard) {
    for (const panel of panelsOf(dashboard)) {
      if (!DRAWN.includes(panel.type)) continue;
      if (panel.type === 'stat' && panel.options?.reduceOptions?.fields) continue;
      const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
      const set = (id) => overrides.flatMap(({ properties }) => properties).filter((one) => one.id === id).map(({ value }) => value);
      if (defaults.mappings || set('mappings').some(Boolean)) continue;
      // The last override decides, as in the linter; here all of them have to be known.
      const units = [...set('unit'), defaults.unit].filter(Boolean);
      if (units.length === 0) yield { panel, message: 'has no unit' };
      for (const unit of units) if (!UNITS.has(unit)) yield { panel, message: `has the unknown unit ${unit}` };
    }
  },
  * 'panel-no-targets-rule'(dashboard) {
    for (const panel of panelsOf(dashboard)) if (DRAWN.includes(panel.type) && !panel.targets) yield { panel, message: 'has no targets' };
  },
  // Both rules of LogQL look at targets of Loki only. There are none: one that came would be refused.
  * 'target-logql-rule'(dashboard) {
    for (const panel of panelsOf(dashboard)) {
      for (const [target, one] of (panel.targets ?? []).entries()) {
        if (one.datasource?.type === 'loki') yield { panel, target, message: 'asks Loki, whose queries are not checked here' };
      }
    }
  },
  * 'target-logql-auto-rule'({ templating }) {
    if (templating.list.some(({ type, query }) => type === 'datasource' && query === 'loki')) {
      yield { message: 'has a data source for Loki, whose queries are not checked here' };
    }
  },
  * 'target-promql-rule'(dashboard) {
    for (const { panel, target, expr } of targetsOf(dashboard)) {
      try {
        selectors(expr ?? '');
      } catch (error) {
        yield { panel, target, message: error.message };
      }
    }
  },
  * 'target-rate-interval-rule'(dashboard) {
    for (const { panel, target, expr } of targetsOf(dashboard)) {
      for (const { name, range, within } of parsed(expr)) {
        const rate = ['rate', 'irate'].includes(within[0]);
        if (rate && range !== RATE_INTERVAL) yield { panel, target, message: `${name}: a rate over ${range}, not $__rate_interval` };
      }
    }
  },
  'target-job-rule': (dashboard) => matcher(dashboard, 'job'),
  'target-instance-rule': (dashboard) => matcher(dashboard, 'instance'),
  * 'target-counter-agg-rule'(dashboard) {
    for (const { panel, target, expr } of targetsOf(dashboard)) {
      for (const { name, range, within } of parsed(expr)) {
        if (!name?.endsWith('_total')) continue;
        const counted = range && ['rate', 'irate', 'increase'].includes(within[0]);
        if (!counted) yield { panel, target, message: `the counter ${name} is not in rate, irate or increase` };
      }
    }
  },
  * 'uneditable-dashboard'({ editable }) {
    if (editable) yield { message: 'is editable' };
  },
};

/** An exception of the `.lint` file: what it does not name, it allows. */
const allows = (entry, dashboard, { panel, target }) =>
  (!entry.dashboard || entry.dashboard === dashboard.title)
  && (!entry.panel || entry.panel === panel?.title)
  && (entry.targetIdx === undefined || String(entry.targetIdx) === String(target));

/** What the rules find, without what `exceptions` (the parsed `.lint`) allows; `used` takes down which were needed. */
export function lint(dashboard, exceptions = {}, used = new Set()) {
  const found = [];
  for (const [rule, look] of Object.entries(RULES)) {
    for (const one of look(dashboard)) {
      const exception = exceptions[rule]?.entries?.find((entry) => allows(entry, dashboard, one));
      if (exception) used.add(exception);
      else found.push({ rule, ...one, text: `${rule}: ${[dashboard.title, one.panel?.title].filter(Boolean).join(', ')}: ${one.message}` });
    }
  }
  return found;
}
