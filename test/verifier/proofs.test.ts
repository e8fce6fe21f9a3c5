import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Freshness } from '../../src/verifier/freshness.ts';
import { keepProving } from '../../src/verifier/proofs.ts';
import { listening } from '../audit/records.ts';

let stop: AbortController;
let freshness: Freshness;
/** When each list was asked for, in milliseconds from the start, and whether it was of everything. */
let lists: { at: number; all: boolean }[];
let answers: 'works' | 'fails' | 'hangs';
let strictest: number;
let signals: AbortSignal[];

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
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

function start(listedAt = 0) {
  const { log, texts } = listening();
  const answer = async (signal: AbortSignal, all: boolean) => {
    lists.push({ at: Date.now(), all });
    signals.push(signal);
    if (answers === 'fails') throw new Error('no answer');
    if (answers === 'hangs')
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('cut'))));
  };
  const list = (signal: AbortSignal) => answer(signal, false);
  const listAll = (signal: AbortSignal) => answer(signal, true);
  const options = { freshness, list, listAll, strictest: () => strictest, listedAt, monotonic: Date.now, log };
  const ended = keepProving(options, stop.signal);
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

describe('every ApiToken', () => {
  const ofAll = () => lists.filter(({ all }) => all).map(({ at }) => at);

  it('is not listed after a short time without a proof', async () => {
    start();
    await pass(1000);
    answers = 'fails';
    await pass(27_000);
    answers = 'works';
    await pass(2000);
    expect(ofAll()).toEqual([]);
  });

  it('is listed after a longer one, until that works', async () => {
    start();
    await pass(1000);
    answers = 'fails';
    await pass(35_000);
    answers = 'works';
    await pass(4000);
    expect([ofAll(), lists.at(-1)]).toEqual([[32_000, 34_000, 36_000, 38_000], { at: 40_000, all: false }]);
  });

  it('is listed where it took long to list them at first', async () => {
    start(-100_000);
    await pass(2000);
    expect(lists).toEqual([
      { at: 0, all: true },
      { at: 2000, all: false },
    ]);
  });

  it('is given more time than what is pending', async () => {
    answers = 'hangs';
    start(-100_000);
    await pass(59_999);
    const before = signals[0]?.aborted;
    await pass(1);
    expect([before, signals[0]?.aborted]).toEqual([false, true]);
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
