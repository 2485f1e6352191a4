// Puts rows of panels together into a dashboard.

import { variables } from './variables.mjs';

/** Title and name of each dashboard, in the order of the links at its top. */
export const ALL = [
  ['fleet', 'Fleet'],
  ['host', 'Host'],
  ['volume', 'Volume'],
  ['io', 'I/O and throttling'],
  ['reclaim', 'Orphans and reclaimable space'],
  ['network', 'Network storage'],
  ['self', 'Plimsoll itself'],
];

/** Path of a dashboard with the present choices; `more` are choices of its own. */
export const to = (name, more = '') =>
  `/d/plimsoll-${name}?\${datasource:queryparam}&\${cluster:queryparam}&\${job:queryparam}${more}&\${__url_time_range}`;

/** A link of a table's cell to the dashboard of its host, and of its volume. */
const cell = (column) => `\${__data.fields["${column}"]}`;
const value = (name, column) => `&var-${name}=\${__data.fields["${column}"]:percentencode}`;
export const HOST_LINK = [{
  title: `Host ${cell('Host')}`, url: to('host', value('instance', 'Host')), targetBlank: false,
}];
export const VOLUME_LINK = [{
  title: `Volume ${cell('Volume')}`,
  url: to('volume', value('instance', 'Host') + value('role', 'Role') + value('volume', 'Volume')),
  targetBlank: false,
}];
/** The same where the host is the one that is chosen. */
export const OWN_VOLUME_LINK = [{
  title: `Volume ${cell('Volume')}`,
  url: to('volume', '&${instance:queryparam}' + value('role', 'Role') + value('volume', 'Volume')),
  targetBlank: false,
}];

const links = (own) =>
  ALL.filter(([name]) => name !== own).map(([name, title]) => ({
    title,
    type: 'link',
    url: `/d/plimsoll-${name}`,
    icon: 'dashboard',
    tooltip: `Plimsoll / ${title}`,
    includeVars: true,
    keepTime: true,
    targetBlank: false,
    asDropdown: false,
    tags: [],
  }));

/** A row: a question, and lines of panels that answer it. */
export const row = (question, ...lines) => ({ question, lines });

/** The whole, as Grafana reads it. */
export function dashboard({ name, about, choose = [], single, from = 'now-6h', rows }) {
  const title = ALL.find(([one]) => one === name)[1];
  return {
    uid: `plimsoll-${name}`,
    title: `Plimsoll / ${title}`,
    description: about,
    tags: ['plimsoll', 'storage'],
    editable: false,
    graphTooltip: 1,
    schemaVersion: 41,
    version: 1,
    fiscalYearStartMonth: 0,
    weekStart: '',
    timezone: 'browser',
    refresh: '1m',
    time: { from, to: 'now' },
    timepicker: {},
    annotations: { list: [] },
    links: links(name),
    templating: { list: variables(choose, { single }) },
    panels: laid(rows),
  };
}

const COLUMNS = 24;

function laid(rows) {
  const panels = [];
  let y = 0;
  const add = (panel, gridPos) => panels.push({ id: panels.length + 1, ...panel, gridPos });
  for (const { question, lines } of rows) {
    add({ type: 'row', title: question, collapsed: false, panels: [] }, { x: 0, y, w: COLUMNS, h: 1 });
    y += 1;
    for (const line of lines) {
      let x = 0;
      for (const panel of line) {
        add(panel, { x, y, ...panel.gridPos });
        x += panel.gridPos.w;
      }
      if (x !== COLUMNS) throw new Error(`"${question}" has a line that is ${x} wide`);
      const heights = new Set(line.map((panel) => panel.gridPos.h));
      if (heights.size !== 1) throw new Error(`"${question}" has a line of several heights`);
      y += line[0].gridPos.h;
    }
  }
  return panels;
}
