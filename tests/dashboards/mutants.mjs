// Faults planted into real dashboards: each must be seen, in these words.

const panel = ({ panels }, title) => panels.find((one) => one.title === title);
const target = (dashboard, title, index = 0) => panel(dashboard, title).targets[index];
const override = (dashboard, title, column) =>
  panel(dashboard, title).fieldConfig.overrides.find(({ matcher }) => matcher.options === column);
const inExpression = (title, from, to, index) => (dashboard) => {
  const one = target(dashboard, title, index);
  if (!one.expr.includes(from)) throw new Error(`${title} does not have ${from} in its query`);
  one.expr = one.expr.replaceAll(from, to);
};

export const MUTANTS = {
  'a metric that does not exist': {
    of: 'network', sees: /^Bytes moved: Read: no series/,
    plant: inExpression('Bytes moved', 'read_bytes', 'reed_bytes'),
  },
  'a metric that does not exist, behind "or vector(0)"': {
    of: 'network', sees: /^Mounted: Mounted is 0, not 2/,
    plant: inExpression('Mounted', '_info', '_infos'),
  },
  'an expression that does not parse': {
    of: 'network', sees: /^Bytes moved: query A: bad_data/,
    plant: (dashboard) => { target(dashboard, 'Bytes moved').expr = 'sum(rate(up[1m])'; },
  },
  'many to many': {
    of: 'network', sees: /^Bytes moved: query A: .*(many-to-many|found duplicate series)/,
    plant: (dashboard) => {
      target(dashboard, 'Bytes moved').expr = 'plimsoll_findings * on (job) plimsoll_findings';
    },
  },
  'an unknown unit': {
    of: 'network', sees: /^Bytes moved: unknown unit: bytes\/s/,
    plant: (dashboard) => { panel(dashboard, 'Bytes moved').fieldConfig.defaults.unit = 'bytes/s'; },
  },
  'another unit': {
    of: 'network', sees: /^Whole request: .* not /,
    plant: (dashboard) => { panel(dashboard, 'Whole request').fieldConfig.defaults.unit = 'ms'; },
  },
  'options for a column that does not exist': {
    of: 'network', sees: /^Network filesystems: options for what is not there: Mean wait/,
    plant: (dashboard) => { override(dashboard, 'Network filesystems', 'Mean request').matcher.options = 'Mean wait'; },
  },
  'a legend of a label the series lack': {
    of: 'network', sees: /^Requests by sort: query A: its series lack the legend's label: op/,
    plant: (dashboard) => { target(dashboard, 'Requests by sort').legendFormat = '{{op}}'; },
  },
  'no legend': {
    of: 'network', sees: /^Requests by sort: legend is not for people/,
    plant: (dashboard) => { delete target(dashboard, 'Requests by sort').legendFormat; },
  },
  'an unknown variable': {
    of: 'network', sees: /^Bytes moved: query A: unresolved variable/,
    plant: inExpression('Bytes moved', '$server', '$servers'),
  },
  'a variable that finds nothing': {
    of: 'network', sees: /^variable server has nothing to choose from/,
    plant: ({ templating }) => {
      const query = templating.list.find(({ name }) => name === 'server').query;
      query.query = query.query.replace(/, server\)$/, ', servers)');
    },
  },
  'a rate over less than two scrapes': {
    of: 'network', sees: /^Bytes moved: Read: no series/,
    plant: inExpression('Bytes moved', '[$__rate_interval]', '[1s]'),
  },
  'a table without its transformations': {
    of: 'network', sees: /^Network filesystems: column is not for people/,
    plant: (dashboard) => { panel(dashboard, 'Network filesystems').transformations.pop(); },
  },
  'rows that only a hidden label tells apart': {
    of: 'reclaim', sees: /^Finished sandboxes: rows that cannot be told apart/,
    plant: (dashboard) => {
      const { excludeByName } = panel(dashboard, 'Finished sandboxes').transformations[1].options;
      Object.assign(excludeByName, { framework: true, state: true });
    },
  },
  'a division by zero': {
    of: 'network', sees: /^Whole request: no number/,
    plant: (dashboard) => { target(dashboard, 'Whole request').expr = 'sum by (server, export, instance) (plimsoll_network_filesystem_info) / 0'; },
  },
  'two panels in one place': {
    of: 'network', sees: /^Requests by sort lies on Bytes moved/,
    plant: (dashboard) => { panel(dashboard, 'Requests by sort').gridPos.x -= 2; },
  },
  'a kind of panel that does not exist': {
    of: 'network', sees: /^Mounted: error: no panel is called stats/,
    plant: (dashboard) => { panel(dashboard, 'Mounted').type = 'stats'; },
  },
  'a column too narrow': {
    of: 'network', sees: /^Network filesystems: cut off: .*docker1/,
    plant: (dashboard) => {
      override(dashboard, 'Network filesystems', 'Host').properties.find(({ id }) => id === 'custom.width').value = 90;
    },
  },
  'a title too long': {
    of: 'network', sees: /^Mounted and more.*: cut off/,
    plant: (dashboard) => { panel(dashboard, 'Mounted').title = 'Mounted and more words than there is room for in so small a panel'; },
  },
  'a link to nowhere': {
    of: 'network', sees: /^Network filesystems: the link Host .* says nothing of x/,
    plant: (dashboard) => {
      const links = override(dashboard, 'Network filesystems', 'Host').properties.find(({ id }) => id === 'links');
      links.value[0].url += '&var-x=${__data.fields["Hosts"]}';
    },
  },
  'the numbers of another column': {
    of: 'io', sees: /^Containers with a limit: Write limit is /,
    plant: inExpression('Containers with a limit', 'write_limit_bytes', 'write_limit_operations', 3),
  },
};
