// Every dashboard against Grafana's own schema: a key that is misspelt, or a value that is none of an
// option's, is an error of types.

import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const DASHBOARDS = path.join(HERE, '../../dashboards');
const KINDS = { timeseries: 'TimeSeries', stat: 'Stat', table: 'Table' };
const schema = (name) => JSON.stringify(path.join(HERE, `node_modules/@grafana/schema/dist/types/raw/${name}/x/types.gen`));

// Enumerations are their values in JSON, and nothing has to be there.
const HEAD = `
type Values<T> = T extends string ? (string extends T ? string : \`\${T}\`)
  : T extends boolean | number | null | undefined ? T
  : T extends (infer U)[] ? Values<U>[]
  : T extends object ? { [K in keyof T]: Values<T[K]> } : T;
type Partly<T> = T extends (infer U)[] ? Partly<U>[] : T extends object ? { [K in keyof T]?: Partly<T[K]> } : T;
type Json<T> = Partly<Values<T>>;
import type * as dashboard from ${schema('dashboard')};
${Object.entries(KINDS).map(([kind, name]) => `import type * as ${kind} from ${schema(`composable/${name.toLowerCase()}/panelcfg`)};`).join('\n')}
`;

/** TypeScript that only compiles where everything is as the schema has it. */
export function typed({ panels, ...rest }) {
  const parts = [HEAD];
  const check = (name, value, type) => parts.push(`export const ${name} = ${JSON.stringify(value, null, 1)} satisfies Json<${type}>;`);
  check('whole', rest, 'dashboard.Dashboard');
  for (const panel of panels) {
    if (panel.type === 'row') {
      check(`row${panel.id}`, panel, 'dashboard.RowPanel');
      continue;
    }
    if (!KINDS[panel.type]) throw new Error(`${panel.title}: the schema of ${panel.type} is not looked at`);
    const { options, fieldConfig: { defaults: { custom = {}, ...defaults }, overrides }, ...panelRest } = panel;
    check(`panel${panel.id}`, { ...panelRest, fieldConfig: { defaults, overrides } }, 'dashboard.Panel');
    check(`options${panel.id}`, options, `${panel.type}.Options`);
    if (panel.type !== 'stat') check(`custom${panel.id}`, custom, `${panel.type}.FieldConfig`);
    for (const [index, { properties }] of overrides.entries()) {
      const own = properties.filter(({ id }) => id.startsWith('custom.')).map(({ id, value }) => [id.slice('custom.'.length), value]);
      if (own.length > 0) check(`override${panel.id}_${index}`, Object.fromEntries(own), `${panel.type}.FieldConfig`);
    }
  }
  return parts.join('\n');
}

/** Errors of types, by file. `sources` are texts by name. */
export function typeErrors(sources) {
  const folder = path.join(HERE, 'dist/types');
  mkdirSync(folder, { recursive: true });
  const files = Object.entries(sources).map(([name, text]) => {
    const file = path.join(folder, `${name}.ts`);
    writeFileSync(file, text);
    return file;
  });
  const program = ts.createProgram(files, {
    strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  });
  return files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map((one) => {
      const line = source.text.split('\n')[source.getLineAndCharacterOfPosition(one.start).line].trim();
      return { name: path.basename(file, '.ts'), text: `${line}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}` };
    });
  });
}

const sources = Object.fromEntries(readdirSync(DASHBOARDS).filter((name) => name.endsWith('.json')).map((name) =>
  [path.basename(name, '.json'), typed(JSON.parse(readFileSync(path.join(DASHBOARDS, name), 'utf8')))]));
// Faults that have to be seen.
const faults = {
  misspelt: sources.host.replace('"colorMode": "value"', '"colourMode": "value"'),
  unknown: sources.host.replace('"drawStyle": "line"', '"drawStyle": "lines"'),
};
const found = typeErrors({ ...sources, ...faults });
const real = found.filter(({ name }) => !(name in faults));
const unseen = Object.keys(faults).filter((fault) => !found.some(({ name }) => name === fault));
for (const { name, text } of real) console.log(`FAIL dashboards/${name}.json: ${text}`);
for (const fault of unseen) console.log(`FAIL the planted fault "${fault}" is not seen`);
if (real.length + unseen.length === 0) console.log('ok   types');
process.exitCode = real.length + unseen.length === 0 ? 0 : 1;
