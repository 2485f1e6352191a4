// A data source that asks the real Prometheus, with the rules of Grafana's own for variables,
// steps and legends.

import { toDataFrame } from '@grafana/data';
import { RuntimeDataSource, sceneGraph } from '@grafana/scenes';
import { from as fromPromise } from 'rxjs';

const escaped = (text) => text.replace(/[\\^$*+?.()|[\]{}/]/g, '\\\\$&');

/** How a variable stands in a query: alternatives of a regular expression where it can be several. */
function inQuery(value, variable) {
  if (typeof value === 'string') return variable.multi || variable.includeAll ? escaped(value) : value;
  return value.length === 1 ? escaped(value[0]) : `(${value.map(escaped).join('|')})`;
}

const number = (text) => ({ '+Inf': Infinity, '-Inf': -Infinity })[text] ?? parseFloat(text);

function legend(format, labels) {
  if (format && format !== '__auto') {
    return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => labels[label] ?? '');
  }
  const { __name__: name = '', ...rest } = labels;
  const list = Object.entries(rest).map(([label, value]) => `${label}="${value}"`).join(', ');
  return name + (list || !name ? `{${list}}` : '');
}

export const legendLabels = (format) =>
  [...(format ?? '').matchAll(/\{\{\s*(.+?)\s*\}\}/g)].map(([, label]) => label);

export class Prometheus extends RuntimeDataSource {
  /** `report` takes down every query and what became of it. */
  constructor({ scrape, report }) {
    super('prometheus', 'prometheus');
    this.meta = { id: 'prometheus', name: 'Prometheus', info: {} };
    this.interval = `${scrape}s`;
    this.scrape = scrape;
    this.report = report;
  }

  async ask(path, parameters) {
    const answer = await fetch(`/prometheus${path}?${new URLSearchParams(parameters)}`);
    const body = await answer.json();
    if (body.status !== 'success') throw new Error(`${body.errorType}: ${body.error}`);
    return body.data;
  }

  query(request) {
    return fromPromise(this.run(request));
  }

  async run(request) {
    const errors = [];
    const parts = await Promise.all(request.targets.map((target) =>
      this.runOne(request, target).catch((error) => {
        errors.push({ refId: target.refId, message: error.message });
        return [];
      })));
    return { data: parts.flat(), state: errors.length ? 'Error' : 'Done', key: request.requestId, errors };
  }

  async runOne(request, target) {
    const [from, to] = [request.range.from.valueOf() / 1000, request.range.to.valueOf() / 1000];
    const step = Math.max(1, Math.ceil(request.intervalMs / 1000));
    const rate = Math.max(step + this.scrape, 4 * this.scrape);
    const range = Math.round(to - from);
    const variable = (value) => ({ value });
    const scene = request.scopedVars.__sceneObject.value.valueOf();
    const expr = sceneGraph.interpolate(scene, target.expr, {
      ...request.scopedVars,
      __interval: variable(`${step}s`),
      __interval_ms: variable(step * 1000),
      __rate_interval: variable(`${rate}s`),
      __range: variable(`${range}s`),
      __range_s: variable(range),
      __range_ms: variable(range * 1000),
    }, inQuery);
    const told = { panel: scene.parent?.parent?.state?.key, refId: target.refId, expr };
    this.report.queries.push(told);
    try {
      const data = target.instant
        ? await this.ask('/api/v1/query', { query: expr, time: `${to}` })
        : await this.ask('/api/v1/query_range', {
          query: expr, step: `${step}`,
          start: `${Math.floor(from / step) * step}`, end: `${Math.floor(to / step) * step}`,
        });
      const series = data.resultType === 'scalar' ? [{ metric: {}, value: data.result }] : data.result;
      told.series = series.length;
      told.legendMissing = legendLabels(target.legendFormat)
        .filter((label) => series.some(({ metric }) => !(label in metric)));
      return target.format === 'table' ? [asTable(target, series, request.targets.length > 1)] : asSeries(target, series, step);
    } catch (error) {
      told.error = error.message;
      throw error;
    }
  }

  async metricFindQuery(query, { scopedVars, range }) {
    const scene = scopedVars?.__sceneObject?.value.valueOf();
    const text = sceneGraph.interpolate(scene, typeof query === 'string' ? query : query.query, undefined, inQuery);
    const [start, end] = [`${range.from.valueOf() / 1000}`, `${range.to.valueOf() / 1000}`];
    const labels = /^label_values\((?:(.+),\s*)?(\w+)\)$/.exec(text);
    if (labels) {
      const [, match, label] = labels;
      const found = await this.ask(`/api/v1/label/${label}/values`, { ...(match && { 'match[]': match }), start, end });
      return found.map((one) => ({ text: one, value: one }));
    }
    const result = /^query_result\((.+)\)$/.exec(text);
    if (!result) {
      this.report.errors.push(`variable query not understood: ${text}`);
      return [];
    }
    const { result: found } = await this.ask('/api/v1/query', { query: result[1], time: end });
    return found.map(({ metric, value: [at, value] }) => {
      const { __name__: name = '', ...rest } = metric;
      const list = Object.entries(rest).map(([label, one]) => `${label}="${one}"`).join(',');
      return { text: `${name}{${list}} ${value} ${at * 1000}` };
    });
  }

  async testDatasource() {
    return { status: 'success', message: '' };
  }
}

function asTable(target, series, several) {
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const rows = series.flatMap(({ metric, values, value }) => (values ?? [value]).map((one) => [metric, one]));
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: 'time', values: rows.map(([, [at]]) => at * 1000) },
      ...labels.map((label) => ({ name: label, type: 'string', values: rows.map(([metric]) => metric[label] ?? '') })),
      { name: several ? `Value #${target.refId}` : 'Value', type: 'number', values: rows.map(([, [, one]]) => number(one)) },
    ],
  });
}

function asSeries(target, series, step) {
  return series.map(({ metric, values, value }) => {
    const samples = values ?? [value];
    return toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: 'time', config: { interval: step * 1000 }, values: samples.map(([at]) => at * 1000) },
        {
          name: 'Value', type: 'number', labels: metric,
          config: { displayNameFromDS: legend(target.legendFormat, metric) },
          values: samples.map(([, one]) => number(one)),
        },
      ],
    });
  });
}
