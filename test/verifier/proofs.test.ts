import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FOUND_FOR, LONGEST_GAP } from '../../src/domain/revocation-steps.ts';
import { Freshness } from '../../src/verifier/freshness.ts';
import { DEADLINE, keepProving } from '../../src/verifier/proofs.ts';
import { listening } from '../audit/records.ts';

let stop: AbortController;
let freshness: Freshness;
/** When each list of what is pending was asked for, in milliseconds from the start. */
let lists: number[];
/** Likewise of all ApiTokens. */
let relists: number[];
let answers: 'works' | 'fails' | 'hangs';
/** How long it takes to list all ApiTokens. */
let relistTakes: number;
let relistFails: boolean;
let strictest: number;
let signals: AbortSignal[];
/** When all ApiTokens are known at first. */
let knownAt: number;

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  stop = new AbortController();
  freshness = new Freshness(Date.now);
  lists = [];
  relists = [];
  signals = [];
  answers = 'works';
  relistTakes = 0;
  relistFails = false;
  strictest = 30;
  knownAt = 0;
});
afterEach(() => {
  stop.abort();
  vi.useRealTimers();
});

const cut = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))));

function start() {
  const { log, texts } = listening();
  const list = async (signal: AbortSignal) => {
    lists.push(Date.now());
    signals.push(signal);
    if (answers === 'fails') throw new Error('no answer');
    if (answers === 'hangs') await cut(signal);
  };
  const relist = async (signal: AbortSignal) => {
    relists.push(Date.now());
    if (relistFails) throw new Error('no answer');
    await Promise.race([cut(signal), sleep(relistTakes)]);
  };
  const known = knownAt === 0 ? Promise.resolve() : sleep(knownAt);
  const options = { freshness, list, known, relist, strictest: () => strictest, monotonic: Date.now, log };
  const ended = keepProving(options, stop.signal);
  return { ended, texts };
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));

describe('what is pending', () => {
  it('is listed at once, and every two seconds from then on', async () => {
    start();
    await pass(6000);
    expect([lists, freshness.age()]).toEqual([[0, 2000, 4000, 6000], 0]);
  });

  it.each([
    [1, 1000 / 3],
    [5, 5000 / 3],
    [3600, 2000],
    [Number.POSITIVE_INFINITY, 2000],
    [0, 250],
  ])('is listed often enough for an audience that allows %d s', async (seconds, interval) => {
    strictest = seconds;
    start();
    await pass(interval * 3 + 3);
    expect(lists.length).toBe(4);
  });

  it('keeps the strictest audience served: it is never stale while every list works', async () => {
    strictest = 1;
    start();
    let oldest = 0;
    for (let i = 0; i < 500; i++) {
      await pass(10);
      oldest = Math.max(oldest, freshness.age());
    }
    expect(oldest).toBeLessThan(1);
  });

  it('is tried again where a list fails, and nothing is proved', async () => {
    answers = 'fails';
    const { texts } = start();
    await pass(2000);
    expect([lists, freshness.age(), texts[0]]).toEqual([
      [0, 2000],
      Number.POSITIVE_INFINITY,
      'pending revocations not listed',
    ]);
  });

  it.each([
    [1, 2000, 1000 / 3],
    [12, 4000, 2000],
    [3600, 6000, 2000],
  ])(
    'is tried again where a list hangs, which for an audience that allows %d s is cut after %d ms',
    async (seconds, deadline, interval) => {
      strictest = seconds;
      answers = 'hangs';
      start();
      await pass(deadline - 1);
      const before = signals[0]?.aborted;
      await pass(1 + interval + 1);
      expect([before, signals[0]?.aborted, lists.length]).toEqual([false, true, 2]);
    },
  );
});

describe('every ApiToken', () => {
  /** The API server does not answer from the first second until this one. */
  async function outage(until: number) {
    const { texts } = start();
    await pass(1000);
    answers = 'fails';
    await pass(until - 1000);
    answers = 'works';
    return texts;
  }

  it('is not listed after a short time without a proof', async () => {
    await outage(12_000);
    await pass(2000);
    expect([relists, freshness.age()]).toEqual([[], 0]);
  });

  it('need not be listed after a gap in which an order is still to be found, by a slow list and clocks that differ', () => {
    expect(FOUND_FOR - LONGEST_GAP - DEADLINE.most / 1000).toBeGreaterThanOrEqual(5);
  });

  it('is listed after a longer one, and nothing is proved before that is done', async () => {
    relistTakes = 3000;
    await outage(25_000);
    await pass(3999);
    const before = freshness.age();
    await pass(1);
    // by the list of what is pending that was asked for last
    expect([relists, before, freshness.age()]).toEqual([[26_000], 28.999, 1]);
  });

  it('may take any time to list, since what is pending is listed meanwhile', async () => {
    relistTakes = 100_000;
    await outage(25_000);
    await pass(103_000);
    expect([relists, freshness.age()]).toEqual([[26_000], 0]);
  });

  it('is listed anew where the API server falls silent again meanwhile', async () => {
    relistTakes = 50_000;
    await outage(25_000);
    await pass(2000);
    answers = 'fails';
    await pass(23_000);
    answers = 'works';
    await pass(51_999);
    const before = freshness.age();
    await pass(2001);
    expect([relists, before, freshness.age()]).toEqual([[26_000, 52_000], 101.999, 0]);
  });

  it('is listed again where that fails', async () => {
    const texts = await outage(25_000);
    relistFails = true;
    await pass(1000);
    const [failed, age] = [texts.at(-1), freshness.age()];
    relistFails = false;
    await pass(4000);
    expect([failed, age, relists, freshness.age()]).toEqual(['ApiTokens not listed', 26, [26_000, 28_000], 0]);
  });

  it('may take any time to list at first, since what is pending is listed meanwhile', async () => {
    knownAt = 100_001;
    start();
    await pass(100_000);
    const before = freshness.age();
    await pass(1);
    expect([relists, before, freshness.age()]).toEqual([[], Number.POSITIVE_INFINITY, 0.001]);
  });

  it('is listed again where nothing that is pending could be listed meanwhile', async () => {
    knownAt = 60_000;
    await outage(50_000);
    await pass(9999);
    const before = [...relists];
    await pass(2000);
    expect([before, relists, freshness.age()]).toEqual([[], [60_000], 1.999]);
  });
});

describe('the end', () => {
  it('comes at once in a pause', async () => {
    const { ended } = start();
    await pass(500);
    stop.abort();
    await ended;
    expect([lists, vi.getTimerCount()]).toEqual([[0], 0]);
  });

  it('comes at once while all are listed, without a word', async () => {
    knownAt = 60_000;
    const { ended, texts } = start();
    await pass(500);
    stop.abort();
    await ended;
    expect([lists, texts]).toEqual([[0], []]);
  });

  it('comes at once in a list, without a word', async () => {
    answers = 'hangs';
    const { ended, texts } = start();
    await pass(500);
    stop.abort();
    await ended;
    expect([lists, texts, vi.getTimerCount()]).toEqual([[0], [], 0]);
  });
});
