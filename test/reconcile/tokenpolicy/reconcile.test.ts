import { beforeEach, describe, expect, it } from 'vitest';
import type { TokenPolicy } from '../../../src/api/token-policy.ts';
import { KubeError } from '../../../src/ports.ts';
import type { Counts } from '../../../src/reconcile/tokenpolicy/policy-book.ts';
import { type PolicyDeps, reconcilePolicy, STATUS_INTERVAL } from '../../../src/reconcile/tokenpolicy/reconcile.ts';
import { listening } from '../../audit/records.ts';
import { policy } from './samples.ts';

let now: number;
let held: TokenPolicy | undefined;
let counts: Counts | undefined;
let problem: string | undefined;
let writes: number;
let metrics: unknown[];
let answer: () => void;
let keep: () => void;
let deps: PolicyDeps;

const countsOf = (byNamespace: Record<string, number>, isWhole = true): Counts => ({
  tokens: 100,
  violating: Object.values(byNamespace).reduce((sum, count) => sum + count, 0),
  byNamespace: new Map(Object.entries(byNamespace)),
  isWhole,
});

beforeEach(() => {
  now = Date.parse('2026-11-23T12:00:00Z');
  held = policy('prod');
  counts = countsOf({});
  problem = undefined;
  writes = 0;
  metrics = [];
  answer = () => {};
  keep = () => {};
  deps = {
    client: {
      replaceStatus: async (_type, object) => {
        answer();
        writes += 1;
        expect(object.metadata).toMatchObject({ uid: 'uid-prod', resourceVersion: '1' });
        return object;
      },
    },
    policies: {
      get: () => held,
      observe: (written) => {
        held = written;
      },
    },
    granted: { keep: async () => keep() },
    book: { countsOf: () => counts, problemOf: () => problem },
    written: new Map(),
    metrics: { policy: (name, said) => metrics.push([name, said?.tokens, said?.violating]) },
    log: listening().log,
    clock: { now: () => now },
  };
});

const run = () => reconcilePolicy(deps, 'prod');
const conditions = () => held?.status?.conditions?.map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('the status of a policy', () => {
  it('says how many it governs, and that it can be evaluated', async () => {
    counts = countsOf({ shop: 2, lab: 5, arcade: 2 });
    expect(await run()).toEqual({});
    expect(held?.status).toMatchObject({ observedGeneration: 1, tokens: 100, violating: 9 });
    expect(held?.status?.violations?.map(({ namespace, count }) => `${namespace} ${count}`)).toEqual([
      'lab 5',
      'arcade 2',
      'shop 2',
    ]);
    expect(conditions()).toEqual(['Ready=True PolicyCompiled']);
    expect(metrics).toEqual([['prod', 100, 9]]);
  });

  it('lists no more namespaces than it may', async () => {
    counts = countsOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`n-${i}`, i + 1])));
    await run();
    expect(held?.status?.violations).toHaveLength(32);
    expect(held?.status?.violations?.[0]).toEqual({ namespace: 'n-49', count: 50 });
  });

  it('says what is wrong with it', async () => {
    problem = 'rule Scopes: no pattern';
    await run();
    expect(conditions()).toEqual(['Ready=False InvalidPolicy', 'Stalled=True InvalidPolicy']);
    expect(held?.status?.conditions?.[0]?.message).toContain(problem);
  });

  it('is written once, where nothing changes', async () => {
    await run();
    now += 60_000;
    await run();
    expect(writes).toBe(1);
  });

  it('is written again after a while at the earliest', async () => {
    await run();
    counts = countsOf({ shop: 1 });
    now += 1000;
    expect(await run()).toEqual({ requeueAt: now - 1000 + STATUS_INTERVAL });
    expect(writes).toBe(1);
    now += STATUS_INTERVAL;
    expect(await run()).toEqual({});
    expect(held?.status?.violating).toBe(1);
  });

  it('keeps what another counted while not all are judged, or some are judged elsewhere', async () => {
    counts = countsOf({ shop: 3 });
    await run();
    now += STATUS_INTERVAL;
    counts = undefined;
    problem = 'broken since';
    expect(await run()).toEqual({ requeueAt: now + STATUS_INTERVAL });
    expect(held?.status).toMatchObject({ tokens: 100, violating: 3, violations: [{ namespace: 'shop', count: 3 }] });
    expect(conditions()?.[0]).toBe('Ready=False InvalidPolicy');
    now += STATUS_INTERVAL;
    counts = countsOf({ lab: 1 }, false);
    await run();
    expect(held?.status?.violations).toEqual([{ namespace: 'shop', count: 3 }]);
    expect(metrics.at(-1)).toEqual(['prod', 100, 1]);
  });

  it('does not say Ready before the API server was told which namespaces it matches', async () => {
    keep = () => {
      throw new KubeError({ reason: 'Unavailable', status: 503, transient: true, message: 'unavailable' });
    };
    await expect(run()).rejects.toThrow('unavailable');
    expect(writes).toBe(0);
    keep = () => {};
    await run();
    expect(conditions()).toEqual(['Ready=True PolicyCompiled']);
  });

  it('says what is amiss where the API server cannot be told, and goes on counting', async () => {
    keep = () => {
      throw new KubeError({ reason: 'Forbidden', status: 403, transient: false, message: 'forbidden' });
    };
    counts = countsOf({ shop: 2 });
    await expect(run()).rejects.toThrow('forbidden');
    expect([conditions(), held?.status?.violating]).toEqual([['Ready=False GrantsNotTold'], 2]);
    keep = () => {};
    now += STATUS_INTERVAL;
    await run();
    expect(conditions()).toEqual(['Ready=True PolicyCompiled']);
  });

  it('is tried again soon where somebody else was faster', async () => {
    answer = () => {
      throw new KubeError({ reason: 'Conflict', status: 409, transient: false, message: 'conflict' });
    };
    expect(await run()).toEqual({ requeueAt: now + 50 });
  });
});

it('forgets a policy that is gone', async () => {
  held = undefined;
  expect(await run()).toEqual({});
  expect(metrics).toEqual([['prod', undefined, undefined]]);
});
