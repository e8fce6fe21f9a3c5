/** promtool is not at hand in every test: whether each rule is PromQL is checked by hand, whether it can ever fire is checked here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PrometheusMetrics } from '../../src/telemetry/metrics.ts';
import { root } from './binaries.ts';

interface AlertRule {
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

let rules: AlertRule[];
/** Names of metrics that the operator has, to their labels in a scrape with one ApiToken. */
let metrics: Map<string, Set<string>>;

beforeAll(async () => {
  const { groups } = parse(await readFile(join(root, 'deploy/alerts/tokenwright.rules.yaml'), 'utf8'));
  rules = groups.flatMap((group: { rules: AlertRule[] }) => group.rules);
  const operator = new PrometheusMetrics({ version: '0' });
  operator.failed('WriteFailed');
  operator.token('a/b', {
    namespace: 'a',
    name: 'b',
    ready: true,
    stalled: true,
    expirationTime: 1,
    nextRotationTime: 1,
    pendingRestarts: 1,
  });
  metrics = new Map();
  for await (const block of operator.render()) {
    for (const [, name = '', labels = ''] of block.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm))
      metrics.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map((match) => match[1] ?? '')));
  }
});

describe('each alert', () => {
  test('asks for metrics that the operator has', () => {
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr } of rules) {
      const asked = expr.match(/tokenwright_\w+/g) ?? [];
      expect(asked, alert).not.toEqual([]);
      for (const name of asked) expect([...metrics.keys()], alert).toContain(name);
    }
  });

  test('speaks only of labels that its metric has', () => {
    for (const { alert, expr, annotations } of rules) {
      const [name = ''] = /tokenwright_\w+/.exec(expr) ?? [];
      const told = JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g);
      for (const [, label = ''] of told) expect([...(metrics.get(name) ?? [])], `${alert}: ${label}`).toContain(label);
    }
  });

  test('says how bad it is, after which time, and what to do', () => {
    for (const rule of rules) {
      expect(rule.labels.severity, rule.alert).toMatch(/^(critical|warning)$/);
      expect(rule.for, rule.alert).toMatch(/^\d+m$/);
      expect(rule.annotations.summary, rule.alert).not.toBe('');
      expect(rule.annotations.description.length, rule.alert).toBeGreaterThan(20);
    }
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  });
});
