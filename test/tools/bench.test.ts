import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const main = join(import.meta.dirname, '../../tools/bench/main.ts');

/** By name. */
async function results(...args: string[]) {
  const { stdout } = await run(process.execPath, [main, ...args, '--json']);
  const lines = stdout.trim().split('\n');
  const all = lines.map((line): Record<string, string | number | null> => JSON.parse(line));
  for (const result of all) expect(Object.keys(result)).toEqual(['name', 'value', 'unit', 'ratio', 'against']);
  return Object.fromEntries(all.map((result) => [result.name, result]));
}

it('measures the throughput of the operator, and counts what one issue costs', async () => {
  const found = await results('operator-throughput', '--tokens=20', '--pairs=1');
  const against = 'bare client';
  expect(found['operator-throughput']).toMatchObject({ unit: 'tokens/s', against });
  expect(found['operator-throughput']?.value).toBeGreaterThan(0);
  expect(found['operator-throughput']?.ratio).toBeGreaterThan(0);
  expect(found['operator-throughput.cpu']).toMatchObject({ unit: 'ms/token', against });
  expect(found['operator-throughput.writes-per-issue.apitokens/status']).toMatchObject({ value: 2 });
  expect(found['operator-throughput.writes-per-issue.secrets']).toMatchObject({ value: 1 });
  expect(found['operator-throughput.writes-per-issue']?.value).toBeLessThanOrEqual(4);
});

it('measures the memory of the operator, and its CPU at rest', async () => {
  const found = await results('operator-memory', '--tokens=20', '--seconds=3');
  expect(found['operator-memory']).toMatchObject({ unit: 'MB' });
  expect(found['operator-memory']?.value).toBeGreaterThan(40);
  expect(found['operator-memory.unrelated-secrets']).toMatchObject({ unit: 'MB', against: 'without them' });
  expect(found['operator-memory.unrelated-secrets']?.ratio).toBeGreaterThan(0.5);
  expect(found['operator-memory.idle-cpu']).toMatchObject({ unit: '% of a core' });
});

it('measures the verifier over HTTP and gRPC, with and without audit', async () => {
  const found = await results('verifier', '--tokens=20', '--pairs=1', '--seconds=1');
  const against = 'bare node:http';
  expect(found.verifier).toMatchObject({ unit: 'requests/s', against });
  for (const name of [
    'verifier',
    'verifier.cpu',
    'verifier.audit',
    'verifier.policies',
    'verifier.unaudited',
    'verifier.ungoverned',
    'verifier.grpc',
    'verifier.grpc.cpu',
  ])
    expect(found[name]?.ratio, name).toBeGreaterThan(0);
  expect(found['verifier.memory']?.value).toBeGreaterThan(40);
});

it('measures evaluations of policies, one that changes, and what they add to a create', async () => {
  const found = await results('policy', '--tokens=5', '--pairs=1');
  expect(found['policy.evaluations.1']?.value).toBeGreaterThan(0);
  expect(found['policy.evaluations.100']).toMatchObject({ unit: 'tokens/s', against: '1 policy' });
  for (const setting of ['all-matching', 'one-namespace', 'all-matching-expressions'])
    expect(found[`policy.change.${setting}.cpu`]).toMatchObject({ unit: 's', value: expect.any(Number) });
  expect(found['policy.change.verifier.longest']?.value).toBeGreaterThan(0);
  for (const verdict of ['same-verdict', 'other-verdict'])
    expect(found[`policy.change.operator.${verdict}.cpu`]?.value).toBeGreaterThan(0);
  expect(found['policy.admission.100-matching.cpu']?.value).toBeGreaterThan(0);
  expect(found['policy.admission.0-policies.p50']).toMatchObject({ unit: 'ms', ratio: null });
  for (const setting of ['1-matching', '100-none-matching', '100-matching']) {
    for (const figure of ['p50', 'p99']) {
      const row = found[`policy.admission.${setting}.${figure}`];
      expect(row).toMatchObject({ unit: 'ms', against: '0 policies' });
      expect(row?.ratio).toBeGreaterThan(0);
    }
  }
});

it('lists the benches when it does not know the name', async () => {
  await expect(run(process.execPath, [main, 'nonsense'])).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('operator-throughput, operator-memory'),
  });
});
