import { describe, expect, it } from 'vitest';
import { OUTCOMES, type Outcome } from '../../src/domain/verdict/outcome.ts';
import { VerifierMetrics } from '../../src/telemetry/verifier-metrics.ts';

const make = (staleness = 0) =>
  new VerifierMetrics({
    version: '0.1.0',
    environment: 'production',
    indexSize: () => 7,
    staleness: () => staleness,
    pendingRevocations: () => 2,
  });

/** Samples by series; a second sample of one series is an error of the format. */
async function samplesOf(metrics: VerifierMetrics): Promise<Map<string, string>> {
  let text = '';
  for await (const part of metrics.render()) text += part;
  const samples = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const end = line.lastIndexOf(' ');
    expect(samples.has(line.slice(0, end)), line).toBe(false);
    samples.set(line.slice(0, end), line.slice(end + 1));
  }
  return samples;
}

const verdictsOf = (samples: Map<string, string>) =>
  [...samples].filter(([series]) => series.startsWith('tokenwright_verdicts_total'));

describe('verdicts', () => {
  it('are counted by true outcome, audience and environment', async () => {
    const metrics = make();
    for (let i = 0; i < 3; i++) metrics.verdict('Expired', 'ai-gateway', 0.001);
    expect(verdictsOf(await samplesOf(metrics))).toEqual([
      ['tokenwright_verdicts_total{outcome="Expired",audience="ai-gateway",environment="production"}', '3'],
    ]);
  });

  it('are counted of every outcome there is', async () => {
    const metrics = make();
    const outcomes = Object.keys(OUTCOMES) as Outcome[];
    for (const outcome of outcomes) metrics.verdict(outcome, 'ai-gateway', 0.001);
    const told = verdictsOf(await samplesOf(metrics)).map(([series]) => /outcome="(\w+)"/.exec(series)?.[1]);
    expect(told).toEqual(outcomes);
  });

  it('without an audience are counted as of none', async () => {
    const metrics = make();
    metrics.verdict('NeedsUnclear', undefined, 0.001);
    expect(verdictsOf(await samplesOf(metrics)).map(([series]) => series)).toEqual([
      'tokenwright_verdicts_total{outcome="NeedsUnclear",audience="none",environment="production"}',
    ]);
  });

  it('make no more series than are bounded, whatever the audiences', async () => {
    const metrics = make();
    for (let i = 0; i < 1000; i++) metrics.verdict('Allowed', `audience-${i}`, 0.001);
    metrics.verdict('Allowed', 'a"} 1\nforged{x="', 0.001);
    const series = verdictsOf(await samplesOf(metrics));
    expect(series.length).toBeLessThanOrEqual(201);
    expect(series.reduce((sum, [, value]) => sum + Number(value), 0)).toBe(1001);
  });

  it('are timed in seconds', async () => {
    const metrics = make();
    metrics.verdict('Allowed', 'ai-gateway', 0.00003);
    const samples = await samplesOf(metrics);
    const bucket = (le: string) => samples.get(`tokenwright_verdict_duration_seconds_bucket{le="${le}"}`);
    expect([bucket('0.000025'), bucket('0.00005'), samples.get('tokenwright_verdict_duration_seconds_count')]).toEqual([
      '0',
      '1',
      '1',
    ]);
  });
});

describe('what the verifier knows', () => {
  it('is shown as it is when it is asked for', async () => {
    const samples = await samplesOf(make(1.5));
    const shown = ['index_tokens', 'staleness_seconds', 'pending_revocations'].map((name) =>
      samples.get(`tokenwright_${name}`),
    );
    expect(shown).toEqual(['7', '1.5', '2']);
  });

  it('is infinitely old before the first proof, in the spelling of Prometheus', async () => {
    expect((await samplesOf(make(Number.POSITIVE_INFINITY))).get('tokenwright_staleness_seconds')).toBe('+Inf');
  });

  it('may be counted elsewhere, and never counts back', async () => {
    const metrics = make();
    let count = 4;
    metrics.exposeCounter('audit_records_dropped_total', 'Verdicts that could not be recorded.', () => count);
    const read = async () => (await samplesOf(metrics)).get('tokenwright_audit_records_dropped_total');
    const first = await read();
    count = 9;
    expect([first, await read(), await read()]).toEqual(['4', '9', '9']);
  });
});

describe('a revocation', () => {
  it('is timed until it is in force here', async () => {
    const metrics = make();
    metrics.propagated(0.04);
    const samples = await samplesOf(metrics);
    const bucket = (le: string) => samples.get(`tokenwright_revocation_propagation_seconds_bucket{le="${le}"}`);
    expect([bucket('0.025'), bucket('0.05')]).toEqual(['0', '1']);
  });
});
