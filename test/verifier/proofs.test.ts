import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Freshness } from '../../src/verifier/freshness.ts';
import { keepProving } from '../../src/verifier/proofs.ts';
import { listening } from '../audit/records.ts';

let stop: AbortController;
let freshness: Freshness;
/** When each list was asked for, and since when it was to tell of what is sealed; in milliseconds from the start. */
let lists: { at: number; since: number | undefined }[];
let answers: 'works' | 'fails' | 'hangs';
let strictest: number;
let signals: AbortSignal[];
const START = Date.parse('2026-11-23T10:00:00Z');

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  stop = new AbortController();
  freshness = new Freshness();
  lists = [];
  signals = [];
  answers = 'works';
  strictest = 30;
});
afterEach(() => {
  stop.abort();
  vi.useRealTimers();
});

function start(listedAt = START) {
  const { log, texts } = listening();
  const list = async (signal: AbortSignal, since: number | undefined) => {
    lists.push({ at: Date.now() - START, since: since === undefined ? undefined : since - START });
    signals.push(signal);
    if (answers === 'fails') throw new Error('no answer');
    if (answers === 'hangs')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))));
  };
  const ended = keepProving({ freshness, list, strictest: () => strictest, listedAt, now: Date.now, log }, stop.signal);
  return { ended, texts };
}

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const times = () => lists.map(({ at }) => at);

describe('what is pending', () => {
  it('is listed at once, and every two seconds from then on', async () => {
    start();
    await pass(6000);
    expect([times(), freshness.age()]).toEqual([[0, 2000, 4000, 6000], 0]);
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
    expect(times().length).toBe(4);
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
    expect([times(), freshness.age(), texts[0]]).toEqual([
      [0, 2000],
      Number.POSITIVE_INFINITY,
      'pending revocations not listed',
    ]);
  });

  it('is tried again where a list hangs, which is cut after two seconds', async () => {
    answers = 'hangs';
    start();
    await pass(4000);
    expect([times(), signals[0]?.aborted]).toEqual([[0, 4000], true]);
  });
});

describe('what was sealed while nothing was proved', () => {
  const since = () => lists.map((list) => list.since);

  it('is still pending after a short time, and not asked for', async () => {
    start();
    await pass(1000);
    answers = 'fails';
    await pass(27_000);
    answers = 'works';
    await pass(2000);
    expect(new Set(since())).toEqual(new Set([undefined]));
  });

  it('is asked for after a longer time, from before the last proof on, until that works', async () => {
    start();
    await pass(1000);
    answers = 'fails';
    await pass(99_000);
    answers = 'works';
    await pass(4000);
    const asked = lists.filter((list) => list.since !== undefined);
    expect(asked[0]).toEqual({ at: 32_000, since: -30_000 });
    expect(asked.at(-1)).toEqual({ at: 102_000, since: -30_000 });
    expect(lists.at(-1)).toEqual({ at: 104_000, since: undefined });
  });

  it('is asked for where the ApiTokens took long to list', async () => {
    start(START - 100_000);
    await pass(2000);
    expect(since()).toEqual([-130_000, undefined]);
  });
});

describe('the end', () => {
  it('comes at once in a pause', async () => {
    const { ended } = start();
    await pass(500);
    stop.abort();
    await ended;
    expect([times(), vi.getTimerCount()]).toEqual([[0], 0]);
  });

  it('comes at once in a list, without a word', async () => {
    answers = 'hangs';
    const { ended, texts } = start();
    await pass(500);
    stop.abort();
    await ended;
    expect([times(), texts, vi.getTimerCount()]).toEqual([[0], [], 0]);
  });
});
