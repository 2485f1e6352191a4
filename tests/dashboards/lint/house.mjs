// Rules of our own: metrics and labels exist, rows are questions, a thing has one colour.

import { panelsOf } from './linter.mjs';
import { overlaps } from './layout.mjs';
import { groupings, selectors } from './promql.mjs';

const legendLabels = (format) => [...(format ?? '').matchAll(/\{\{\s*(\w+)\s*\}\}/g)].map(([, label]) => label);

/** Metrics and labels that are not there. `catalogue` has the labels of each metric. */
function* unknown(expr, catalogue) {
  for (const { name, matchers } of selectors(expr)) {
    const labels = catalogue.get(name);
    if (!labels) {
      yield `there is no metric ${name}`;
      continue;
    }
    for (const { label } of matchers) if (!labels.has(label)) yield `${name} has no label ${label}`;
  }
  for (const { labels, metrics, made } of groupings(expr)) {
    for (const label of labels) {
      const there = made.includes(label) || metrics.some((metric) => catalogue.get(metric)?.has(label));
      if (!there) yield `none of ${metrics.join(', ')} has the label ${label}`;
    }
  }
}

/** The same of one expression with its legend, nothing where it does not parse: another rule tells that. */
function ofTarget({ expr, legendFormat }, catalogue) {
  try {
    const known = new Set(selectors(expr).flatMap(({ name }) => [...(catalogue.get(name) ?? [])]));
    const strangers = legendLabels(legendFormat).filter((label) => !known.has(label) && !expr.includes(`"${label}", "$1"`));
    return [...unknown(expr, catalogue), ...strangers.map((label) => `its legend names the label ${label}`)];
  } catch {
    return [];
  }
}

export const RULES = {
  * 'metrics exist'(dashboard, { catalogue }) {
    for (const panel of panelsOf(dashboard)) {
      for (const target of panel.targets ?? []) {
        for (const what of ofTarget(target, catalogue)) yield `${panel.title}: ${what}`;
      }
    }
    for (const { name, type, query } of dashboard.templating.list) {
      if (type !== 'query') continue;
      const [, expr, label] = /^\w+\((.+?)(?:,\s*(\w+))?\)$/.exec(query.query) ?? [];
      const legendFormat = label && `{{${label}}}`;
      for (const what of ofTarget({ expr: expr ?? '', legendFormat }, catalogue)) yield `variable ${name}: ${what}`;
    }
  },
  * 'every panel explains itself'(dashboard) {
    for (const panel of panelsOf(dashboard)) {
      if (panel.type === 'row') continue;
      if (!panel.title || !panel.description) yield `panel ${panel.id} has no title or no description`;
      if (!panel.description?.endsWith('.')) yield `${panel.title}: its description is no sentence`;
      if (!panel.fieldConfig.defaults.unit) yield `${panel.title}: no unit`;
    }
  },
  * 'titles are told apart'(dashboard) {
    const titles = panelsOf(dashboard).map(({ title }) => title);
    for (const title of new Set(titles.filter((one, index) => titles.indexOf(one) !== index))) yield `two panels are called ${title}`;
  },
  * 'rows are questions'({ panels }) {
    const rows = panels.filter(({ type }) => type === 'row');
    if (panels[0]?.type !== 'row') yield 'its first panel stands under no question';
    for (const { title } of rows) if (!title.endsWith('?')) yield `${title}: is no question`;
  },
  * 'panels lie side by side'(dashboard) {
    yield* overlaps(dashboard);
  },
  * 'variables are used'(dashboard) {
    const names = dashboard.templating.list.map(({ name }) => name);
    for (const name of ['datasource', 'cluster', 'job', 'instance']) if (!names.includes(name)) yield `it has no variable ${name}`;
    const text = JSON.stringify(dashboard.panels.map(({ targets }) => targets)) + JSON.stringify(dashboard.templating.list.map(({ query }) => query));
    for (const name of names) if (!text.includes(`$${name}`) && !text.includes(`\${${name}}`) && name !== 'datasource') yield `nothing uses the variable ${name}`;
    for (const [, name] of text.matchAll(/\$\{?(\w+)/g)) {
      if (!names.includes(name) && !name.startsWith('__') && !/^\d/.test(name)) yield `there is no variable ${name}`;
    }
  },
  * 'links lead somewhere'(dashboard, { uids }) {
    const text = JSON.stringify(dashboard);
    for (const [, uid] of text.matchAll(/\/d\/([\w-]+)/g)) if (!uids.includes(uid)) yield `a link leads to ${uid}`;
    for (const panel of panelsOf(dashboard)) {
      const columns = Object.values(panel.transformations?.find(({ id }) => id === 'organize')?.options.renameByName ?? {});
      for (const [, column] of JSON.stringify(panel).matchAll(/__data\.fields\[\\\\?\\"(.+?)\\\\?\\"\]/g)) {
        if (!columns.includes(column)) yield `${panel.title}: a link names the column ${column}`;
      }
    }
    if (dashboard.links.length !== uids.length - 1) yield 'it does not link to every other dashboard';
  },
};

/** Colour of each named series, and where: `[name, colour, place]`. */
function* colours(dashboard) {
  for (const panel of panelsOf(dashboard)) {
    for (const { matcher, properties } of panel.fieldConfig?.overrides ?? []) {
      for (const { id, value } of properties) {
        if (id === 'color' && value.mode === 'fixed') yield [matcher.options, value.fixedColor, `${dashboard.title}, ${panel.title}`];
        if (id === 'mappings') {
          for (const { options } of value) for (const { text, color } of Object.values(options)) yield [text, color, `${dashboard.title}, ${panel.title}`];
        }
      }
    }
  }
}

/** A name that has two colours, over all dashboards. */
export function colourProblems(dashboards) {
  const first = new Map();
  const found = [];
  for (const [name, colour, place] of dashboards.flatMap((dashboard) => [...colours(dashboard)])) {
    const key = name.toLowerCase();
    const known = first.get(key) ?? [colour, place];
    first.set(key, known);
    if (known[0] !== colour) found.push(`${name} is ${colour} in ${place}, and ${known[0]} in ${known[1]}`);
  }
  return found;
}

export function houseProblems(dashboard, context) {
  return Object.entries(RULES).flatMap(([rule, look]) =>
    [...look(dashboard, context)].map((message) => ({ rule, text: `${rule}: ${dashboard.title}: ${message}` })));
}
