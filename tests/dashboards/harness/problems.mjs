// What is wrong with a dashboard that was shown.

import { overlaps } from '../lint/layout.mjs';

// A group of label_replace's regular expression is no variable.
const UNRESOLVED = /\$(?!\d\b)|\[\[\w+\]\]/;

/**
 * Sentences, none when all is well. `mayBeEmpty` has the panels for which the scene has no data: by
 * title `true`, or the names of the series or columns that are not there. `expected` has the texts
 * that panels must show.
 */
export function problems(dashboard, report, { mayBeEmpty = {}, expected = {} } = {}) {
  const found = [
    ...report.errors.map((error) => `page: ${error}`),
    ...report.thrown.map((error) => `page: ${error}`),
    ...report.outside.map((url) => `page: asked another host for ${url}`),
    ...overlaps(dashboard),
  ];
  for (const panel of report.panels) {
    const source = dashboard.panels.find(({ id }) => panel.key === `panel-${id}`);
    found.push(...ofPanel(panel, source, mayBeEmpty[panel.title]).map((problem) => `${panel.title}: ${problem}`));
    for (const one of expected[panel.title] ?? []) {
      const what = missing(panel, one);
      if (what) found.push(`${panel.title}: ${what}`);
    }
  }
  const titles = report.panels.map(({ title }) => title);
  for (const title of [...Object.keys(mayBeEmpty), ...Object.keys(expected)]) {
    if (!titles.includes(title)) found.push(`no panel is called ${title}`);
  }
  for (const [name, { value, options }] of Object.entries(report.variables)) {
    if (name !== 'datasource' && options.length === 0) found.push(`variable ${name} has nothing to choose from`);
    if (value === '' || value?.length === 0) found.push(`variable ${name} has no value`);
  }
  return found;
}

/** What a query's column or series is called. */
function nameOf({ transformations = [], targets }, refId) {
  const renamed = transformations.find(({ id }) => id === 'organize')?.options.renameByName ?? {};
  return renamed[`Value #${refId}`] ?? renamed.Value ?? targets.find((target) => target.refId === refId).legendFormat;
}

function ofPanel(panel, source, mayBeEmpty = []) {
  const found = [];
  const say = (list, words) => list.length > 0 && found.push(`${words}: ${list.join(', ')}`);
  const all = mayBeEmpty === true;
  const allowed = (name) => all || mayBeEmpty.includes(name);
  if (panel.error) found.push(`error: ${panel.error}`);
  if (panel.empty === '' && !all) found.push('no data');
  if (panel.empty === undefined && all) found.push('has data: take it off the list of empty ones');
  for (const query of panel.queries) {
    const name = nameOf(source, query.refId);
    if (query.error) found.push(`query ${query.refId}: ${query.error}`);
    else if (UNRESOLVED.test(query.expr)) found.push(`query ${query.refId}: unresolved variable in ${query.expr}`);
    else if (query.series === 0 && !panel.empty && !allowed(name)) found.push(`${name}: no series`);
    else if (query.series > 0 && !all && mayBeEmpty.includes(name)) found.push(`${name}: has series: take it off the list of empty ones`);
    say(query.legendMissing ?? [], `query ${query.refId}: its series lack the legend's label`);
  }
  say(panel.unknownUnits, 'unknown unit');
  say(panel.notFinite, 'no number');
  say(panel.repeatedRows, 'rows that cannot be told apart');
  say(panel.cut, 'cut off');
  if (panel.empty === undefined) say(panel.unmatchedOverrides.filter((name) => !allowed(name)), 'options for what is not there');
  for (const { href, title } of panel.links) {
    if (/\$\{|\$__/.test(`${href}${title}`)) found.push(`unresolved variable in the link ${title} to ${href}`);
  }
  if (panel.type === 'timeseries' && panel.empty === undefined) {
    if (panel.charts.length === 0) found.push('no chart is drawn');
    say(panel.names.filter((name) => name.trim() === '' || /^\{|[{].*="|^Value( #\w+)?$/.test(name)), 'legend is not for people');
    say(panel.names.filter((name, index) => panel.names.indexOf(name) !== index), 'several series of one name');
  }
  if (panel.type === 'table' && panel.empty === undefined) {
    say(panel.names.filter((name) => /^Value( #\w+)?$|^[a-z_]+$/.test(name)), 'column is not for people');
  }
  return found;
}

/** What of an expectation `panel` does not show: a text, a pattern, or `[series, text or pattern]`. */
function missing(panel, expectation) {
  const matches = (text, pattern) => (pattern instanceof RegExp ? pattern.test(text) : text === pattern);
  if (Array.isArray(expectation)) {
    const [name, pattern] = expectation;
    const values = panel.values[name] ?? panel.columns[name];
    if (!values) return `there is no ${name}, only ${panel.names.join(', ')}`;
    return values.some((value) => matches(value, pattern)) ? undefined : `${name} is ${values.slice(-5).join(', ')}, not ${pattern}`;
  }
  const there = expectation instanceof RegExp ? expectation.test(panel.text) : panel.text.includes(expectation);
  return there ? undefined : `does not show ${expectation}: ${panel.text}`;
}
