import { beforeEach, describe, expect, it } from 'vitest';
import { rollCall } from '../../src/app/verifier-lease.ts';
import type { KubeClient, ListOptions } from '../../src/ports.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');

let now: number;
let asked: ListOptions[];
beforeEach(() => {
  now = NOW;
  asked = [];
});

/** Renewed so many seconds ago. */
const lease = (holderIdentity: string, ago: number, leaseDurationSeconds = 30) => ({
  spec: { holderIdentity, leaseDurationSeconds, renewTime: new Date(NOW - ago * 1000).toISOString() },
});

function call(leases: object[] | Error, environments?: string[]) {
  const list = async (_: unknown, options: ListOptions) => {
    asked.push(options);
    if (leases instanceof Error) throw leases;
    return leases;
  };
  return rollCall({ list } as unknown as KubeClient, 'own', { now: () => now }, environments);
}

describe('the verifiers that are there', () => {
  it('are those whose Lease is not over, by name', async () => {
    const there = call([lease('v-2', 29), lease('v-1', 0), lease('gone', 30), lease('left', 2, 1)]);
    expect(await there()).toEqual(['v-1', 'v-2']);
    expect(asked).toEqual([{ namespace: 'own', labelSelector: 'app.kubernetes.io/component=verifier' }]);
  });

  it('are those of some environments', async () => {
    await call([], ['production', 'staging'])();
    const environments = 'tokenwright.dev/environment in (production,staging)';
    expect(asked.map(({ labelSelector }) => labelSelector)).toEqual([
      `app.kubernetes.io/component=verifier,${environments}`,
    ]);
  });

  it('are asked for at most every five seconds', async () => {
    const there = call([]);
    await Promise.all([there(), there()]);
    now += 4_999;
    await there();
    const before = asked.length;
    now += 1;
    await there();
    expect([before, asked.length]).toEqual([1, 2]);
  });

  it('are not known where they cannot be listed', async () => {
    await expect(call(new Error('no answer'))()).rejects.toThrow('no answer');
  });
});
