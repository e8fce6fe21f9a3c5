import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkQueue } from '../../src/engine/queue.ts';
import { type Reconcile, Workers } from '../../src/engine/workers.ts';
import { KubeError, type Logger } from '../../src/ports.ts';

const noon = Date.parse('2026-11-23T12:00:00Z');

let queue: WorkQueue;
let lines: [level: string, text: string, fields: object][];
let results: string[];
let all: Workers[];

beforeEach(() => {
  vi.useFakeTimers({ now: noon });
  queue = new WorkQueue({ controller: 'test', clock: { now: () => Date.now() }, firstRetryMs: 100, random: () => 1 });
  lines = [];
  results = [];
  all = [];
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(all.map((workers) => workers.stop(0)));
});

function work(reconcile: Reconcile, concurrency?: number): Workers {
  const note = (level: string) => (fields: object, text: string) => void lines.push([level, text, fields]);
  const log: Logger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
    child: () => log,
  };
  const metrics = { reconciled: (_controller: string, result: string) => void results.push(result) };
  const workers = new Workers({
    controller: 'test',
    queue,
    reconcile,
    log,
    metrics,
    ...(concurrency && { concurrency }),
  });
  all.push(workers);
  return workers.start();
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe('workers', () => {
  it.each([
    [undefined, 16],
    [3, 3],
  ])('with a concurrency of %s run %i reconciles at a time, never two of one key', async (concurrency, expected) => {
    const gates: (() => void)[] = [];
    const running: string[] = [];
    work(async (key) => {
      expect(running).not.toContain(key);
      running.push(key);
      await new Promise<void>((resolve) => gates.push(resolve));
      running.splice(running.indexOf(key), 1);
      return {};
    }, concurrency);
    for (let index = 0; index < 40; index += 1) queue.add(`k${index}`);
    await settle();
    expect(running).toHaveLength(expected);
    for (let index = 0; index < 40; index += 1) queue.add(`k${index}`);
    while (gates.length > 0) {
      gates.shift()?.();
      await settle();
      expect(running.length).toBeLessThanOrEqual(expected);
    }
    expect(results).toHaveLength(40 + expected);
  });

  it('come back to a key at the time that the reconcile asked for', async () => {
    const times: number[] = [];
    work(async () => {
      times.push(Date.now() - noon);
      return times.length < 3 ? { requeueAt: Date.now() + 5000 } : {};
    });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(times).toEqual([0, 5000, 10_000]);
    expect(results).toEqual(['requeue', 'requeue', 'success']);
  });

  it('come back to a key that failed, later each time until it succeeds', async () => {
    const times: number[] = [];
    let failures = 3;
    work(async () => {
      times.push(Date.now() - noon);
      if (failures-- > 0) throw new KubeError({ reason: 'Unavailable', status: 503, transient: true, message: 'busy' });
      return times.length < 5 ? { requeueAt: Date.now() + 1000 } : {};
    });
    queue.add('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(times).toEqual([0, 100, 300, 700, 1700]);
    expect(results).toEqual(['error', 'error', 'error', 'requeue', 'success']);
    failures = 1;
    queue.add('a');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(times.slice(5)).toEqual([60_000, 60_100]);
  });

  it('survive a reconcile that throws before its promise, or asks for no time that there is', async () => {
    let calls = 0;
    work((key) => {
      calls += 1;
      if (key === 'thrower') throw new TypeError('mine');
      return Promise.resolve({ requeueAt: Number.NaN });
    });
    queue.add('thrower');
    queue.add('nan');
    await vi.advanceTimersByTimeAsync(150);
    expect(calls).toBe(4);
    expect(results).toEqual(['error', 'error', 'error', 'error']);
  });
});

describe('a failure is logged', () => {
  async function logged(error: unknown) {
    work(async () => {
      throw error;
    });
    queue.add('ns/a');
    await settle();
    return lines[0];
  }

  it.each([
    ['Conflict', 'debug'],
    ['Forbidden', 'warn'],
  ] as const)('when the API server says %s as %s, with its sentence', async (reason, level) => {
    const [at, , fields] =
      (await logged(new KubeError({ reason, status: 409, transient: false, message: 'why' }))) ?? [];
    expect(at).toBe(level);
    expect(fields).toEqual({ controller: 'test', key: 'ns/a', reason, error: 'why' });
  });

  it('when it is a bug as an error, with where it is', async () => {
    const [at, text, fields] = (await logged(new TypeError('x is undefined'))) ?? [];
    expect([at, text]).toEqual(['error', 'reconcile failed unexpectedly, trying again']);
    expect(fields).toMatchObject({ error: 'TypeError: x is undefined', stack: expect.arrayContaining([]) });
    expect(JSON.stringify(fields)).toContain('workers.test.ts');
  });

  it('when it is of JSON.parse, without the text that it quotes', async () => {
    const parse = () => JSON.parse('hunter2');
    expect(parse).toThrow('hunter2');
    let error: unknown;
    try {
      parse();
    } catch (thrown) {
      error = thrown;
    }
    await logged(error);
    expect(JSON.stringify(lines)).not.toContain('hunter2');
    expect(JSON.stringify(lines)).toContain('SyntaxError');
  });
});

describe('stopping', () => {
  it('waits for what runs, and starts nothing more', async () => {
    const gate = Promise.withResolvers<void>();
    const started: string[] = [];
    let aborted = false;
    const workers = work(async (key, signal) => {
      started.push(key);
      await gate.promise;
      aborted = signal.aborted;
      return { requeueAt: Date.now() };
    }, 1);
    queue.add('a');
    queue.add('b');
    await settle();
    const stopped = workers.stop(10_000);
    await vi.advanceTimersByTimeAsync(9000);
    gate.resolve();
    expect(await stopped).toBe(true);
    expect(started).toEqual(['a']);
    expect(aborted).toBe(false);
  });

  it('fires the signal at the deadline, and does not wait for who does not heed it', async () => {
    const signals: AbortSignal[] = [];
    const workers = work((key, signal) => {
      signals.push(signal);
      if (key === 'deaf') return new Promise(() => {});
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    queue.add('deaf');
    queue.add('heeds');
    await settle();
    const stopped = workers.stop(5000);
    await vi.advanceTimersByTimeAsync(4999);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    await vi.advanceTimersByTimeAsync(200);
    expect(await stopped).toBe(false);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
    // What the signal ended is neither a failure nor worth a line.
    expect([lines, results]).toEqual([[], []]);
  });

  it('is done at once when nothing runs', async () => {
    expect(await work(async () => ({})).stop(10_000)).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
