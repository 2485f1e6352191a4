// All rules over all dashboards, with the exceptions of dashboards/.lint. Each rule is first shown to
// find the fault it is there for.

import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { readCatalogue } from './catalogue.mjs';
import { FAULTS } from './faults.mjs';
import { RULES as HOUSE, colourProblems, houseProblems } from './house.mjs';
import { RULES, lint } from './linter.mjs';

/** Sentences, none when all is well. `root` is the URL of the repository. */
export function lintProblems(root, dashboards) {
  const { exclusions = {}, warnings = {} } = parse(readFileSync(new URL('dashboards/.lint', root), 'utf8')) ?? {};
  const context = { catalogue: readCatalogue(root), uids: dashboards.map(({ uid }) => uid) };
  const used = new Set();
  const found = dashboards.flatMap((dashboard) => [
    ...lint(dashboard, exclusions, used),
    ...houseProblems(dashboard, context),
  ]).map(({ text }) => text);
  found.push(...colourProblems(dashboards).map((problem) => `a thing has one colour: ${problem}`));
  if (Object.keys(warnings).length > 0) found.push('.lint: a warning is neither right nor wrong; say which');
  for (const [rule, { reason, entries = [] }] of Object.entries(exclusions)) {
    if (!RULES[rule]) found.push(`.lint: there is no rule ${rule}`);
    if (!reason) found.push(`.lint: ${rule} is left out without a reason`);
    if (entries.length === 0) found.push(`.lint: ${rule} is left out everywhere; name the panels`);
    for (const entry of entries) {
      if (!used.has(entry)) found.push(`.lint: ${rule} leaves out ${JSON.stringify(entry)}, which is all right`);
    }
  }
  return [...found, ...blindRules(dashboards, exclusions, context)];
}

/** Rules that do not find the fault planted for them, and rules without one. */
function blindRules(dashboards, exclusions, context) {
  const found = [];
  for (const rule of [...Object.keys(RULES), ...Object.keys(HOUSE)]) {
    const plant = FAULTS[rule];
    if (!plant) {
      found.push(`no fault is planted for the rule ${rule}`);
      continue;
    }
    const dashboard = structuredClone(dashboards.find(({ uid }) => uid === 'plimsoll-host'));
    plant(dashboard);
    const seen = [...lint(dashboard, exclusions), ...houseProblems(dashboard, context)];
    if (!seen.some((one) => one.rule === rule)) found.push(`the rule ${rule} does not see its planted fault`);
  }
  const twice = structuredClone(dashboards);
  FAULTS.colour(twice[0]);
  if (colourProblems(twice).length === 0) found.push('a second colour of one thing is not seen');
  return found;
}
