import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type QueueOptions, WorkQueue } from '../../src/engine/queue.ts';

const noon = Date.parse('2026-11-23T12:00:00Z');

let queue: WorkQueue;

beforeEach(() => {
  vi.useFakeTimers({ now: noon });
  queue = newQueue();
});

afterEach(() => {
  queue.shutdown();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

function newQueue(options: Partial<QueueOptions> = {}): WorkQueue {
  return new WorkQueue({ controller: 'test', clock: { now: () => Date.now() }, random: () => 1, ...options });
}

/** All that can be taken now. They are being worked on until `done`. */
async function takeAll(from = queue): Promise<string[]> {
  const taken: string[] = [];
  while (from.depth > 0) taken.push((await from.take()) ?? '');
  return taken;
}

describe('a key', () => {
  it('waits once however often it is added', async () => {
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    expect(await takeAll()).toEqual(['a', 'b']);
  });

  it('is not handed out while it is being worked on, and once more after that', async () => {
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.add('a');
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(await takeAll()).toEqual(['a']);
    queue.done('a');
    expect(queue.depth).toBe(0);
  });

  it('goes to who waits for one, in the order in which they came', async () => {
    const takers = [queue.take(), queue.take(), queue.take()];
    for (const key of ['a', 'b', 'c']) queue.add(key);
    expect(await Promise.all(takers)).toEqual(['a', 'b', 'c']);
  });
});

describe('an urgent key', () => {
  it('goes before those that wait already', async () => {
    for (const key of ['a', 'b']) queue.add(key);
    queue.add('c', 'order');
    expect(await takeAll()).toEqual(['c', 'a', 'b']);
  });

  it('that waits already goes before, and once', async () => {
    for (const key of ['a', 'b', 'c']) queue.add(key);
    queue.add('c', 'order');
    queue.add('c', 'another');
    expect(queue.depth).toBe(3);
    expect(await takeAll()).toEqual(['c', 'a', 'b']);
    expect(queue.depth).toBe(0);
  });

  it('does not wait for the many of another group', async () => {
    for (let i = 0; i < 100; i += 1) queue.add(`broad-${i}`, 'broad');
    queue.add('narrow', 'narrow');
    expect([await queue.take(), await queue.take()]).toContain('narrow');
  });

  it('is urgent also when it was added while it is worked on', async () => {
    queue.add('a');
    await queue.take();
    queue.add('a', 'order');
    queue.add('a');
    queue.add('b');
    queue.done('a');
    expect(await takeAll()).toEqual(['a', 'b']);
  });

  it('does not stay so', async () => {
    queue.add('a', 'order');
    await queue.take();
    queue.done('a');
    for (const key of ['b', 'a']) queue.add(key);
    expect(await takeAll()).toEqual(['b', 'a']);
  });

  it('leaves a share to the others, however many are urgent', async () => {
    for (let i = 0; i < 100; i += 1) queue.add(`urgent-${i}`, 'order');
    for (let i = 0; i < 10; i += 1) queue.add(`plain-${i}`);
    const taken: (string | undefined)[] = [];
    for (let i = 0; i < 40; i += 1) taken.push(await queue.take());
    expect(taken.filter((key) => key?.startsWith('plain'))).toHaveLength(10);
  });

  it('counts one wait from when it was first added', async () => {
    const waits: number[] = [];
    const added: string[] = [];
    const metrics = {
      queueDepth: () => {},
      queueAdded: (controller: string) => void added.push(controller),
      queueWaited: (_: string, seconds: number) => void waits.push(seconds),
      queueRetried: () => {},
    };
    const measured = newQueue({ metrics });
    measured.add('a');
    await vi.advanceTimersByTimeAsync(1000);
    measured.add('a', 'order');
    await measured.take();
    expect(added).toHaveLength(1);
    expect(waits).toEqual([1]);
    measured.shutdown();
  });
});

describe('a key with a time', () => {
  it('is ready then, and not before', async () => {
    queue.addAt('a', noon + 5000);
    await vi.advanceTimersByTimeAsync(4999);
    expect(queue.depth).toBe(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(await takeAll()).toEqual(['a']);
  });

  it('is ready at once when that is past', () => {
    queue.addAt('a', noon);
    queue.addAfter('b', -1);
    expect(queue.depth).toBe(2);
  });

  it.each([
    [1000, 5000],
    [5000, 1000],
  ])('of two times (%i, %i) keeps the earlier', async (first, second) => {
    queue.addAfter('a', first);
    queue.addAfter('a', second);
    expect(queue.delayed).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await takeAll()).toEqual(['a']);
    queue.done('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queue.depth).toBe(0);
  });

  it('is ready at once when it is added meanwhile, and not again at the time', async () => {
    queue.addAfter('a', 1000);
    queue.add('a');
    expect(await takeAll()).toEqual(['a']);
    queue.done('a');
    await vi.advanceTimersByTimeAsync(2000);
    expect(queue.depth).toBe(0);
  });

  it('that comes while it is worked on is kept until then', async () => {
    queue.add('a');
    await queue.take();
    queue.addAfter('a', 1000);
    await vi.advanceTimersByTimeAsync(1000);
    expect(queue.depth).toBe(0);
    queue.done('a');
    expect(queue.depth).toBe(1);
  });

  it('a year away does not overflow a timer', async () => {
    queue.addAfter('a', 365 * 24 * 3600 * 1000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queue.depth).toBe(0);
    expect(queue.delayed).toBe(1);
  });

  it('for ever away is never', () => {
    queue.addAt('a', Number.POSITIVE_INFINITY);
    expect(queue.delayed).toBe(0);
  });

  it('that is no number is refused', () => {
    expect(() => queue.addAt('a', Number.NaN)).toThrow(TypeError);
  });

  it('is found within 10 s when the clock jumps ahead of the machine', async () => {
    let ahead = 0;
    queue = newQueue({ clock: { now: () => Date.now() + ahead } });
    queue.addAfter('a', 3600_000);
    ahead = 3600_000;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(queue.depth).toBe(1);
  });

  it('costs one timer, whatever the number of keys', () => {
    for (let index = 0; index < 1000; index += 1) queue.addAfter(`k${index}`, 1000 + ((index * 7919) % 1000));
    expect(vi.getTimerCount()).toBe(1);
  });

  it('that is moved again and again leaves nothing behind', () => {
    const retain = vi.spyOn(Array.prototype, 'filter');
    for (let index = 0; index < 10_000; index += 1) {
      queue.addAt('a', noon + 1e9);
      queue.addAt('b', noon + 2e9 - index);
      queue.add('a');
      void queue.take();
      queue.done('a');
    }
    // Void entries are dropped in bulk, each paid for by the many pushes before it.
    expect(retain.mock.calls.length).toBeGreaterThan(10);
    expect(retain.mock.calls.length).toBeLessThan(400);
    retain.mockRestore();
    expect(queue.delayed).toBe(1);
  });
});

describe('a key that fails', () => {
  async function waits(count: number): Promise<number[]> {
    const seen: number[] = [];
    for (let failure = 0; failure < count; failure += 1) {
      const before = Date.now();
      queue.retry('a');
      while (queue.depth === 0) await vi.advanceTimersToNextTimerAsync();
      seen.push(Date.now() - before);
      await takeAll();
      queue.done('a');
    }
    return seen;
  }

  it('waits twice as long each time, up to a limit', async () => {
    queue = newQueue({ firstRetryMs: 100, lastRetryMs: 1000 });
    expect(await waits(6)).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it('waits between half of that and all of it', async () => {
    queue = newQueue({ firstRetryMs: 100, lastRetryMs: 1000, random: () => 0 });
    expect(await waits(2)).toEqual([50, 100]);
  });

  it('starts over once it is forgotten', async () => {
    queue = newQueue({ firstRetryMs: 100 });
    await waits(3);
    queue.forget('a');
    expect(await waits(1)).toEqual([100]);
  });

  it('does not overflow after very many failures', async () => {
    for (let failure = 0; failure < 2000; failure += 1) queue.retry('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(queue.depth).toBe(1);
  });

  it('lets others go first, and is not starved by them either', async () => {
    for (const key of ['bad1', 'bad2', 'bad3']) queue.retry(key);
    await vi.advanceTimersByTimeAsync(1000);
    expect(queue.depth).toBe(3);
    for (let index = 0; index < 9; index += 1) queue.add(`new${index}`);
    const lanes = (await takeAll()).map((key) => key.slice(0, 3));
    expect(lanes).toEqual(Array(3).fill(['new', 'new', 'new', 'bad']).flat());
  });
});

describe('shutting down', () => {
  it('sends away who waits, and who comes later, though keys are ready', async () => {
    const waiting = queue.take();
    queue.addAfter('b', 1000);
    queue.shutdown();
    queue.add('a');
    queue.addAfter('c', 1000);
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
  });

  it('hands out nothing that became ready before', async () => {
    queue.add('a');
    queue.shutdown();
    expect(await queue.take()).toBeUndefined();
  });

  it('lets what is worked on end, and forgets that it was added again', async () => {
    queue.add('a');
    await queue.take();
    queue.add('a');
    queue.shutdown();
    queue.done('a');
    expect(queue.depth).toBe(0);
  });
});

it('counts what is added, how deep it is, how long it waited, and retries', async () => {
  const seen: unknown[][] = [];
  const note = (what: string) => (controller: string, value?: number) => void seen.push([what, controller, value]);
  const metrics = {
    queueAdded: note('added'),
    queueDepth: note('depth'),
    queueWaited: note('waited'),
    queueRetried: note('retried'),
  };
  queue = newQueue({ metrics });
  queue.add('a');
  await vi.advanceTimersByTimeAsync(1500);
  await queue.take();
  queue.retry('a');
  expect(seen).toEqual([
    ['added', 'test', undefined],
    ['depth', 'test', 1],
    ['depth', 'test', 0],
    ['waited', 'test', 1.5],
    ['retried', 'test', undefined],
  ]);
});

type Step =
  | { do: 'add' | 'retry' | 'forget'; key: string }
  | { do: 'after'; key: string; ms: number }
  | { do: 'take' | 'done' }
  | { do: 'pass'; ms: number };

const key = fc.constantFrom('a', 'b', 'c');
const ms = fc.integer({ min: 0, max: 300 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'retry' as const, 'forget' as const), key }),
  fc.record({ do: fc.constant('after' as const), key, ms }),
  fc.record({ do: fc.constantFrom('take' as const, 'done' as const) }),
  fc.record({ do: fc.constant('pass' as const), ms }),
);

it('never hands a key out twice at a time, loses none and invents none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const subject = newQueue({ firstRetryMs: 50, lastRetryMs: 200 });
      /** Latest time by which each key must have been ready. */
      const owed = new Map<string, number>();
      const working: string[] = [];
      const owe = (which: string, at: number) =>
        owed.set(which, Math.min(at, owed.get(which) ?? Number.POSITIVE_INFINITY));
      for (const one of steps) {
        if (one.do === 'add') subject.add(one.key);
        if (one.do === 'add') owe(one.key, Date.now());
        if (one.do === 'after') subject.addAfter(one.key, one.ms);
        if (one.do === 'after') owe(one.key, Date.now() + one.ms);
        if (one.do === 'retry') subject.retry(one.key);
        if (one.do === 'retry') owe(one.key, Date.now() + 200);
        if (one.do === 'forget') subject.forget(one.key);
        if (one.do === 'pass') await vi.advanceTimersByTimeAsync(one.ms);
        if (one.do === 'done') {
          const which = working.shift();
          if (which !== undefined) subject.done(which);
        }
        if (one.do === 'take' && subject.depth > 0) {
          const which = (await subject.take()) ?? '';
          expect(working).not.toContain(which);
          expect(owed.has(which)).toBe(true);
          owed.delete(which);
          working.push(which);
        }
      }
      for (const which of working) subject.done(which);
      await vi.advanceTimersByTimeAsync(1000);
      expect((await takeAll(subject)).sort()).toEqual([...owed.keys()].sort());
      expect(subject.delayed).toBe(0);
      subject.shutdown();
    }),
    { numRuns: 300 },
  );
});
