// What one panel shows, as plain values that the test judges.

import { formattedValueToString, getFieldDisplayName, getValueFormats } from '@grafana/data';
import { sceneGraph } from '@grafana/scenes';

const UNITS = new Set(getValueFormats().flatMap(({ submenu }) => submenu.map(({ value }) => value)));
// What Grafana makes a unit of on the spot.
const MADE_UNIT = /^(suffix|prefix|time|si|count|currency|bool):/;

/** Everything of a panel that can be wrong. `queries` are those of all panels. */
export function describe(panel, queries) {
  const { key, title, pluginId, fieldConfig, _pluginLoadError: unloadable } = panel.state;
  const element = document.querySelector(`[data-viz-panel-key="${key}"]`);
  const data = sceneGraph.getData(panel).state.data;
  const shown = unloadable ? [] : panel.applyFieldConfig(data).series;
  const fields = shown.flatMap((frame) => frame.fields.map((field) => ({
    field, frame, name: getFieldDisplayName(field, frame, shown),
  })));
  const numbers = fields.filter(({ field }) => field.type === 'number');
  const names = fields.filter(({ field }) => field.type !== 'time').map(({ name }) => name);
  return {
    key,
    title,
    type: pluginId,
    error: unloadable || data?.error?.message,
    queries: queries.filter((query) => query.panel === key),
    empty: element?.querySelector('[data-nodata]')?.dataset.nodata,
    names,
    values: Object.fromEntries(numbers.map(({ field, name }) => [name, Array.from(field.values, (one) => text(field, one))])),
    columns: Object.fromEntries(fields.filter(({ field }) => field.type === 'string')
      .map(({ field, name }) => [name, Array.from(field.values, (one) => text(field, one))])),
    unknownUnits: units(fields).filter((unit) => !UNITS.has(unit) && !MADE_UNIT.test(unit)),
    unmatchedOverrides: unmatched(fieldConfig.overrides, names),
    notFinite: numbers.filter(({ field }) => all(field, (one) => one !== null && one !== undefined && !Number.isFinite(one)))
      .map(({ name }) => name),
    repeatedRows: pluginId === 'table' ? shown.flatMap(repeated) : [],
    emptyColumns: pluginId === 'table'
      ? fields.filter(({ field }) => all(field, (one) => one === null || one === undefined || one === '')).map(({ name }) => name) : [],
    links: fields.flatMap(({ field }) => (field.values.length ? field.getLinks?.({ valueRowIndex: 0 }) ?? [] : []))
      .map(({ href, title: of }) => ({ href, title: of })),
    charts: element ? [...element.querySelectorAll('canvas')].map(({ width, height }) => ({ width, height })) : [],
    text: element?.innerText.replace(/\s+/g, ' ') ?? '',
    cut: element ? cutOff(element) : [],
  };
}

const all = (field, test) => field.values.length > 0 && Array.from(field.values).every(test);
const text = (field, value) => (field.display ? formattedValueToString(field.display(value)) : String(value));
const units = (fields) => [...new Set(fields.map(({ field }) => field.config.unit).filter(Boolean))];

const unmatched = (overrides, names) =>
  overrides.filter(({ matcher }) => matcher.id === 'byName' && !names.includes(matcher.options)).map(({ matcher }) => matcher.options);

/** Rows whose texts are the same as another's: a reader cannot tell them apart. */
function repeated(frame) {
  const texts = frame.fields.filter((field) => field.type === 'string');
  if (texts.length === 0) return [];
  const rows = Array.from({ length: frame.length }, (_, row) => texts.map((field) => field.values[row]).join(' | '));
  return rows.filter((row, index) => rows.indexOf(row) !== index);
}

/** Texts that do not fit into the place they have. */
function cutOff(element) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const cut = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const words = node.textContent.trim();
    if (!words || node.parentElement.closest('svg, style')) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, top, bottom } = range.getBoundingClientRect();
    if (right === left) continue;
    for (let box = node.parentElement; box && box !== element.parentElement; box = box.parentElement) {
      const { overflowX, overflowY } = getComputedStyle(box);
      const place = box.getBoundingClientRect();
      const scrolls = (overflow) => overflow === 'auto' || overflow === 'scroll';
      if (scrolls(overflowX) || scrolls(overflowY)) break;
      if (overflowX !== 'visible' && (right > place.right + 1.5 || left < place.left - 1.5)) cut.add(words);
      if (overflowY !== 'visible' && (bottom > place.bottom + 4 || top < place.top - 4)) cut.add(words);
    }
  }
  return [...cut];
}
