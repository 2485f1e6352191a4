// What a thing looks like, the same on every dashboard.

/** Colours by the name of a series. A name is used for one thing only, and a thing has one name. */
export const COLOURS = {
  // Bytes.
  Used: '#5794F2',
  Peak: '#8AB8FF',
  Quota: '#9FA7B3',
  Size: '#9FA7B3',
  Promised: '#F2CC0C',
  'Not explained': '#6E7687',
  // States of volumes.
  'In use': '#56A64B',
  Idle: '#8AB8FF',
  Unowned: '#FFB357',
  Orphaned: '#FF780A',
  Missing: '#E02F44',
  Unknown: '#6E7687',
  // States of finished sandboxes.
  'Awaiting removal': '#3EB5AC',
  Abandoned: '#C4836A',
  Leaked: '#B877D9',
  Exited: '#8AB8FF',
  // Severities.
  Critical: '#E02F44',
  Warning: '#FF9830',
  Info: '#5794F2',
  // I/O.
  Read: '#3EB5AC',
  Written: '#B877D9',
  'Sent again': '#FF9830',
  'Timed out': '#E02F44',
  Failed: '#C4836A',
};

/** Shades of what is well, what needs a look, and what is wrong. */
export const PLAIN = 'text';
export const WELL = '#56A64B';
export const LOOK = COLOURS.Warning;
export const WRONG = COLOURS.Critical;

/** Names of states as a person reads them, by the metrics' label `state`. */
export const VOLUME_STATES = {
  in_use: 'In use',
  idle: 'Idle',
  unowned: 'Unowned',
  orphaned: 'Orphaned',
  missing: 'Missing',
  unknown: 'Unknown',
};
export const FINISHED_STATES = {
  awaiting_gc: 'Awaiting removal',
  abandoned: 'Abandoned',
  leaked: 'Leaked',
  exited: 'Exited',
  missing: 'Missing',
  unknown: 'Unknown',
};

/** Thresholds: a base colour and `[value, colour]` steps above it. */
export const steps = (base, ...above) => ({
  mode: 'absolute',
  steps: [{ color: base, value: null }, ...above.map(([value, color]) => ({ color, value }))],
});

/** A share of what may be held: as the daemon's own conditions have it by default. */
export const LOAD = steps(COLOURS.Used, [0.9, LOOK], [0.97, WRONG]);
/** Seconds until it is full: within four hours, within a day. */
export const UNTIL_FULL = steps(WRONG, [14400, LOOK], [86400, PLAIN]);
/** A count of what should not be. */
export const NONE_IS_WELL = steps(PLAIN, [1, WRONG]);
export const NONE_IS_WELL_MILD = steps(PLAIN, [1, LOOK]);

/** A column of states: their words, in their colours. */
export const named = (states) =>
  Object.fromEntries(Object.entries(states).map(([state, text], index) => [
    state, { text, index, color: COLOURS[text] },
  ]));

const fixed = (colour) => ({ mode: 'fixed', fixedColor: colour });

/** Gives each named series its colour. */
export const coloured = (...names) =>
  names.map((name) => {
    if (!COLOURS[name]) throw new Error(`no colour for ${name}`);
    return {
      matcher: { id: 'byName', options: name },
      properties: [{ id: 'color', value: fixed(COLOURS[name]) }],
    };
  });

/** A bound: a dashed line without area, grey. */
export const bound = (name) => ({
  matcher: { id: 'byName', options: name },
  properties: [
    { id: 'color', value: fixed(COLOURS[name]) },
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [8, 6] } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'custom.stacking', value: { mode: 'none', group: 'bounds' } },
  ],
});
