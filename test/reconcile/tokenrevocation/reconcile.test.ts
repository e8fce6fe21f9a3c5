import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import type { Revocation } from '../../../src/domain/revocation.ts';
import { KubeError } from '../../../src/ports.ts';
import { type RevocationDeps, reconcileRevocation } from '../../../src/reconcile/tokenrevocation/reconcile.ts';
import { listening } from '../../audit/records.ts';
import { type Change, FINALIZER, PENDING, revocation, token } from './samples.ts';

const CREATED = Date.parse('2026-11-23T12:00:00Z');
const HELD: Change = { metadata: { labels: PENDING, finalizers: [FINALIZER] } };
const UID = 'uid-support/leak';

let now: number;
let held: Revocation | undefined;
let tokens: ApiToken[];
let progress: { matched: number; left: number };
let calls: string[];
let hurried: string[];
/** What the API server has, where the watch is late. */
let there: Revocation | undefined;
let deps: RevocationDeps;

beforeEach(() => {
  now = CREATED;
  held = revocation('support/leak');
  tokens = [];
  progress = { matched: 0, left: 0 };
  calls = [];
  hurried = [];
  there = undefined;
  deps = {
    client: {
      get: async () => (there ?? held) as never,
      list: async () => [],
      mergePatch: async (_type, _key, patch, { subresource } = {}) => {
        if (subresource) return patchStatus(patch as Pick<Revocation, 'metadata' | 'status'>) as never;
        const { labels, finalizers } = (patch as { metadata: { labels: object; finalizers: string[] } }).metadata;
        calls.push(`marks ${JSON.stringify(labels)} ${finalizers.join()}`);
        const marks = Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== null));
        return { ...held, metadata: { ...held?.metadata, labels: marks, finalizers } } as never;
      },
      delete: async (_type, key, preconditions) => {
        calls.push(`delete ${key.name} ${JSON.stringify(preconditions)}`);
      },
    },
    async *tokenPages() {
      yield tokens;
    },
    governed: [],
    namespaces: new Map(),
    revocations: {
      get: () => held,
      observe: (revocation) => {
        held = revocation;
      },
    },
    book: { progress: () => progress },
    hurry: (key, order) => hurried.push(`${key} for ${order}`),
    verifiers: async () => ['v-1', 'v-2'],
    log: listening().log,
    clock: { now: () => now },
    retention: 3600,
  };
});

/** As the API server does, with its reply. */
function patchStatus({ metadata, status }: Pick<Revocation, 'metadata' | 'status'>) {
  const stored = there ?? held;
  // the uid is no precondition where a custom resource's status is written
  if (metadata.resourceVersion !== stored?.metadata.resourceVersion)
    throw new KubeError({ reason: 'Conflict', status: 409, transient: false, message: 'older' });
  calls.push(`status ${status?.sealed} ${status?.matched} ${status?.conditions?.map((c) => c.reason).join()}`);
  return { ...stored, status: { ...stored?.status, ...status } };
}

const step = () => reconcileRevocation(deps, 'support/leak');

describe('the verifiers whose receipts are to be expected', () => {
  beforeEach(() => {
    held = revocation('support/leak', HELD);
  });

  it('are noted when it is sealed', async () => {
    await step();
    expect(held?.status).toMatchObject({ sealed: true, expectedVerifiers: ['v-1', 'v-2'] });
  });

  it('are no reason to leave it unsealed', async () => {
    deps.verifiers = () => Promise.reject(new Error('no answer'));
    await step();
    expect(held?.status?.sealed).toBe(true);
    expect(held?.status).not.toHaveProperty('expectedVerifiers');
  });
});

describe('a revocation', () => {
  it('goes its way: held, sealed, let go, deleted', async () => {
    tokens = [token('support/a', { handled: [UID] })];
    expect(await step()).toEqual({ requeueAt: now });
    expect(await step()).toEqual({ requeueAt: now });
    expect(await step()).toEqual({ requeueAt: now + 30_000 });
    now += 30_000;
    await step();
    expect(await step()).toEqual({ requeueAt: CREATED + 3_600_000 });
    now = CREATED + 3_600_000;
    expect(await step()).toEqual({});
    expect(calls).toEqual([
      `marks {"tokenwright.dev/pending":"true"} ${FINALIZER}`,
      'status true 1 Sealed',
      'marks {"tokenwright.dev/pending":null} ',
      `delete leak {"uid":"${UID}","resourceVersion":"1"}`,
    ]);
    expect(held?.status).toMatchObject({ sealedTime: '2026-11-23T12:00:00Z', observedGeneration: 1 });
  });

  it('is not sealed on the word of the cache alone: who is left is hurried', async () => {
    held = revocation('support/leak', HELD);
    tokens = [token('support/a', { handled: [UID] }), token('support/b')];
    expect(await step()).toEqual({ requeueAt: now + 500 });
    expect(hurried).toEqual([`support/b for ${UID}`]);
    expect(calls).toEqual([]);
  });

  it('tells how many match where that takes long, once', async () => {
    held = revocation('support/leak', HELD);
    progress = { matched: 7, left: 3 };
    expect(await step()).toEqual({ requeueAt: CREATED + 5000 });
    now += 5000;
    expect(await step()).toEqual({});
    await step();
    expect(calls).toEqual(['status false 7 Sealing,Sealing']);
  });

  it('keeps the receipts of verifiers, and the finalizers of others', async () => {
    const receipts = [{ verifier: 'v', environment: 'e', afterMilliseconds: 1, time: '2026-11-23T12:00:00Z' }];
    held = revocation('support/leak', { metadata: { finalizers: ['example.com/x'] }, status: { receipts } });
    await step();
    expect(held?.metadata.finalizers).toEqual(['example.com/x', FINALIZER]);
    await step();
    expect(held?.status).toMatchObject({ sealed: true, receipts });
    now += 30_000;
    await step();
    expect(held?.metadata.finalizers).toEqual(['example.com/x']);
  });

  describe('whose watch is late when it is sealed', () => {
    const later = (change: Change) =>
      revocation('support/leak', {
        ...change,
        metadata: { ...HELD.metadata, resourceVersion: '2', ...change.metadata },
      });
    const receipts = [{ verifier: 'v', environment: 'e', afterMilliseconds: 1, time: '2026-11-23T12:00:00Z' }];
    beforeEach(() => {
      held = revocation('support/leak', HELD);
    });

    it('is sealed all the same, and keeps what others wrote', async () => {
      there = later({ status: { receipts } });
      expect(await step()).toEqual({ requeueAt: now });
      expect(held?.status).toMatchObject({ sealed: true, receipts });
    });

    it.each<[sentence: string, there: () => Revocation]>([
      ['was made anew', () => later({ metadata: { uid: 'another' } })],
      ['was sealed by another operator', () => later({ status: { sealed: true, matched: 9 } })],
    ])('is left alone where it %s', async (_, found) => {
      there = found();
      expect(await step()).toEqual({ requeueAt: now + 50 });
      expect(calls).toEqual([]);
    });
  });

  it('is sealed as of the end of its proof, from which on it is to be found', async () => {
    held = revocation('support/leak', HELD);
    deps.verifiers = async () => {
      now += 20_000;
      return [];
    };
    await step();
    expect(held?.status?.sealedTime).toBe('2026-11-23T12:00:20Z');
  });

  it('is left alone where it reaches what others govern', async () => {
    held = revocation('leak');
    deps.governed = ['support'];
    expect(await reconcileRevocation(deps, 'leak')).toEqual({});
    expect(calls).toEqual([]);
  });

  it('that is gone is nothing to do', async () => {
    held = undefined;
    expect(await step()).toEqual({});
  });

  it.each(['Conflict', 'NotFound'] as const)('is looked at again after %s, without a fuss', async (reason) => {
    deps.client.mergePatch = async () => {
      throw new KubeError({ reason, status: 409, transient: false, message: reason });
    };
    expect(await step()).toEqual({ requeueAt: now + 50 });
  });

  it('whose write is refused goes to the back-off of the queue', async () => {
    deps.client.mergePatch = async () => {
      throw new KubeError({ reason: 'Forbidden', status: 403, transient: false, message: 'no' });
    };
    await expect(step()).rejects.toThrow('no');
  });

  it('keeps the time of its last transition while its status stays', async () => {
    held = revocation('support/leak', { ...HELD, spec: { afterwards: 'Block' } });
    progress = { matched: 2, left: 1 };
    now += 5000;
    await step();
    const [ready] = held?.status?.conditions ?? [];
    progress = { matched: 3, left: 1 };
    now += 5000;
    await step();
    expect(held?.status?.matched).toBe(3);
    expect(held?.status?.conditions?.[0]?.lastTransitionTime).toBe(ready?.lastTransitionTime);
  });
});
