// The choices at the top of a dashboard.

import { bind } from './query.mjs';

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

const datasource = () => ({
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  regex: '',
  hide: 0,
  refresh: 1,
  includeAll: false,
  multi: false,
  options: [],
  current: {},
});

function choice(name, label, query, description, options = {}) {
  const { regex = '', all = '.*', single = false, sort = 1 } = options;
  return {
    name,
    label,
    description,
    type: 'query',
    datasource: DATASOURCE,
    query: { query, refId: name, qryType: query.startsWith('query_result') ? 3 : 1 },
    regex,
    sort,
    // On a change of the time range: what is there now is not what was there then.
    refresh: 2,
    hide: 0,
    multi: true,
    includeAll: !single,
    // A label that is not there is matched too, so that "All" means all.
    allValue: all,
    skipUrlSync: false,
    options: [],
    current: single ? {} : { text: ['All'], value: ['$__all'] },
  };
}

const BUILD = 'plimsoll_build_info';

const targets = (single) => [
  datasource(),
  choice('cluster', 'Cluster', `label_values(${BUILD}, cluster)`,
    'Label cluster of the targets; All where there is none.'),
  choice('job', 'Job', `label_values(${BUILD}{cluster=~"$cluster"}, job)`,
    'Scrape jobs that have Plimsoll as their target.', { all: '.+' }),
  choice('instance', 'Instance', `label_values(${BUILD}{cluster=~"$cluster", job=~"$job"}, instance)`,
    'Hosts, by the address Prometheus scrapes.', { all: '.+', single }),
];

const FURTHER = {
  role: () => choice('role', 'Role', `label_values(${bind('plimsoll_volume_info{}')}, role)`,
    'Roles that volumes belong to.'),
  framework: () => choice('framework', 'Framework',
    `query_result(group by (framework, framework_name) (${bind('plimsoll_sandbox_info{}')}))`,
    'Frameworks, by name; the value is the id.',
    { regex: '/framework="(?<value>[^"]*)".*framework_name="(?<text>[^"]*)"/' }),
  volume: () => choice('volume', 'Volume',
    `label_values(${bind('plimsoll_volume_info{role=~"$role"}')}, volume)`,
    'Volumes of the chosen roles.', { single: true }),
  server: () => choice('server', 'Server',
    `label_values(${bind('plimsoll_network_filesystem_info{}')}, server)`,
    'Servers of network filesystems; one without a server is in All.'),
};

/** The targets' variables, and the named others. `single` starts with the first host, not with all. */
export const variables = (names, { single = false } = {}) => [
  ...targets(single),
  ...names.map((name) => FURTHER[name]()),
];
