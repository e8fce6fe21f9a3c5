/** promtool is not at hand in every test: whether each rule is PromQL is checked by hand, whether it can ever fire is checked here. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PrometheusMetrics } from '../../src/telemetry/metrics.ts';
import { VerifierMetrics } from '../../src/telemetry/verifier-metrics.ts';
import { root } from './binaries.ts';

interface AlertRule {
  group: string;
  alert: string;
  expr: string;
  for: string;
  labels: { severity: string };
  annotations: { summary: string; description: string };
}

let rules: AlertRule[];
/** By group of rules: names of metrics that the process has, to their labels in a scrape. */
let metrics: Record<string, Map<string, Set<string>>>;

beforeAll(async () => {
  const { groups } = parse(await readFile(join(root, 'deploy/alerts/tokenwright.rules.yaml'), 'utf8'));
  rules = groups.flatMap((group: { name: string; rules: AlertRule[] }) =>
    group.rules.map((rule) => ({ ...rule, group: group.name })),
  );
  metrics = { tokenwright: await scraped(operatorMetrics()), 'tokenwright-verifier': await scraped(verifierMetrics()) };
});

function operatorMetrics(): PrometheusMetrics {
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
  return operator;
}

function verifierMetrics(): VerifierMetrics {
  const none = () => 0;
  const options = { indexSize: none, staleness: none, pendingRevocations: none };
  const verifier = new VerifierMetrics({ version: '0', environment: 'production', ...options });
  verifier.verdict('Allowed', 'ai-gateway', 0);
  return verifier;
}

async function scraped(source: { render(): AsyncIterable<string> }): Promise<Map<string, Set<string>>> {
  const found = new Map<string, Set<string>>();
  for await (const block of source.render()) {
    for (const [, name = '', labels = ''] of block.matchAll(/^(\w+)(?:\{(.*)\})? \S+$/gm))
      found.set(name, new Set([...labels.matchAll(/(\w+)="/g)].map((match) => match[1] ?? '')));
  }
  return found;
}

describe('each alert', () => {
  test('asks for metrics that its process has', () => {
    expect(rules.length).toBeGreaterThan(10);
    // those of the verifier are looked for at a running one, in cluster.test.ts
    for (const { alert, expr } of rules.filter(({ group }) => group === 'tokenwright')) {
      const asked = expr.match(/tokenwright_\w+/g) ?? [];
      expect(asked, alert).not.toEqual([]);
      for (const name of asked) expect([...(metrics.tokenwright?.keys() ?? [])], alert).toContain(name);
    }
  });

  test('tells the operator and verifiers apart: what only one should have, only one has', () => {
    const [operator, verifier] = Object.values(metrics);
    for (const { alert, expr, group } of rules) {
      for (const name of expr.match(/tokenwright_\w+/g) ?? [])
        expect((group === 'tokenwright' ? verifier : operator)?.has(name), `${alert}: ${name}`).toBe(false);
    }
  });

  test('speaks only of labels that its metric has', () => {
    for (const { alert, expr, annotations, group } of rules) {
      const [name = ''] = /tokenwright_\w+/.exec(expr) ?? [];
      const told = JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g);
      for (const [, label = ''] of told)
        expect([...(metrics[group]?.get(name) ?? [])], `${alert}: ${label}`).toContain(label);
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
