// What is looked at, and what it shows of the scene (host/).
//
// `expected`, by panel: texts, or `[series or column, value]` of which one sample has to be so.
// `empty`: panels (`true`) or their series and columns that this scene does not fill, with the reason.
// `noChoice`: variables with nothing to choose from.
// `early`: what may be there or not, most of it because it comes only after minutes.

const AGENT = 'var-instance=agent1.example:10061';
// The other one sees containers and network mounts of the machine that the test runs on.
const COUNTING = 'var-instance=docker1.example:10061';
// The counters' files are read at other moments than they are scraped: rates are off by a little.
const about = (from, to, unit) => (text) => {
  const value = parseFloat(text);
  return text.replace(/^[\d.]+\s?/, '') === unit && value >= from && value <= to;
};
const LIMITED = 'a1b2a1b2a1b2, docker1.example:10061';
const FREE = 'c3d4c3d4c3d4, docker1.example:10061';
const COMES_LATER = ['Grows by', 'Full in'];

export const VIEWS = {
  fleet: {
    dashboard: 'fleet',
    expected: {
      'Hosts watched': [['Hosts watched', '2']],
      Warning: [['Warning', /^[2-9]$/]],
      'Hosts silent': [['Hosts silent', '0']],
      'Agents down': [['Agents down', '0']],
      Orphaned: [['Orphaned', '10.0 MiB']],
      Findings: [['Kind', 'volume_orphaned'], ['Subject', 'eng/old galera-2 ROOT'], ['Severity', 'warning'], ['Kind', 'sandboxes_leaked']],
      'Volumes that fill first': [['Volume', 'orders-db'], ['Full in', about(1.8, 2.5, 'hours')], ['Used', '48.0 MiB'],
        ['Grows by', about(850, 990, 'B/s')]],
      'Fullest volumes': [['Volume', 'uploads'], ['Load', '100%'], ['Load', '86%']],
      'Fullest filesystems': [['Mounted at', '/']],
      'Volumes against what they may hold': [['Used', /MiB$/], ['Quota', '403 MiB']],
      'Bytes by role': [['shop', '51.0 MiB'], ['eng/old', '10.0 MiB']],
      'Volumes by state': [['Orphaned', '1'], ['Missing', '1'], ['In use', '6']],
      Hosts: [['Host', 'agent1.example:10061'], ['Warning', /^[2-9]$/], ['Volumes', '8'], ['Volumes', '3'], ['Cluster', 'harbour']],
    },
  },
  host: {
    dashboard: 'host',
    query: AGENT,
    expected: {
      'Agent answers': ['Yes'],
      'Volumes here': [['Volumes here', '8']],
      Missing: [['Missing', '1']],
      Findings: ['volume_orphaned', 'eng/old galera-2 ROOT'],
      Filesystems: [['Mounted at', '/'], ['Promised', '5.50 GiB']],
      Volumes: [['Volume', 'search-index-0'], ['State', 'Orphaned'], ['State', 'Idle'], ['Quota', '64 MiB'], ['Load', '33%'],
        ['Enforcement', 'none']],
      'Largest volumes': [['eng/old / galera-2', '10.0 MiB']],
      'Live sandboxes': [['Executor', 'report-42'], ['Framework', 'batch'], ['Load', about(150, 205, '%')], ['Quota', '8 MiB']],
      'Resources of the agent': [['Role', 'eng/storage'], ['Disk', '420 MiB'], ['Reservation', 'refined'], ['CPUs held', '2.60']],
    },
    early: { Filesystems: ['Full in'], Volumes: COMES_LATER, 'Growth of volumes': true },
  },
  'volume in use': {
    dashboard: 'volume',
    query: `${AGENT}&var-role=eng/storage&var-volume=mysql-0`,
    expected: {
      'Load line': [['Quota', '64 MiB'], ['Used', /MiB$/]],
      'Held by': [['Held by', '1']],
      Holders: [['Task', 'mysql-primary'], ['Framework', 'storage'], ['Mounted as', 'mysql'], ['Read only', 'false']],
      'State over time': [['In use', '1']],
      Place: [['Path', /\/volumes\/roles\/eng storage\/mysql-0$/], ['Disk type', 'ROOT'], ['Sharing', 'shared']],
      Measurement: [['Principal', 'storage-service'], ['Reservation', 'dynamic']],
    },
    empty: {
      // It shares its disk, as everything on this scene does.
      'Bytes moved': true, Operations: true, 'Time an operation takes': true,
    },
    early: { 'Grows by': true, 'Full in': true },
  },
  'volume that fills': {
    dashboard: 'volume',
    query: 'var-role=shop&var-volume=orders-db',
    expected: {
      Load: ['86%'],
      Used: [['Used', '48.0 MiB']],
      'Past quota': [['Past quota', '0 B']],
      'Grows by': [['Grows by', about(850, 990, 'B/s')]],
      'Full in': [['Full in', about(1.8, 2.5, 'hours')]],
      Measurement: [['Principal', 'shop-team']],
    },
    empty: {
      'Bytes moved': true, Operations: true, 'Time an operation takes': true,
      // It has no holder that a manager knows, no reservation, and this host tells nothing of its disk.
      Holders: true, Measurement: ['Reservation'], Place: ['Device', 'Sharing', 'query B'],
    },
  },
  io: {
    dashboard: 'io',
    query: COUNTING,
    // Docker containers have none.
    noChoice: ['framework'],
    expected: {
      'Held back now': [['Held back now', '1']],
      'With a limit': [['With a limit', '1']],
      'Containers counted': [['Containers counted', '2']],
      'Containers with a limit': [['Container', 'a1b2a1b2a1b2'], ['Device', 'sdb'], ['Write limit', '2 MiB/s'],
        ['Writes', about(1.5, 2.6, 'MiB/s')], ['Writes held back', about(40, 110, '%')]],
      'Writes held back': [[LIMITED, about(75, 110, '%')]],
      'Bytes read': [[FREE, about(7, 9, 'MiB/s')]],
      'Bytes written': [[LIMITED, about(1.7, 2.3, 'MiB/s')], [FREE, about(0.8, 1.3, 'MiB/s')]],
      'Read operations': [[FREE, about(65, 95, 'io/s')]],
      'Write operations': [[LIMITED, about(16, 25, 'io/s')]],
      'Some tasks wait': [[LIMITED, about(75, 105, '%')]],
      'All tasks wait': [[LIMITED, about(50, 70, '%')]],
      'Threads that wait': [[LIMITED, about(0.5, 1.5, '')]],
    },
    empty: {
      // Its one limit is of bytes written.
      'Containers with a limit': ['Read limit', 'Reads held back', 'Limit of reads', 'Limit of writes'],
      'Reads held back': true,
      // No volume has a device of its own.
      Busy: true, 'Time a write takes': true,
    },
  },
  reclaim: {
    dashboard: 'reclaim',
    expected: {
      Orphaned: [['Orphaned', '10.0 MiB']],
      Leaked: [['Leaked', '5.01 MiB']],
      Abandoned: [['Abandoned', '6.01 MiB']],
      'Awaiting removal': [['Awaiting removal', '4.01 MiB']],
      Idle: [['Idle', '11.0 MiB']],
      'Volumes without a user': [['Orphaned', '10.0 MiB']],
      'Sandboxes of runs that are over': [['Leaked', '5.01 MiB']],
      'Orphaned and unowned volumes': [['Volume', 'galera-2'], ['Used', '10.0 MiB'], ['Mounts', '0']],
      'Idle and missing volumes': [['Volume', 'archive-2025'], ['State', 'Missing'], ['Quota', '24 MiB']],
      'Finished sandboxes': [['State', 'Leaked'], ['State', 'Awaiting removal'], ['Sandboxes', '1']],
      'Age at which the agent removes': [['agent1.example:10061', /days?$|hours?$/]],
    },
    empty: {
      // No master is asked, so no volume is unowned.
      'Volumes without a user': ['Unowned'],
      // No Docker container has stopped.
      'Sandboxes of runs that are over': ['Exited'],
      // Nobody held what is idle here before.
      'Idle and missing volumes': ['Last held'],
    },
    // Processes are looked through once a minute.
    early: { 'Orphaned and unowned volumes': ['Open files'] },
  },
  network: {
    dashboard: 'network',
    query: COUNTING,
    expected: {
      Mounted: [['Mounted', '2']],
      Unresponsive: [['Unresponsive', '0']],
      Read: [['Read', about(5, 8, 'MiB/s')]],
      'Sent again': [['Sent again', about(3, 5.5, '%')]],
      'Network filesystems': [['Server', 'filer-b'], ['Export', '/vol/archive'], ['Version', '4.2'], ['Answers', 'yes'],
        ['Mean request', about(140, 160, 'ms')], ['Mean request', about(18, 22, 'ms')], ['Volumes', '1']],
      'Whole request': [['filer-b/vol/archive, docker1.example:10061', about(140, 160, 'ms')]],
      'Waiting to be sent': [['filer-a/vol/db, docker1.example:10061', about(1.7, 2.3, 'ms')]],
      'Server and network': [['filer-b/vol/archive, docker1.example:10061', about(130, 150, 'ms')]],
      'Requests by sort': [['READ', about(38, 50, 'req/s')]],
      'Requests in trouble': [['Sent again', about(2.4, 3.6, 'req/s')], ['Timed out', '0 req/s']],
      'Volumes on it': [['Volume', 'backups'], ['Server', 'filer-b']],
    },
    empty: {
      // NFS does not tell.
      'Waiting requests': true,
      // The host has both mounts itself.
      'Containers that mounted it': true,
    },
  },
  self: {
    dashboard: 'self',
    expected: {
      Silent: [['Silent', '0']],
      'Series dropped': [['Series dropped', '0']],
      Versions: [['Versions', '1']],
      Collectors: [['Works', 'yes'], ['Host', 'docker1.example:10061']],
      'Measurements by outcome': [['complete', /c\/s$/]],
      Memory: [['agent1.example:10061', /MiB$/], ['docker1.example:10061', /MiB$/]],
      'Samples a scrape': [['agent1.example:10061', /^\d+$/]],
    },
    // All can be read here, but a busy machine may be late once.
    early: { Collectors: ['Errors'], 'Errors by reason': true, 'Error bounds that were too small': true },
  },
};
