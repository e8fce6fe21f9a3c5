import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { composeValue, tokenIDOf } from '../../src/domain/value.ts';
import {
  type KubeClient,
  KubeError,
  type KubeErrorReason,
  type KubeObject,
  type ResourceType,
} from '../../src/ports.ts';
import type { EventObject } from '../../src/telemetry/event-api.ts';
import { type EventOptions, KubeEventRecorder } from '../../src/telemetry/events.ts';

const REGARDING = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  namespace: 'support',
  name: 'summarizer',
  uid: 'u1',
};
const ROTATED = { type: 'Normal', reason: 'Rotated', action: 'Rotate', note: 'Version 3 is Current.' } as const;
const MINUTE = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-23T10:00:00Z') });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Keeps Events as the API server does, and refuses what its validation refuses. */
class EventServer {
  readonly events = new Map<string, EventObject>();
  calls: string[] = [];
  failures: KubeErrorReason[] = [];
  /** The write takes effect, the answer is lost. */
  loseReply = false;
  gate: Promise<void> | undefined;

  readonly client = {
    create: async <T extends KubeObject>(type: ResourceType<T>, object: T) => {
      await this.#call(`POST ${type.group}/${type.version}/${type.plural}`);
      const event = object as unknown as EventObject;
      const key = `${event.metadata.namespace}/${event.metadata.name}`;
      if (this.events.has(key)) throw error('AlreadyExists');
      check(event);
      this.events.set(key, event);
      if (this.loseReply) {
        this.loseReply = false;
        throw error('Timeout');
      }
      return object;
    },
    mergePatch: async <T extends KubeObject>(
      _type: ResourceType<T>,
      key: { namespace?: string; name: string },
      patch: object,
    ) => {
      await this.#call('PATCH');
      const event = this.events.get(`${key.namespace}/${key.name}`);
      if (event === undefined) throw error('NotFound');
      check(Object.assign(event, patch));
      return event as unknown as T;
    },
  } as KubeClient;

  get list(): EventObject[] {
    return [...this.events.values()];
  }

  async #call(name: string): Promise<void> {
    this.calls.push(name);
    await this.gate;
    const failure = this.failures.shift();
    if (failure !== undefined) throw error(failure);
  }
}

function error(reason: KubeErrorReason): KubeError {
  const transient = ['Timeout', 'Unavailable', 'TooManyRequests'].includes(reason);
  return new KubeError({
    reason,
    status: 0,
    transient,
    message: reason,
    ...(reason === 'TooManyRequests' && { retryAfterSeconds: 5 }),
  });
}

/** pkg/apis/core/validation/events.go */
function check(event: EventObject): void {
  const valid =
    event.metadata.namespace === event.regarding.namespace &&
    /^[a-z0-9.-]{1,253}$/.test(event.metadata.name) &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(event.eventTime) &&
    event.reportingController === 'tokenwright.dev/operator' &&
    event.reportingInstance.length >= 1 &&
    [event.reportingInstance, event.action, event.reason].every((text) => Buffer.byteLength(text) <= 128) &&
    Buffer.byteLength(event.note) <= 1024 &&
    (event.series === undefined || event.series.count >= 2);
  if (!valid) throw error('Invalid');
}

function setUp(options: Partial<EventOptions> = {}) {
  const server = new EventServer();
  const clock = { now: () => Date.now() };
  const recorder = new KubeEventRecorder({ client: server.client, clock, reportingInstance: 'pod-1', ...options });
  return { server, recorder };
}

describe('an Event', () => {
  it('is one POST of events.k8s.io/v1, with what happened to whom, and who says so', async () => {
    const { server, recorder } = setUp();
    recorder.event(REGARDING, ROTATED);
    expect(server.calls).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls).toEqual(['POST events.k8s.io/v1/events']);
    expect(server.list).toEqual([
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { namespace: 'support', name: expect.stringMatching(/^summarizer\.[0-9a-f]+$/) },
        eventTime: '2026-11-23T10:00:00.000000Z',
        reportingController: 'tokenwright.dev/operator',
        reportingInstance: 'pod-1',
        regarding: REGARDING,
        ...ROTATED,
      },
    ]);
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(server.calls).toHaveLength(1);
  });

  it('has a note that the API server takes, however long it was', async () => {
    const { server, recorder } = setUp();
    recorder.event(REGARDING, { ...ROTATED, note: 'ü'.repeat(5_000) });
    await vi.advanceTimersByTimeAsync(0);
    expect(server.list[0]?.note).toMatch(/^ü{500,}…$/);
  });

  it('carries no value', async () => {
    const { server, recorder } = setUp();
    const value = composeValue('production', tokenIDOf('uid'), new Uint8Array(32).fill(7)).reveal();
    recorder.event(REGARDING, { ...ROTATED, note: `is ${value}` });
    await vi.advanceTimersByTimeAsync(0);
    expect(server.list[0]?.note).toBe('is [redacted]');
  });

  it.each([
    ['uid', { ...REGARDING, uid: 'u2' }, ROTATED],
    ['reason', REGARDING, { ...ROTATED, reason: 'Issued' }],
    ['note', REGARDING, { ...ROTATED, note: 'Version 4 is Current.' }],
    ['type', REGARDING, { ...ROTATED, type: 'Warning' }],
  ] as const)('of another %s is another Event', async (_, regarding, event) => {
    const { server, recorder } = setUp();
    recorder.event(REGARDING, ROTATED);
    recorder.event(regarding, event);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.list).toHaveLength(2);
  });
});

describe('a repeat', () => {
  it('before the Event is written goes with it', async () => {
    const { server, recorder } = setUp();
    for (let i = 0; i < 3; i++) recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.calls).toHaveLength(1);
    expect(server.list[0]?.series).toEqual({ count: 3, lastObservedTime: '2026-11-23T10:00:00.000000Z' });
  });

  it('is counted in the series, with one patch for many', async () => {
    const { server, recorder } = setUp();
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(1_000);
    for (let i = 0; i < 100; i++) recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(server.calls).toEqual(['POST events.k8s.io/v1/events', 'PATCH']);
    expect(server.list).toHaveLength(1);
    expect(server.list[0]?.series).toEqual({ count: 101, lastObservedTime: '2026-11-23T10:00:01.000000Z' });
    expect(recorder.counts).toEqual({ written: 2, repeated: 100, dropped: 0 });
  });

  it('belongs to the series within six minutes of the last, and begins another Event after that', async () => {
    const { server, recorder } = setUp();
    for (const wait of [0, 5 * MINUTE, 5 * MINUTE, 7 * MINUTE]) {
      await vi.advanceTimersByTimeAsync(wait);
      recorder.event(REGARDING, ROTATED);
    }
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(server.list.map(({ series }) => series?.count)).toEqual([3, undefined]);
  });

  it('begins another Event when the API server has forgotten the first', async () => {
    const { server, recorder } = setUp();
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    server.events.clear();
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(server.list).toHaveLength(1);
  });
});

describe('the rate', () => {
  it('is a burst, then so many a second', async () => {
    const { server, recorder } = setUp({ burst: 10, writesPerSecond: 2 });
    for (let i = 0; i < 50; i++) recorder.event({ ...REGARDING, uid: `u${i}` }, ROTATED);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.list).toHaveLength(10);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(server.list).toHaveLength(20);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.list).toHaveLength(50);
  });

  it('is one call at a time', async () => {
    const { server, recorder } = setUp();
    const gate = Promise.withResolvers<void>();
    server.gate = gate.promise;
    for (let i = 0; i < 5; i++) recorder.event({ ...REGARDING, uid: `u${i}` }, ROTATED);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.calls).toHaveLength(1);
    gate.resolve();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.list).toHaveLength(5);
  });
});

describe('too many', () => {
  it('are dropped and counted, Normal ones before Warnings', async () => {
    const { server, recorder } = setUp({ queueLimit: 10, burst: 1, writesPerSecond: 1 });
    for (let i = 0; i < 20; i++) recorder.event({ ...REGARDING, uid: `n${i}` }, ROTATED);
    expect(recorder.counts.dropped).toBe(11);
    recorder.event({ ...REGARDING, uid: 'w1' }, { ...ROTATED, type: 'Warning' });
    recorder.event({ ...REGARDING, uid: 'w2' }, { ...ROTATED, type: 'Warning' });
    expect(recorder.counts.dropped).toBe(12);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(server.list.map(({ type }) => type).filter((type) => type === 'Warning')).toHaveLength(1);
    expect(server.list).toHaveLength(10);
  });

  it('different ones do not grow without bound, and lose no count', async () => {
    const { server, recorder } = setUp({ burst: 100_000, queueLimit: 100_000 });
    for (let i = 0; i < 10_000; i++) recorder.event({ ...REGARDING, uid: `u${i}` }, ROTATED);
    await vi.advanceTimersByTimeAsync(0);
    recorder.event({ ...REGARDING, uid: 'u0' }, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    // u0 was pushed out, so it is an Event again and no repeat
    expect(server.list).toHaveLength(10_001);
  });
});

describe('a failure', () => {
  it('that may pass is tried again, and not sooner than the API server asks', async () => {
    const { server, recorder } = setUp();
    server.failures = ['TooManyRequests'];
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(server.calls).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(server.list).toHaveLength(1);
    expect(recorder.counts).toEqual({ written: 1, repeated: 0, dropped: 0 });
  });

  it('that lasts loses the Event, counted, after a few tries', async () => {
    const { server, recorder } = setUp();
    server.failures = Array(100).fill('Unavailable');
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(60 * MINUTE);
    expect(server.calls).toHaveLength(4);
    expect(recorder.counts.dropped).toBe(1);
  });

  it.each(['Forbidden', 'Invalid', 'NotFound'] as const)(
    'that will not pass (%s) loses the Event at once',
    async (reason) => {
      const { server, recorder } = setUp();
      server.failures = [reason];
      recorder.event(REGARDING, ROTATED);
      await vi.advanceTimersByTimeAsync(MINUTE);
      expect(server.calls).toHaveLength(1);
      expect(recorder.counts.dropped).toBe(1);
    },
  );

  it('of the answer alone makes no second Event', async () => {
    const { server, recorder } = setUp();
    server.loseReply = true;
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(server.list).toHaveLength(1);
    expect(recorder.counts).toEqual({ written: 1, repeated: 0, dropped: 0 });
  });

  it('never reaches the caller, whatever it is', async () => {
    const { recorder } = setUp();
    expect(() => recorder.event(REGARDING, { ...ROTATED, note: undefined as unknown as string })).not.toThrow();
    expect(recorder.counts.dropped).toBe(1);
    const broken = setUp({ clock: { now: () => 0 } });
    broken.server.client.create = () => Promise.reject(new Error('not a KubeError'));
    broken.recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(broken.recorder.counts.dropped).toBe(1);
  });
});

describe('stop', () => {
  it('writes what waits, whatever the rate, and the series', async () => {
    const { server, recorder } = setUp({ burst: 1, writesPerSecond: 1 });
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(0);
    recorder.event(REGARDING, ROTATED);
    for (let i = 0; i < 20; i++) recorder.event({ ...REGARDING, uid: `n${i}` }, ROTATED);
    await recorder.stop();
    expect(server.list).toHaveLength(21);
    expect(server.list[0]?.series?.count).toBe(2);
  });

  it('does not wait for an API server that does not answer', async () => {
    const { server, recorder } = setUp();
    server.gate = new Promise(() => {});
    for (let i = 0; i < 3; i++) recorder.event({ ...REGARDING, uid: `n${i}` }, ROTATED);
    const stopped = recorder.stop(2_000);
    await vi.advanceTimersByTimeAsync(2_000);
    await stopped;
    expect(recorder.counts.dropped).toBe(2);
  });

  it('takes no more', async () => {
    const { server, recorder } = setUp();
    await recorder.stop();
    recorder.event(REGARDING, ROTATED);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect([server.calls, recorder.counts.dropped]).toEqual([[], 1]);
  });
});
