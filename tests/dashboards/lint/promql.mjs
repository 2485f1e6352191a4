// Expressions taken apart with Prometheus' own grammar.

import { parser } from '@prometheus-io/lezer-promql';

// What Grafana's own variables stand for while a linter looks; the odd lengths are told from others.
export const RATE_INTERVAL = '8869990787ms';
const GLOBALS = {
  __rate_interval: RATE_INTERVAL, __interval: '4867856611ms', __interval_ms: '7781188786',
  __range: '6069770749ms', __range_s: '9397795485', __range_ms: '6737667980',
};
const VARIABLE = /\$(\w+)|\$\{([^}]+)\}|\[\[([^[\]]+)\]\]/g;

/** Variables outside of quotes replaced by samples, as the dashboard linter does. */
export function expand(expression) {
  const parts = expression.split('"');
  return parts.map((part, index) => (index % 2 === 1 ? part
    : part.replace(VARIABLE, (_, ...names) => {
      const name = names.slice(0, 3).find(Boolean).split(':')[0];
      return GLOBALS[name] ?? name;
    }))).join('"');
}

// Modifiers stand around what they modify in this grammar, and are a part of it in Prometheus' own.
const MODIFIERS = new Set(['StepInvariantExpr', 'OffsetExpr', 'FunctionCallBody', 'ParenExpr', 'PromQL']);

/**
 * The selectors of an expression: `{ name, matchers: [{ label, type, value }], range, within }`.
 * `within` are the names of functions and operators around it, the nearest first.
 * Throws where the expression does not parse.
 */
export function selectors(expression) {
  const text = expand(expression);
  const tree = parser.parse(text);
  const found = [];
  tree.iterate({
    enter(node) {
      if (node.type.isError) throw new Error(`does not parse at character ${node.from}: ${text.slice(node.from, node.from + 30)}`);
      if (node.name === 'VectorSelector') found.push(selector(node.node, text));
    },
  });
  if (text.trim() === '') throw new Error('it is empty');
  return found;
}

function selector(node, text) {
  const of = (one) => text.slice(one.from, one.to);
  const list = node.getChild('LabelMatchers');
  const matchers = (list?.getChildren('UnquotedLabelMatcher') ?? []).map((matcher) => ({
    label: of(matcher.getChild('LabelName')),
    type: of(matcher.getChild('MatchOp')),
    value: of(matcher.getChild('StringLiteral')).slice(1, -1),
  }));
  const name = node.getChild('Identifier');
  let around = node.parent;
  while (around && MODIFIERS.has(around.name)) around = around.parent;
  const ranged = around?.name === 'MatrixSelector';
  const range = ranged ? /\[([^\]]+)\]/.exec(text.slice(node.to, around.to))?.[1].trim() : undefined;
  return { name: name && of(name), matchers, range, within: ancestors(ranged ? around : node, of) };
}

function ancestors(node, of) {
  const names = [];
  for (let one = node.parent; one; one = one.parent) {
    if (MODIFIERS.has(one.name)) continue;
    names.push(one.name === 'FunctionCall' ? of(one.getChild('FunctionIdentifier')) : one.name);
  }
  return names;
}

/** Lists of labels in an expression, `by (…)` and `on (…)` and their like, each with the selectors it is about. */
export function groupings(expression) {
  const text = expand(expression);
  const found = [];
  parser.parse(text).iterate({
    enter({ name, node }) {
      if (name !== 'GroupingLabels') return;
      let around = node.parent;
      while (around && !['AggregateExpr', 'BinaryExpr'].includes(around.name)) around = around.parent;
      const inner = [];
      const made = [];
      around?.cursor().iterate((one) => {
        if (one.name === 'VectorSelector') inner.push(selector(one.node, text).name);
        if (one.name === 'FunctionCall') made.push(...madeLabels(text.slice(one.from, one.to)));
        return true;
      });
      const labels = text.slice(node.from + 1, node.to - 1).split(',').map((label) => label.trim()).filter(Boolean);
      found.push({ labels, metrics: inner, made });
    },
  });
  return found;
}

/** Labels that `label_replace` and `label_join` make: what follows the vector. */
function madeLabels(call) {
  return /^label_(replace|join)/.test(call) ? [...call.matchAll(/, "(\w+)", "(?:\$1| )"/g)].map(([, label]) => label) : [];
}
