import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { REASONS } from '../../src/api/reasons.ts';
import type { TokenFacts } from '../../src/ports.ts';
import { PrometheusMetrics } from '../../src/telemetry/metrics.ts';

async function textOf(metrics: PrometheusMetrics): Promise<string> {
  const parts: string[] = [];
  for await (const part of metrics.render()) parts.push(part);
  return parts.join('');
}

/** Samples by series; a second sample of one series is an error of the format. */
async function samplesOf(metrics: PrometheusMetrics): Promise<Map<string, number>> {
  const samples = new Map<string, number>();
  for (const line of (await textOf(metrics)).split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const end = line.lastIndexOf(' ');
    expect(samples.has(line.slice(0, end)), line).toBe(false);
    samples.set(line.slice(0, end), Number(line.slice(end + 1)));
  }
  return samples;
}

const seriesOf = (samples: Map<string, number>, name: string) =>
  [...samples.keys()].filter((series) => series.split('{')[0] === name);

function facts(name: string, others: Partial<TokenFacts> = {}): TokenFacts {
  return {
    namespace: 'support',
    name,
    ready: true,
    stalled: false,
    expirationTime: 1_790_000_000,
    nextRotationTime: 1_780_000_000,
    pendingRestarts: 0,
    ...others,
  };
}

const make = (tokenLimit = 100) => new PrometheusMetrics({ version: '0.1.0', revision: 'abc', tokenLimit });

function everything(metrics: PrometheusMetrics): void {
  metrics.reconciled('apitoken', 'success', 0.02);
  metrics.queueDepth('apitoken', 3);
  metrics.queueAdded('apitoken');
  metrics.queueWaited('apitoken', 0.2);
  metrics.queueRetried('apitoken');
  metrics.apiCall('get', 'apitokens', 200, 0.01);
  metrics.leader(true);
  metrics.watchRestarted('apitokens', 'Gone');
  metrics.minted('Issued');
  metrics.rotated();
  metrics.retired('Retired');
  metrics.revoked('Compromised');
  metrics.failed('WriteFailed');
  metrics.restarted('Deployment');
  metrics.exposeCounter('events_dropped_total', 'Events that were lost.', () => 4);
  metrics.token('support/a', facts('a', { stalled: true, pendingRestarts: 2 }));
  metrics.policy('baseline', { tokens: 3, violating: 1 });
}

describe('what is counted', () => {
  it('has a series of the documented name and labels', async () => {
    const metrics = make();
    everything(metrics);
    const samples = await samplesOf(metrics);
    const expected = {
      'tokenwright_reconcile_total{controller="apitoken",result="success"}': 1,
      'tokenwright_reconcile_duration_seconds_count{controller="apitoken"}': 1,
      'tokenwright_workqueue_depth{controller="apitoken"}': 3,
      'tokenwright_workqueue_adds_total{controller="apitoken"}': 1,
      'tokenwright_workqueue_retries_total{controller="apitoken"}': 1,
      'tokenwright_workqueue_queue_duration_seconds_sum{controller="apitoken"}': 0.2,
      'tokenwright_api_calls_total{verb="get",resource="apitokens",code="200"}': 1,
      'tokenwright_api_call_duration_seconds_sum{verb="get",resource="apitokens"}': 0.01,
      'tokenwright_watch_restarts_total{resource="apitokens",reason="Gone"}': 1,
      tokenwright_leader: 1,
      'tokenwright_mints_total{cause="Issued"}': 1,
      tokenwright_rotations_total: 1,
      'tokenwright_retirements_total{reason="Retired"}': 1,
      'tokenwright_revocations_total{reason="Compromised"}': 1,
      'tokenwright_failures_total{reason="WriteFailed"}': 1,
      'tokenwright_restarts_total{kind="Deployment"}': 1,
      tokenwright_events_dropped_total: 4,
      'tokenwright_token_expiration_timestamp_seconds{namespace="support",name="a"}': 1_790_000_000,
      'tokenwright_token_next_rotation_timestamp_seconds{namespace="support",name="a"}': 1_780_000_000,
      'tokenwright_token_ready{namespace="support",name="a"}': 1,
      'tokenwright_token_stalled{namespace="support",name="a"}': 1,
      'tokenwright_token_pending_restarts{namespace="support",name="a"}': 2,
    };
    expect(Object.fromEntries(Object.keys(expected).map((series) => [series, samples.get(series)]))).toEqual(expected);
    const build = `tokenwright_build_info{version="0.1.0",revision="abc",node_version="${process.versions.node}"}`;
    expect(samples.get(build)).toBe(1);
  });

  it('says the process figures of every Prometheus client', async () => {
    const samples = await samplesOf(make());
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_start_time_seconds'])
      expect(samples.get(name), name).toBeGreaterThan(0);
  });

  it('counts what another adapter counts, scrape after scrape', async () => {
    const metrics = make();
    let dropped = 1;
    metrics.exposeCounter('events_dropped_total', 'Events that were lost.', () => dropped);
    await textOf(metrics);
    dropped = 5;
    expect((await samplesOf(metrics)).get('tokenwright_events_dropped_total')).toBe(5);
  });
});

describe('cardinality', () => {
  it('folds what is no known reason, kind or status to `other`', async () => {
    const metrics = make();
    for (let i = 0; i < 300; i++) {
      metrics.minted(`Cause${i}`);
      metrics.failed(`Reason${i}`);
      metrics.retired(`Reason${i}`);
      metrics.revoked(`Reason${i}`);
      metrics.restarted(`Kind${i}`);
      metrics.apiCall('get', 'apitokens', 1_000 + i, 0);
    }
    const samples = await samplesOf(metrics);
    for (const name of ['mints', 'failures', 'retirements', 'revocations', 'restarts', 'api_calls']) {
      const series = seriesOf(samples, `tokenwright_${name}_total`);
      expect(series, name).toHaveLength(1);
      expect(series[0]).toContain('="other"');
      expect(samples.get(series[0] ?? '')).toBe(300);
    }
  });

  it('knows every reason that there is, and those of the API server', async () => {
    const metrics = make();
    for (const reason of [...Object.keys(REASONS), 'Conflict', 'Timeout']) metrics.failed(reason);
    const series = seriesOf(await samplesOf(metrics), 'tokenwright_failures_total');
    expect(series).toHaveLength(Object.keys(REASONS).length + 2);
    expect(series.join()).not.toContain('other');
  });

  it.each<[string, (metrics: PrometheusMetrics, value: string) => void, string]>([
    ['controllers', (metrics, value) => metrics.reconciled(value, 'success', 1), 'tokenwright_reconcile_total'],
    ['resources', (metrics, value) => metrics.apiCall('get', value, 200, 1), 'tokenwright_api_calls_total'],
    ['verbs', (metrics, value) => metrics.apiCall(value, 'pods', 200, 1), 'tokenwright_api_calls_total'],
    [
      'reasons of watches',
      (metrics, value) => metrics.watchRestarted('pods', value),
      'tokenwright_watch_restarts_total',
    ],
  ])('is bounded for %s', async (_, count, name) => {
    const metrics = make();
    count(metrics, 'not a word: a whole message, with a name in it');
    for (let i = 0; i < 1_000; i++) count(metrics, `value-${i}`);
    const series = seriesOf(await samplesOf(metrics), name);
    expect(series.length).toBeLessThanOrEqual(65);
    expect(series.some((one) => one.includes('"other"'))).toBe(true);
    expect(series.join()).not.toContain('message');
  });

  it('gives series of their own to so many ApiTokens, and counts all', async () => {
    const metrics = make(10);
    for (let i = 0; i < 25; i++) {
      metrics.token(
        `support/t${i}`,
        facts(`t${i}`, {
          ready: i % 5 !== 0,
          stalled: i === 24,
          pendingRestarts: i === 24 ? 3 : 0,
          expirationTime: 1_000 - i,
        }),
      );
    }
    const samples = await samplesOf(metrics);
    expect(seriesOf(samples, 'tokenwright_token_ready')).toHaveLength(10);
    expect(seriesOf(samples, 'tokenwright_token_expiration_timestamp_seconds')).toHaveLength(10);
    const totals = ['tokens', 'tokens_ready', 'tokens_stalled', 'tokens_without_series', 'pending_restarts'];
    expect(totals.map((name) => samples.get(`tokenwright_${name}`))).toEqual([25, 20, 1, 15, 3]);
    expect(samples.get('tokenwright_tokens_earliest_expiration_timestamp_seconds')).toBe(976);
  });

  it('gives the series of an ApiToken that went to one that waited, and says nothing of it any more', async () => {
    const metrics = make(2);
    for (const name of ['a', 'b', 'c']) metrics.token(`support/${name}`, facts(name));
    metrics.token('support/a', undefined);
    metrics.token('support/b', facts('b', { ready: false }));
    const samples = await samplesOf(metrics);
    const ready = seriesOf(samples, 'tokenwright_token_ready');
    expect(ready).toEqual([
      'tokenwright_token_ready{namespace="support",name="b"}',
      'tokenwright_token_ready{namespace="support",name="c"}',
    ]);
    expect(samples.get(ready[0] ?? '')).toBe(0);
    expect(samples.get('tokenwright_tokens_without_series')).toBe(0);
  });

  it('leaves out what is not known of an ApiToken', async () => {
    const metrics = make();
    metrics.token('support/a', facts('a', { expirationTime: undefined, nextRotationTime: undefined }));
    const samples = await samplesOf(metrics);
    for (const name of [
      'expiration_timestamp_seconds',
      'next_rotation_timestamp_seconds',
      'stalled',
      'pending_restarts',
    ])
      expect(seriesOf(samples, `tokenwright_token_${name}`), name).toEqual([]);
    expect(samples.get('tokenwright_tokens_earliest_expiration_timestamp_seconds')).toBeNaN();
  });
});

describe('memory', () => {
  it('is under 400 bytes of heap for an ApiToken, before and after a scrape', () => {
    const module = JSON.stringify(`${import.meta.dirname}/../../src/telemetry/metrics.ts`);
    const script = `
      import { PrometheusMetrics } from ${module};
      const metrics = new PrometheusMetrics({ version: '0' });
      const scrape = async () => { let n = 0; for await (const part of metrics.render()) n += part.length; return n; };
      await scrape();
      gc();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < 10000; i++) metrics.token('namespace/token-' + i, { namespace: 'namespace', name: 'token-' + i,
        ready: true, stalled: false, expirationTime: 1790000000 + i, nextRotationTime: 1780000000 + i, pendingRestarts: 0 });
      if (await scrape() < 1e6) throw new Error('nothing rendered');
      gc();
      console.log((process.memoryUsage().heapUsed - before) / 10000);`;
    const output = execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect(Number(output)).toBeLessThan(400);
  });
});

describe('Prometheus', () => {
  it('gets a help text and a type once for each metric, before its samples', async () => {
    const metrics = make();
    everything(metrics);
    const seen = new Set<string>();
    let current = '';
    for (const line of (await textOf(metrics)).split('\n')) {
      if (line.startsWith('# HELP ')) {
        current = line.split(' ')[2] ?? '';
        expect(line).toMatch(/^# HELP [a-z_]+ \S.*[.]$/);
        expect(seen.has(current)).toBe(false);
        seen.add(current);
      } else if (line !== '' && !line.startsWith('#')) {
        expect(line.startsWith(current), line).toBe(true);
      }
    }
  });

  it('gets labels that need it escaped', async () => {
    const metrics = make();
    metrics.token('x', facts('a"b\\c\nd'));
    expect(await textOf(metrics)).toContain('name="a\\"b\\\\c\\nd"');
  });
});

describe('TokenPolicies', () => {
  it('are counted as long as they are there, and no more of them than are bounded', async () => {
    const metrics = make();
    metrics.policy('baseline', { tokens: 3, violating: 1 });
    metrics.policy('baseline', { tokens: 4, violating: 0 });
    const samples = await samplesOf(metrics);
    expect(samples.get('tokenwright_policy_tokens{policy="baseline"}')).toBe(4);
    expect(samples.get('tokenwright_policy_violations{policy="baseline"}')).toBe(0);
    metrics.policy('baseline', undefined);
    expect(seriesOf(await samplesOf(metrics), 'tokenwright_policy_tokens')).toEqual([]);
    for (let i = 0; i < 3000; i += 1) metrics.policy(`p-${i}`, { tokens: 1, violating: 1 });
    expect(seriesOf(await samplesOf(metrics), 'tokenwright_policy_violations')).toHaveLength(1000);
  });
});
