// A fault for each rule, planted into the dashboard of a host.

const variable = ({ templating }, name) => templating.list.find((one) => one.name === name);
const panel = ({ panels }, type) => panels.find((one) => one.type === type);
const target = (dashboard) => panel(dashboard, 'timeseries').targets[0];
const replace = (from, to) => (dashboard) => {
  const one = target(dashboard);
  one.expr = one.expr.replaceAll(from, to);
};

export const FAULTS = {
  'template-datasource-rule': (dashboard) => { variable(dashboard, 'datasource').name = 'ds'; },
  'template-job-rule': (dashboard) => { variable(dashboard, 'job').allValue = '.*'; },
  'template-instance-rule': (dashboard) => { variable(dashboard, 'instance').multi = false; },
  'template-label-promql-rule': (dashboard) => { variable(dashboard, 'job').query = { query: 'label_values(plimsoll_build_info{, job)' }; },
  'template-on-time-change-reload-rule': (dashboard) => { variable(dashboard, 'role').refresh = 1; },
  'panel-datasource-rule': (dashboard) => { panel(dashboard, 'table').datasource = { type: 'prometheus', uid: 'P1' }; },
  'panel-title-description-rule': (dashboard) => { panel(dashboard, 'stat').description = ''; },
  'panel-units-rule': (dashboard) => { panel(dashboard, 'timeseries').fieldConfig.defaults.unit = 'byte'; },
  'panel-no-targets-rule': (dashboard) => { delete panel(dashboard, 'stat').targets; },
  'target-logql-rule': (dashboard) => { target(dashboard).datasource = { type: 'loki', uid: '$datasource' }; },
  'target-logql-auto-rule': (dashboard) => { variable(dashboard, 'datasource').query = 'loki'; },
  'target-promql-rule': (dashboard) => { target(dashboard).expr = 'sum(plimsoll_volume_used_bytes{'; },
  'target-rate-interval-rule': (dashboard) => { target(dashboard).expr = 'sum(rate(plimsoll_usage_inodes_total{}[5m]))'; },
  'target-job-rule': replace('job=~"$job"', 'job="plimsoll"'),
  'target-instance-rule': replace('instance=~"$instance"', 'instance!="$instance"'),
  'target-counter-agg-rule': (dashboard) => { target(dashboard).expr = 'sum(plimsoll_usage_inodes_total{job=~"$job"})'; },
  'uneditable-dashboard': (dashboard) => { dashboard.editable = true; },
  'metrics exist': replace('plimsoll_volume_used_bytes', 'plimsoll_volume_use_bytes'),
  'every panel explains itself': (dashboard) => { panel(dashboard, 'timeseries').description = 'no sentence'; },
  'titles are told apart': (dashboard) => { panel(dashboard, 'timeseries').title = panel(dashboard, 'table').title; },
  'rows are questions': (dashboard) => { panel(dashboard, 'row').title = 'Overview'; },
  'panels lie side by side': (dashboard) => { panel(dashboard, 'stat').gridPos.w += 1; },
  'variables are used': replace('$role', '$roles'),
  'links lead somewhere': (dashboard) => { dashboard.links[0].url = '/d/plimsoll-fleets'; },
  colour: (dashboard) => {
    const named = dashboard.panels.flatMap(({ fieldConfig }) => fieldConfig?.overrides ?? [])
      .flatMap(({ properties }) => properties).find(({ id, value }) => id === 'color' && value.mode === 'fixed');
    named.value.fixedColor = '#123456';
  },
};
