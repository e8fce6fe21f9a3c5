import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import { pause } from '../../../src/engine/pause.ts';
import { JOIN_MS, Sweep } from '../../../src/reconcile/tokenpolicy/sweep.ts';
import { listening } from '../../audit/records.ts';
import { token } from './samples.ts';

const PAGE = 2;
const ALL = 'all namespaces';

let known: string[];
let news: Set<string>;
/** Namespaces that were listed. */
let lists: string[];
let judged: string[];
let told: string[];
let toldAll: string[];
/** Before each page. */
let answer: (page: number, signal: AbortSignal) => Promise<void> | void;
let texts: string[];
let sweep: Sweep;

function sweepOf(isEverywhere = true, msToJudge = 0): Sweep {
  const { log, texts: said } = listening();
  texts = said;
  return new Sweep({
    async *tokenPages({ namespace, signal }) {
      lists.push(namespace ?? ALL);
      const keys = known.filter((key) => namespace === undefined || key.startsWith(`${namespace}/`));
      for (let start = 0; start < keys.length; start += PAGE) {
        await answer(start / PAGE, signal);
        yield keys.slice(start, start + PAGE).map((key) => token(key));
      }
    },
    tokenKeys: () => known,
    isEverywhere,
    isNews: (one) => {
      judged.push(keyOf(one));
      vi.setSystemTime(Date.now() + msToJudge);
      return news.has(keyOf(one));
    },
    tell: (one) => told.push(keyOf(one)),
    tellNamespaces: (isConcerned) => toldAll.push(...['shop', 'lab'].filter(isConcerned)),
    pause,
    log,
    clock: { now: () => Date.now() },
  });
}

const keyOf = ({ metadata: { namespace, name } }: ApiToken) => `${namespace}/${name}`;
const named = (namespace: string) => (one: string) => one === namespace;
const everything = () => true;

/** Until it is said how the sweep ended, which its log does. */
async function swept(times = 1): Promise<void> {
  await vi.advanceTimersByTimeAsync(JOIN_MS);
  await vi.waitFor(() => expect(texts).toHaveLength(times));
}

beforeEach(() => {
  // what lets others have their turn is not a matter of time
  vi.useFakeTimers({ now: Date.parse('2026-11-23T12:00:00Z'), toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  known = ['shop/a', 'shop/b', 'shop/c', 'lab/a', 'lab/b'];
  news = new Set();
  [lists, judged, told, toldAll] = [[], [], [], []];
  answer = () => {};
  sweep = sweepOf();
});

afterEach(async () => {
  await sweep.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('after a change of policies', () => {
  it('nobody is looked at again where the verdicts stay the same', async () => {
    sweep.add(everything);
    await swept();
    expect(judged).toEqual(known);
    expect([told, toldAll]).toEqual([[], []]);
  });

  it('those are of which the policies say something else', async () => {
    news = new Set(['shop/c', 'lab/a']);
    sweep.add(everything);
    await swept();
    expect([told, toldAll]).toEqual([['shop/c', 'lab/a'], []]);
  });

  it('only the namespaces concerned are listed, where that is less', async () => {
    known = [...known, ...Array.from({ length: 20 }, (_, index) => `mill/${index}`)];
    sweep.add(named('lab'));
    await swept();
    expect([lists, judged]).toEqual([['lab'], ['lab/a', 'lab/b']]);
  });

  it('all are listed at once where that is less, and those that are not concerned left out', async () => {
    sweep.add((namespace) => namespace !== 'lab');
    known = Array.from({ length: 20 }, (_, index) => `namespace-${index}/a`).concat('lab/a');
    await swept();
    expect([lists, judged]).toEqual([[ALL], known.slice(0, -1)]);
  });

  it('only namespaces are listed where others may not be', async () => {
    sweep = sweepOf(false);
    sweep.add(everything);
    await swept();
    expect([lists, judged]).toEqual([['shop', 'lab'], known]);
  });

  it('nothing is listed where there is no ApiToken that it concerns', async () => {
    sweep.add(named('empty'));
    await swept();
    expect([lists, judged]).toEqual([[], []]);
  });

  it('others get their turn before long', async () => {
    sweep = sweepOf(true, 5);
    known = Array.from({ length: 20 }, (_, index) => `shop/${index}`);
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (texts.length === 0) setImmediate(turn);
    };
    sweep.add(everything);
    setImmediate(turn);
    await swept();
    // 100 ms of judging, in slices of 10
    expect(turns).toBeGreaterThanOrEqual(10);
  });
});

describe('changes', () => {
  it('that come within a moment are swept for together', async () => {
    for (let change = 0; change < 100; change += 1) sweep.add(named(change % 2 === 0 ? 'shop' : 'lab'));
    await swept();
    await vi.advanceTimersByTimeAsync(10 * JOIN_MS);
    expect(judged).toEqual(known);
    expect(texts).toHaveLength(1);
  });

  it('that come while one is under way are swept for once more, after it', async () => {
    answer = (page) => {
      if (page !== 0 || lists.length > 1) return;
      sweep.add(named('lab'));
      sweep.add(named('lab'));
    };
    sweep.add(everything);
    await swept();
    expect(judged).toEqual(known);
    await swept(2);
    await vi.advanceTimersByTimeAsync(10 * JOIN_MS);
    expect(judged).toEqual([...known, 'lab/a', 'lab/b']);
  });

  it('that come after it are swept for, too', async () => {
    sweep.add(everything);
    await swept();
    sweep.add(everything);
    await swept(2);
    expect(judged).toEqual([...known, ...known]);
  });
});

it('where the list fails half-way, every ApiToken concerned is looked at again', async () => {
  answer = (page) => {
    if (page === 1) throw new Error('the continue token has expired');
  };
  sweep.add(named('shop'));
  await swept();
  expect(toldAll).toEqual(['shop']);
  expect(texts).toEqual([expect.stringContaining('every ApiToken concerned is looked at again')]);
  answer = () => {};
  sweep.add(named('shop'));
  await swept(2);
  expect(toldAll).toEqual(['shop']);
});

describe('when it is stopped', () => {
  it('a list under way is ended, and nobody is told', async () => {
    const listing = new Promise<void>((begun) => {
      answer = async (page, signal) => {
        if (page === 0) return;
        begun();
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      };
    });
    sweep.add(everything);
    await vi.advanceTimersByTimeAsync(JOIN_MS);
    await listing;
    await sweep.stop();
    expect([judged, told, toldAll, texts]).toEqual([['shop/a', 'shop/b'], [], [], []]);
  });

  it('one that waits does not begin, and none after it', async () => {
    sweep.add(everything);
    await sweep.stop();
    sweep.add(everything);
    await vi.advanceTimersByTimeAsync(JOIN_MS);
    expect([lists, texts]).toEqual([[], []]);
  });
});
