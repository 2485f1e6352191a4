// Every metric there is, with its labels: from docs/metrics.md, which a test of the daemon keeps in
// step with the code, and what Prometheus and the recording rules add.

import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const TARGET = ['cluster', 'job', 'instance'];
const PROMETHEUS = ['up', 'scrape_duration_seconds', 'scrape_samples_scraped'];

/** Names to sets of labels. */
export function readCatalogue(root) {
  const metrics = new Map(PROMETHEUS.map((name) => [name, new Set(TARGET)]));
  const text = readFileSync(new URL('docs/metrics.md', root), 'utf8');
  for (const [, name, labels] of text.matchAll(/^\| `(\w+)` \|[^|]*\|[^|]*\|([^|]*)\|/gm)) {
    metrics.set(name, new Set([...TARGET, ...[...labels.matchAll(/`(\w+)`/g)].map(([, label]) => label)]));
  }
  for (const [name, labels] of recorded(new URL('alerts/plimsoll-recording.yml', root))) metrics.set(name, labels);
  return metrics;
}

/** Recorded series: their labels are those their expression sums by. */
function recorded(file) {
  if (!existsSync(file)) return [];
  const { groups } = parse(readFileSync(file, 'utf8'));
  return groups.flatMap(({ rules }) => rules).filter(({ record }) => record).map(({ record, expr, labels }) => {
    const kept = [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)].flatMap(([, list]) => list.split(',').map((label) => label.trim()));
    return [record, new Set([...kept, ...Object.keys(labels ?? {}), 'cluster'])];
  });
}
