import { HOST_LINK, VOLUME_LINK, dashboard, row } from './dashboard.mjs';
import { stat, table, timeseries } from './panel.mjs';
import { NETWORK, largestNow } from './query.mjs';
import { LOOK, NONE_IS_WELL, PLAIN, WELL, WRONG, steps } from './style.mjs';

const SERVER = 'server=~"$server"';
const WINDOW = '[$__rate_interval]';
const LEGEND = '{{server}}{{export}}, {{instance}}';
const one = (metric, more = '') => `max by (${NETWORK}${more}) (plimsoll_network_filesystem_${metric}{${SERVER}})`;
const rate = (metric, more = '', at = '') =>
  `sum by (${NETWORK}) (rate(plimsoll_network_filesystem_${metric}_total{${SERVER}${more}}${WINDOW}${at}))`;
const work = ', operation!="SESSION"';
const mean = (what, at = '') =>
  `${rate(`operation_${what}_seconds`, work, at)} / (${rate('operations', work, at)} > 0)`;
const all = (metric, more = '') => `sum(rate(plimsoll_network_filesystem_${metric}_total{${SERVER}${more}}${WINDOW}))`;
const slowest = (what) => [{ expr: largestNow(10, (at) => mean(what, at)), legend: LEGEND }];
const MOUNT = [['cluster'], ['job'], ['instance', 'Host', { width: 170 }], ['server', 'Server', { width: 110 }], ['export', 'Export', { width: 130 }],
  ['mount_point', 'Mounted at']];

export default dashboard({
  name: 'network',
  about: 'NFS, CIFS, CephFS and FUSE as the kernel\'s clients see them: does it answer, how fast, what moves, who depends on it.',
  choose: ['server'],
  from: 'now-1h',
  rows: [
    row('Does it answer?',
      [
        stat({ title: 'Mounted', about: 'Network filesystems, each host\'s for itself.', width: 4, unit: 'none',
          expr: `count(plimsoll_network_filesystem_info{${SERVER}}) or vector(0)` }),
        stat({ title: 'Unresponsive', about: 'Those that do not answer within the time-out, or say that their server is not there.',
          width: 4, unit: 'none', thresholds: NONE_IS_WELL,
          expr: `count(plimsoll_network_filesystem_responsive{${SERVER}} == 0) or vector(0)` }),
        stat({ title: 'Waiting requests', about: 'Requests that wait for an answer now. FUSE and CephFS.', width: 4, unit: 'none',
          none: 'not counted', expr: `sum(plimsoll_network_filesystem_waiting_operations{${SERVER}})` }),
        stat({ title: 'Read', about: 'Bytes a second read from all servers.', width: 4, unit: 'binBps', none: 'not counted',
          expr: all('read_bytes') }),
        stat({ title: 'Written', about: 'Bytes a second written to all servers.', width: 4, unit: 'binBps',
          none: 'not counted', expr: all('written_bytes') }),
        stat({ title: 'Sent again', about: 'Share of requests that were sent again (NFS).', width: 4, unit: 'percentunit', decimals: 1,
          none: 'not counted', thresholds: steps(PLAIN, [0.01, LOOK], [0.05, WRONG]),
          expr: `${all('retransmissions')} / (${all('operations', work)} > 0)` }),
      ],
      [table({
        title: 'Network filesystems', about: 'One row per superblock: mounts that share their counters are one.', width: 24, height: 7,
        keys: MOUNT,
        columns: [
          { title: 'Type', label: 'fstype', width: 70 },
          { title: 'Version', label: 'version', width: 80 },
          { title: 'Answers', unit: 'none', width: 90, expr: one('responsive'), thresholds: steps(WRONG, [1, WELL]),
            values: { 0: { text: 'no', index: 0, color: WRONG }, 1: { text: 'yes', index: 1, color: WELL } } },
          { title: 'Mean request', unit: 's', width: 130, expr: mean('execute') },
          { title: 'Requests', unit: 'reqps', width: 110, expr: rate('operations', work) },
          { title: 'Read', unit: 'binBps', width: 110, expr: rate('read_bytes') },
          { title: 'Written', unit: 'binBps', width: 110, expr: rate('written_bytes') },
          { title: 'Volumes', unit: 'none', width: 85, expr: `count by (${NETWORK}) (plimsoll_network_filesystem_volume_info{${SERVER}})` },
          { expr: one('info', ', fstype, version') },
        ],
        sort: 'Mean request', links: { Host: HOST_LINK },
      })]),
    row('Where does the time go?',
      [
        timeseries({ title: 'Whole request', about: 'Mean seconds from the beginning of a request to its end: the ten slowest now.',
          width: 8, unit: 's', queries: slowest('execute') }),
        timeseries({ title: 'Waiting to be sent', about: 'Mean seconds a request waits on this host to be sent (NFS). Long here: too '
          + 'many requests for the connection.', width: 8, unit: 's', queries: slowest('queue') }),
        timeseries({ title: 'Server and network', about: 'Mean seconds from sending a request to its answer (NFS). Long here: the server '
          + 'or the network is slow.', width: 8, unit: 's', queries: slowest('response') }),
      ]),
    row('What moves?',
      [
        timeseries({ title: 'Bytes moved', about: 'Bytes a second read from and written to all servers.', width: 12, unit: 'binBps',
          named: ['Read', 'Written'],
          queries: [{ expr: all('read_bytes'), legend: 'Read' }, { expr: all('written_bytes'), legend: 'Written' }] }),
        timeseries({ title: 'Requests by sort', about: 'Requests a second by the protocol\'s name: the ten commonest now.', width: 12,
          unit: 'reqps', stacked: true,
          queries: [{ expr: largestNow(10, (at) => 'sum by (operation) (rate(plimsoll_network_filesystem_operations_total'
            + `{${SERVER}}${WINDOW}${at}))`), legend: '{{operation}}' }] }),
      ]),
    row('Does the network lose requests?',
      [
        timeseries({ title: 'Requests in trouble', about: 'Requests a second that were sent again, that timed out, and that ended with '
          + 'an error (a file that is not there among them).', width: 12, unit: 'reqps', named: ['Sent again', 'Timed out', 'Failed'],
          queries: [
            { expr: all('retransmissions'), legend: 'Sent again' },
            { expr: all('timeouts'), legend: 'Timed out' },
            { expr: all('errors'), legend: 'Failed' },
          ] }),
        timeseries({ title: 'Connections made', about: 'Connections the NFS client made to each server, a second. Above 0 for long: '
          + 'connections break.', width: 12, unit: 'cps', soft: 1, queries: [{
            expr: `sum by (instance, address) (rate(plimsoll_network_transport_connects_total{}${WINDOW}))`,
            legend: '{{address}}, {{instance}}' }] }),
      ]),
    row('Who depends on it?',
      [
        table({ title: 'Volumes on it', about: 'Volumes that lie on a network filesystem.', width: 14, height: 7,
          keys: [['cluster'], ['job'], ['source'], ['mount_point'], ['instance', 'Host', { width: 170 }], ['server', 'Server', { width: 130 }],
            ['export', 'Export', { width: 140 }], ['role', 'Role', { width: 150 }], ['volume', 'Volume'], ['disk']],
          columns: [{ expr: `max by (${NETWORK}, source, role, volume, disk) (plimsoll_network_filesystem_volume_info{${SERVER}})` }],
          sort: 'Server', ascending: true, links: { Host: HOST_LINK, Volume: VOLUME_LINK } }),
        table({ title: 'Containers that mounted it', about: 'Containers in whose mount namespace it was mounted at a place where the host '
          + 'has no such mount.', width: 10, height: 7,
          keys: [['cluster'], ['job'], ['source'], ['mount_point'], ['framework'], ['instance', 'Host', { width: 170 }],
            ['server', 'Server', { width: 130 }], ['export', 'Export', { width: 140 }], ['executor'], ['container', 'Container']],
          columns: [{ expr: `max by (${NETWORK}, source, framework, executor, container) `
            + `(plimsoll_network_filesystem_holder_info{${SERVER}})` }],
          sort: 'Server', ascending: true, links: { Host: HOST_LINK } }),
      ]),
  ],
});
