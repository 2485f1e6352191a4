// The kinds of panels. Each is given its place and its number by `dashboard.mjs`.

import { bind, bindRecorded } from './query.mjs';
import { PLAIN, coloured, steps } from './style.mjs';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const letter = (index) => String.fromCharCode(65 + index);

/** A query is an expression, its legend, and whether it asks for `recorded` series. */
function target({ expr, legend, recorded = false }, index, more) {
  return {
    datasource: DATASOURCE,
    editorMode: 'code',
    expr: (recorded ? bindRecorded : bind)(expr),
    legendFormat: legend,
    refId: letter(index),
    ...more,
  };
}

function panel(type, { title, about, width, height = 8, queries, unit, ...rest }) {
  const { defaults = {}, overrides = [], options, more = {}, instant = false, format } = rest;
  const shape = instant ? { instant: true, range: false } : { instant: false, range: true };
  return {
    type,
    title,
    description: about,
    datasource: DATASOURCE,
    gridPos: { w: width, h: height },
    targets: queries.map((query, index) => target(query, index, { ...shape, ...(format && { format }) })),
    fieldConfig: { defaults: { unit, ...defaults }, overrides },
    options,
    ...more,
  };
}

/** One number, now; `none` is what is shown where there is nothing. */
export function stat({ thresholds, decimals, none, ...rest }) {
  return panel('stat', {
    height: 4,
    ...rest,
    instant: true,
    queries: [{ expr: rest.expr, legend: rest.title }],
    defaults: {
      color: { mode: 'thresholds' },
      thresholds: thresholds ?? steps(PLAIN),
      ...(decimals !== undefined && { decimals }),
      ...(none !== undefined && { noValue: none }),
    },
    options: {
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'value',
      wideLayout: true,
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    },
  });
}

/**
 * Values over time. `named` are series with a colour of their own, `bounds` are drawn dashed; `soft`
 * is how far the axis goes at least, `none` what is shown where there is nothing.
 */
export function timeseries({ named = [], bounds = [], stacked = false, min = 0, max, soft, none, ...rest }) {
  return panel('timeseries', {
    ...rest,
    defaults: {
      color: { mode: 'palette-classic-by-name' },
      ...(min !== null && { min }),
      ...(max !== undefined && { max }),
      ...(rest.decimals !== undefined && { decimals: rest.decimals }),
      ...(none !== undefined && { noValue: none }),
      custom: {
        drawStyle: 'line',
        lineInterpolation: 'linear',
        lineWidth: 2,
        fillOpacity: stacked ? 35 : 8,
        showPoints: 'never',
        spanNulls: false,
        stacking: { mode: stacked ? 'normal' : 'none', group: 'A' },
        axisPlacement: 'auto',
        ...(soft !== undefined && { axisSoftMax: soft }),
      },
    },
    overrides: [...coloured(...named), ...bounds],
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  });
}

/**
 * Rows of subjects. `keys` are the labels that name a row, `columns` what is told of each:
 * `{ title, expr, unit, … }` a number, `{ title, label }` a fact on the label of some column's
 * expression. A key or column without a title is not shown. `sort` names the column that leads;
 * `only` is `[labels, expression]`: of the rest no row is asked for.
 */
export function table({ keys, columns, sort, only, ascending = false, links = {}, ...rest }) {
  const queries = columns.filter((column) => column.expr);
  const name = (column) => (queries.length > 1 ? `Value #${letter(queries.indexOf(column))}` : 'Value');
  const shown = [...keys.map(([label, title, how]) => ({ label, title, ...how })), ...columns];
  const field = (column) => column.label ?? name(column);
  const hidden = shown.filter((column) => !column.title).map(field);
  const visible = shown.filter((column) => column.title);
  const overrides = visible.map((column) => override(column, links[column.title])).filter(Boolean);
  return panel('table', {
    unit: 'none',
    ...rest,
    instant: true,
    format: 'table',
    queries: queries.map(({ expr }) => ({
      expr: only ? `(${expr}) and on (${only[0]}) ${only[1]}` : expr,
      legend: '',
    })),
    defaults: {
      color: { mode: 'thresholds' },
      thresholds: steps(PLAIN),
      custom: { align: 'auto', cellOptions: { type: 'auto' }, filterable: false, inspect: false },
    },
    overrides,
    options: {
      cellHeight: 'sm',
      showHeader: true,
      sortBy: [{ displayName: sort, desc: !ascending }],
    },
    more: {
      transformations: [
        ...(queries.length > 1 ? [{ id: 'merge', options: {} }] : []),
        {
          id: 'organize',
          options: {
            excludeByName: Object.fromEntries(['Time', ...hidden].map((one) => [one, true])),
            indexByName: Object.fromEntries(ordered(visible).map((column, index) => [field(column), index])),
            renameByName: Object.fromEntries(visible.map((column) => [field(column), column.title])),
          },
        },
      ],
    },
  });
}

/** As they are listed, but those with a `place` at that place. */
function ordered(visible) {
  const moved = visible.filter((column) => column.place !== undefined);
  const rest = visible.filter((column) => column.place === undefined);
  for (const column of moved) rest.splice(column.place, 0, column);
  return rest;
}

function override(column, links) {
  const properties = [];
  const set = (id, value) => value !== undefined && properties.push({ id, value });
  // Or a version and a blank would be shown as numbers.
  set('unit', column.expr ? column.unit : 'string');
  set('decimals', column.decimals);
  set('custom.width', column.width);
  set('thresholds', column.thresholds);
  if (column.thresholds && !column.gauge) set('custom.cellOptions', { type: 'color-text' });
  if (column.gauge) {
    set('min', 0);
    set('max', 1);
    set('custom.cellOptions', { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' });
  }
  if (column.values) {
    set('mappings', [{ type: 'value', options: column.values }]);
    set('custom.cellOptions', { type: 'color-text' });
  }
  if (column.align) set('custom.align', column.align);
  if (links) set('links', links);
  return properties.length > 0 && { matcher: { id: 'byName', options: column.title }, properties };
}
