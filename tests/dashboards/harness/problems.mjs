// What is wrong with a dashboard that was shown.

import { overlaps } from '../lint/layout.mjs';

// A group of label_replace's regular expression is no variable.
const UNRESOLVED = /\$(?!\d\b)|\[\[\w+\]\]/;

/** Sentences, none when all is well. `view` says what is expected: see expected.mjs. */
export function problems(dashboard, report, view) {
  const { empty = {}, early = {}, expected = {}, noChoice = [] } = view;
  const found = [
    ...report.errors.map((error) => `page: ${error}`),
    ...report.thrown.map((error) => `page: ${error}`),
    ...report.outside.map((url) => `page: asked another host for ${url}`),
    ...overlaps(dashboard),
  ];
  for (const panel of report.panels) {
    const source = dashboard.panels.find(({ id }) => panel.key === `panel-${id}`);
    found.push(...ofPanel(panel, source, empty[panel.title], early[panel.title]).map((problem) => `${panel.title}: ${problem}`));
    for (const one of expected[panel.title] ?? []) {
      const what = missing(panel, one);
      if (what) found.push(`${panel.title}: ${what}`);
    }
  }
  const titles = report.panels.map(({ title }) => title);
  for (const title of [empty, early, expected].flatMap(Object.keys)) {
    if (!titles.includes(title)) found.push(`no panel is called ${title}`);
  }
  for (const [name, { value, options }] of Object.entries(report.variables)) {
    if (name !== 'datasource' && options.length === 0 && !noChoice.includes(name)) found.push(`variable ${name} has nothing to choose from`);
    if (value === '' || value?.length === 0) found.push(`variable ${name} has no value`);
  }
  return found;
}

/** What a query's column or series is called. */
function nameOf({ transformations = [], targets }, refId) {
  const renamed = transformations.find(({ id }) => id === 'organize')?.options.renameByName ?? {};
  return renamed[`Value #${refId}`] ?? renamed.Value ?? (targets.find((target) => target.refId === refId).legendFormat || `query ${refId}`);
}

function ofPanel(panel, source, empty = [], early = []) {
  const found = [];
  const say = (list, words) => list.length > 0 && found.push(`${words}: ${list.join(', ')}`);
  const in_ = (list, name) => list === true || list.includes(name);
  const allowed = (name) => in_(empty, name) || in_(early, name);
  if (panel.error) found.push(`error: ${panel.error}`);
  if (panel.empty !== undefined && empty !== true && early !== true) found.push('no data');
  if (panel.empty === undefined && empty === true) found.push('has data: take it off the list of empty ones');
  for (const query of panel.queries) {
    const name = nameOf(source, query.refId);
    if (query.error) found.push(`query ${query.refId}: ${query.error}`);
    else if (UNRESOLVED.test(query.expr)) found.push(`query ${query.refId}: unresolved variable in ${query.expr}`);
    else if (query.series === 0 && !allowed(name)) found.push(`${name}: no series`);
    else if (query.series > 0 && empty !== true && empty.includes(name)) found.push(`${name}: has series: take it off the list of empty ones`);
    say(query.legendMissing ?? [], `query ${query.refId}: its series lack the legend's label`);
  }
  say(panel.unknownUnits, 'unknown unit');
  say(panel.notFinite, 'no number');
  say(panel.repeatedRows, 'rows that cannot be told apart');
  say(panel.cut, 'cut off');
  if (panel.empty === undefined) say(panel.unmatchedOverrides.filter((name) => !allowed(name)), 'options for what is not there');
  for (const { href, title } of panel.links) {
    const silent = /[?&]var-(\w+)=(?=&|$)/.exec(href);
    if (silent) found.push(`the link ${title} says nothing of ${silent[1]}: ${href}`);
    if (/\$\{|\$__(?!all\b)/.test(`${href}${title}`)) found.push(`unresolved variable in the link ${title} to ${href}`);
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

/** What of an expectation `panel` does not show: a text, or `[series or column, value]`. */
function missing(panel, expectation) {
  if (!Array.isArray(expectation)) {
    return panel.text.includes(expectation) ? undefined : `does not show ${expectation}: ${panel.text}`;
  }
  const [name, wanted] = expectation;
  const values = panel.values[name] ?? panel.columns[name];
  if (!values) return `there is no ${name}, only ${panel.names.join(', ')}`;
  const right = values.filter((value) => matches(value, wanted));
  if (right.length === 0) return `${name} is ${values.slice(-5).join(', ')}, not ${wanted}`;
  // What is no chart is there to be read; of a long table only the first rows are on the screen.
  const squeezed = (text) => text.replace(/\s/g, '');
  const read = panel.type === 'timeseries' || values.length > 6 || right.some((value) => squeezed(panel.text).includes(squeezed(value)));
  return read ? undefined : `${name} is ${right[0]}, but that is not shown: ${panel.text}`;
}

function matches(value, wanted) {
  if (typeof wanted === 'function') return wanted(value);
  return wanted instanceof RegExp ? wanted.test(value) : value === wanted;
}
