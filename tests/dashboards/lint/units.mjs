// Units that both the linter and Grafana know, as far as dashboards here may want them. The page
// compares what is used with Grafana's own list as well.

export const UNITS = new Set([
  'none', 'string', 'short', 'percent', 'percentunit',
  'bytes', 'decbytes', 'bits', 'binBps', 'Bps', 'bps', 'pps',
  's', 'ms', 'µs', 'ns', 'm', 'h', 'd', 'dtdurations', 'dthms', 'clocks',
  'cps', 'ops', 'reqps', 'rps', 'wps', 'iops', 'hertz',
  'bool', 'bool_yes_no', 'bool_on_off',
  'dateTimeAsIso', 'dateTimeFromNow', 'dateTimeAsSystem',
]);
