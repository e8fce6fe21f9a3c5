import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LeaderElection, type LeadershipEnd, type LeaderTiming } from '../../src/engine/leader.ts';
import {
  KubeError,
  type KubeErrorReason,
  type KubeObject,
  type Logger,
  type ObjectKey,
  type ResourceType,
} from '../../src/ports.ts';

type Lease = KubeObject & { spec: Record<string, unknown> };

function refusal(reason: KubeErrorReason): KubeError {
  return new KubeError({ reason, status: 0, transient: true, message: reason });
}

/** One Lease, under the API server's preconditions. */
class FakeLeases {
  lease: Lease | undefined;
  writes = 0;
  /** Called before each request by this candidate; may throw or never resolve. */
  readonly trouble = new Map<string, () => Promise<void> | void>();
  #version = 0;

  client(identity: string) {
    const trouble = async () => this.trouble.get(identity)?.();
    return {
      get: async <T extends KubeObject>(_type: ResourceType<T>, _key: ObjectKey): Promise<T> => {
        await trouble();
        if (this.lease === undefined) throw refusal('NotFound');
        return structuredClone(this.lease) as KubeObject as T;
      },
      create: async <T extends KubeObject>(_type: ResourceType<T>, object: T): Promise<T> => {
        await trouble();
        if (this.lease !== undefined) throw refusal('AlreadyExists');
        return this.#store(object);
      },
      replace: async <T extends KubeObject>(_type: ResourceType<T>, object: T): Promise<T> => {
        await trouble();
        if (this.lease === undefined) throw refusal('NotFound');
        if (object.metadata.resourceVersion !== this.lease.metadata.resourceVersion) throw refusal('Conflict');
        return this.#store(object);
      },
    };
  }

  #store<T extends KubeObject>(object: T): T {
    this.#version += 1;
    this.writes += 1;
    const stored = { ...object, metadata: { ...object.metadata, uid: 'u', resourceVersion: String(this.#version) } };
    this.lease = structuredClone(stored) as KubeObject as Lease;
    return stored;
  }

  get holder(): unknown {
    return this.lease?.spec.holderIdentity;
  }
}

class Candidate {
  readonly stop = new AbortController();
  readonly told: boolean[] = [];
  leading = false;
  /** Resolve to let what it leads end after its signal. */
  drained: Promise<void> = Promise.resolve();
  readonly end: Promise<LeadershipEnd>;

  constructor(
    leases: FakeLeases,
    identity: string,
    options: { clock?: () => number; timing?: Partial<LeaderTiming> } = {},
  ) {
    const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
    const election = new LeaderElection({
      client: leases.client(identity),
      namespace: 'tokenwright',
      name: 'operator',
      identity,
      clock: { now: options.clock ?? Date.now },
      log,
      metrics: { leader: (isLeader) => void this.told.push(isLeader) },
      random: () => 1,
      ...(options.timing && { timing: options.timing }),
    });
    this.end = election.run(async (signal) => {
      this.leading = true;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      await this.drained;
      this.leading = false;
    }, this.stop.signal);
  }
}

let leases: FakeLeases;
let candidates: Candidate[];

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-23T12:00:00Z') });
  leases = new FakeLeases();
  candidates = [];
});

afterEach(async () => {
  leases.trouble.clear();
  for (const { stop } of candidates) stop.abort();
  await pass(60_000);
  await Promise.all(candidates.map(({ end }) => end));
  vi.useRealTimers();
});

function candidate(...given: ConstructorParameters<typeof Candidate> extends [unknown, ...infer Rest] ? Rest : never) {
  const one = new Candidate(leases, ...given);
  candidates.push(one);
  return one;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a candidate', () => {
  it('leads when there is no Lease, and writes one that kubectl can read', async () => {
    const a = candidate('a');
    await pass(10);
    expect(a.leading).toBe(true);
    expect(a.told).toEqual([false, true]);
    expect(leases.lease?.spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-11-23T12:00:00.000000Z',
      renewTime: '2026-11-23T12:00:00.000000Z',
      leaseTransitions: 0,
    });
  });

  it('does not lead while another renews', async () => {
    const [a, b] = [candidate('a'), candidate('b')];
    await pass(120_000);
    expect([a.leading, b.leading]).toEqual([true, false]);
    expect(leases.lease?.spec.renewTime).toBe('2026-11-23T12:02:00.000000Z');
    expect(leases.lease?.spec.leaseTransitions).toBe(0);
  });

  it('takes over at most 2 s after a leader that stopped', async () => {
    const a = candidate('a');
    await pass(10);
    const b = candidate('b');
    await pass(30_001);
    a.stop.abort();
    expect(await a.end).toBe('stopped');
    expect(leases.holder).toBe('');
    await pass(2000);
    expect(b.leading).toBe(true);
    expect(leases.lease?.spec.leaseTransitions).toBe(1);
  });

  it('takes over from a leader that died 15 to 19 s after its last renewal: it looks every 1 to 1.5 s', async () => {
    candidate('a');
    await pass(10);
    const b = candidate('b');
    await pass(20_000);
    leases.trouble.set('a', () => new Promise(() => {}));
    const before = leases.writes;
    await pass(12_900);
    expect([b.leading, leases.writes]).toEqual([false, before]);
    await pass(5800);
    expect(b.leading).toBe(true);
  });

  it.each([
    ['an hour behind', -3600_000],
    ['an hour ahead', 3600_000],
  ])('with a clock %s neither takes over early nor waits for long', async (_what, skew) => {
    const a = candidate('a');
    await pass(10);
    const b = candidate('b', { clock: () => Date.now() + skew });
    await pass(60_000);
    expect([a.leading, b.leading]).toEqual([true, false]);
    leases.trouble.set('a', () => new Promise(() => {}));
    await pass(18_700);
    expect(b.leading).toBe(true);
  });

  it('that finds itself the holder, after a restart, leads at once', async () => {
    const first = candidate('a');
    await pass(10);
    leases.trouble.set('a', () => {
      throw refusal('Unavailable');
    });
    first.stop.abort();
    await first.end;
    leases.trouble.clear();
    expect(leases.holder).toBe('a');
    const again = candidate('a');
    await pass(10);
    expect(again.leading).toBe(true);
    expect(leases.lease?.spec.leaseTransitions).toBe(0);
  });

  it('tries on while the API server is away', async () => {
    leases.trouble.set('a', () => {
      throw refusal('Unavailable');
    });
    const a = candidate('a');
    await pass(60_000);
    expect(a.leading).toBe(false);
    leases.trouble.clear();
    await pass(2000);
    expect(a.leading).toBe(true);
  });

  it('is only one of two that see a free Lease at the same time', async () => {
    const all = ['a', 'b', 'c'].map((identity) => candidate(identity));
    await pass(10);
    expect(all.filter(({ leading }) => leading)).toHaveLength(1);
  });

  it('that is stopped while it waits never leads', async () => {
    candidate('a');
    await pass(10);
    const b = candidate('b');
    await pass(5000);
    b.stop.abort();
    expect(await b.end).toBe('stopped');
    expect(b.told).toEqual([false]);
    expect(leases.holder).toBe('a');
  });
});

describe('a leader', () => {
  it.each<[string, () => Promise<void>]>([
    ['is refused', () => Promise.reject(refusal('Unavailable'))],
    ['gets no answer', () => new Promise(() => {})],
  ])('steps down 10 s after its last renewal when it %s, before another may lead', async (_what, trouble) => {
    const a = candidate('a');
    await pass(10);
    const b = candidate('b');
    await pass(10);
    leases.trouble.set('a', trouble);
    let both = false;
    let ended = Number.NaN;
    const start = Date.now();
    void a.end.then(() => {
      ended = Date.now() - start;
    });
    while (!b.leading) {
      await pass(100);
      both ||= a.leading && b.leading;
    }
    expect(await a.end).toBe('lost');
    expect(ended).toBeGreaterThan(7900);
    expect(ended).toBeLessThanOrEqual(10_100);
    expect(both).toBe(false);
    expect(a.told).toEqual([false, true, false]);
  });

  it('survives an outage that is shorter', async () => {
    const a = candidate('a');
    await pass(2100);
    leases.trouble.set('a', () => Promise.reject(refusal('Timeout')));
    await pass(7000);
    leases.trouble.clear();
    await pass(60_000);
    expect(a.leading).toBe(true);
  });

  it('steps down at once when the Lease is another’s, and leaves it alone', async () => {
    const a = candidate('a');
    await pass(10);
    await leases
      .client('x')
      .replace(leaseType, { ...present(), spec: { holderIdentity: 'x', leaseDurationSeconds: 15 } } as KubeObject);
    await pass(2100);
    expect(await a.end).toBe('lost');
    expect(leases.holder).toBe('x');
  });

  it('goes on when somebody edits the Lease, or deletes it', async () => {
    const a = candidate('a');
    await pass(10);
    await leases
      .client('x')
      .replace(leaseType, { ...present(), metadata: { ...present().metadata, labels: { a: 'b' } } });
    await pass(2100);
    expect(leases.lease?.metadata.labels).toEqual({ a: 'b' });
    leases.lease = undefined;
    await pass(2100);
    expect(leases.holder).toBe('a');
    expect(a.leading).toBe(true);
  });

  it('renews while what it leads drains, and releases after', async () => {
    const a = candidate('a');
    await pass(10);
    const gate = Promise.withResolvers<void>();
    a.drained = gate.promise;
    a.stop.abort();
    const before = leases.writes;
    await pass(6100);
    expect(leases.writes).toBe(before + 3);
    expect(leases.holder).toBe('a');
    gate.resolve();
    expect(await a.end).toBe('stopped');
    expect(leases.holder).toBe('');
  });

  it('that stops leaves alone a Lease that another has taken since', async () => {
    const a = candidate('a');
    await pass(10);
    const spec = { holderIdentity: 'x', leaseDurationSeconds: 15 };
    await leases.client('x').replace(leaseType, { ...present(), spec } as KubeObject);
    a.stop.abort();
    await a.end;
    expect(leases.holder).toBe('x');
  });

  it('may be a candidate again after it lost', async () => {
    const client = leases.client('a');
    const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
    const clock = { now: Date.now };
    const election = new LeaderElection({ client, namespace: 'n', name: 'l', identity: 'a', clock, log });
    const stop = new AbortController();
    const lead = (signal: AbortSignal) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const first = election.run(lead, stop.signal);
    await pass(10);
    leases.trouble.set('a', () => Promise.reject(refusal('Timeout')));
    await pass(11_000);
    expect(await first).toBe('lost');
    leases.trouble.clear();
    const second = election.run(lead, stop.signal);
    await pass(2000);
    stop.abort();
    expect(await second).toBe('stopped');
    expect(leases.holder).toBe('');
  });

  it('whose work fails releases the Lease and passes the failure on', async () => {
    const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
    const clock = { now: Date.now };
    const election = new LeaderElection({
      client: leases.client('a'),
      namespace: 'n',
      name: 'l',
      identity: 'a',
      clock,
      log,
    });
    const failing = election.run(() => Promise.reject(new RangeError('mine')), new AbortController().signal);
    await expect(failing).rejects.toThrow('mine');
    expect(leases.holder).toBe('');
  });
});

const leaseType: ResourceType = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

function present(): KubeObject {
  if (leases.lease === undefined) throw new Error('no Lease');
  return leases.lease;
}
