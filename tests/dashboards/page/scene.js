// A dashboard's JSON as a scene, in the way Grafana itself makes one of it.

import {
  DataSourceVariable, EmbeddedScene, QueryVariable, SceneControlsSpacer, SceneDataTransformer, SceneGridItem,
  SceneGridLayout, SceneGridRow, SceneQueryRunner, SceneRefreshPicker, SceneTimePicker, SceneTimeRange,
  SceneVariableSet, VariableValueSelectors, VizPanel,
} from '@grafana/scenes';

function variable(from, chosen) {
  const { name, label, hide, current } = from;
  const base = { name, label, hide, value: current?.value, text: current?.text };
  if (chosen.length > 0) base.value = base.text = from.multi ? chosen : chosen[0];
  if (from.type === 'datasource') {
    return new DataSourceVariable({ ...base, value: 'prometheus', text: 'Prometheus', pluginId: from.query });
  }
  if (from.type !== 'query') throw new Error(`variables of type ${from.type} are not rendered here`);
  return new QueryVariable({
    ...base, query: from.query, datasource: from.datasource, regex: from.regex, sort: from.sort, refresh: from.refresh,
    isMulti: from.multi, includeAll: from.includeAll, allValue: from.allValue,
  });
}

function panel(from, interval) {
  const queries = new SceneQueryRunner({
    datasource: from.datasource, queries: from.targets ?? [], maxDataPoints: from.maxDataPoints,
    minInterval: from.interval ?? interval,
  });
  const body = new VizPanel({
    key: `panel-${from.id}`, title: from.title, description: from.description, pluginId: from.type,
    options: from.options, fieldConfig: from.fieldConfig,
    $data: new SceneDataTransformer({ $data: queries, transformations: from.transformations ?? [] }),
  });
  const { x, y, w, h } = from.gridPos;
  return new SceneGridItem({ key: `grid-${from.id}`, x, y, width: w, height: h, body });
}

/** `choices` are the values of variables, `time` a range, each where it is not the dashboard's own. */
export function toScene(dashboard, { interval, choices, time }) {
  const children = [];
  let row;
  for (const one of dashboard.panels) {
    if (one.type === 'row') {
      row = new SceneGridRow({ key: `row-${one.id}`, title: one.title, y: one.gridPos.y, children: [] });
      children.push(row);
    } else if (row) {
      row.setState({ children: [...row.state.children, panel(one, interval)] });
    } else {
      children.push(panel(one, interval));
    }
  }
  return new EmbeddedScene({
    $timeRange: new SceneTimeRange({ ...dashboard.time, ...time, timeZone: 'utc' }),
    $variables: new SceneVariableSet({
      variables: dashboard.templating.list.map((one) => variable(one, choices(one.name))),
    }),
    controls: [
      new VariableValueSelectors({}), new SceneControlsSpacer(), new SceneTimePicker({}), new SceneRefreshPicker({}),
    ],
    body: new SceneGridLayout({ children, isLazy: false }),
  });
}
