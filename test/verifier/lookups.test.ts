import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TokenID } from '../../src/domain/value.ts';
import { Lookups } from '../../src/verifier/lookups.ts';
import { indexed } from './tokens.ts';

type Read = 'works' | 'fails' | 'hangs';

/** What was read of the API server, and how it answers. */
class ApiServer {
  answers: Read = 'works';
  /** Each `works` only once this resolves. */
  release: Promise<void> = Promise.resolve();
  readonly reads: string[] = [];
  readonly signals: AbortSignal[] = [];

  async read(key: string, signal: AbortSignal): Promise<void> {
    this.reads.push(key);
    this.signals.push(signal);
    if (this.answers === 'hangs') await new Promise(() => {});
    if (this.answers === 'fails') throw new Error('no answer');
    await this.release;
  }
}

let server: ApiServer;
let lookups: Lookups;
let now: number;
beforeEach(() => {
  vi.useFakeTimers();
  server = new ApiServer();
  now = 5_000;
  lookups = new Lookups({
    refresh: (token, signal) => server.read(token.uid, signal),
    search: (id, signal) => server.read(id, signal),
    monotonic: () => now,
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const id = (number: number) => String(number).padStart(8, '0') as TokenID;
const known = (uid: string) => [indexed({ uid })];
const refresh = (uid = 'uid-1') => lookups.lookUp(indexed({ uid }).tokenID, known(uid));
const search = (number = 1) => lookups.lookUp(id(number), []);

describe.each([
  ['a token id that is known', () => refresh(), 'uid-1'],
  ['a token id that is unknown', () => search(), id(1)],
] as const)('for %s', (_, lookUp, key) => {
  it('calls at the same time share one read', async () => {
    const gate = Promise.withResolvers<void>();
    server.release = gate.promise;
    const waits = Array.from({ length: 50 }, lookUp);
    expect([server.reads, waits.every((wait) => wait !== undefined)]).toEqual([[key], true]);
    gate.resolve();
    await Promise.all(waits);
  });

  it('a call waits until it is read', async () => {
    const gate = Promise.withResolvers<void>();
    server.release = gate.promise;
    let done = false;
    const waiting = lookUp()?.then(() => {
      done = true;
    });
    await vi.advanceTimersByTimeAsync(999);
    const before = done;
    gate.resolve();
    await waiting;
    expect([before, done]).toEqual([false, true]);
  });

  it('a read that fails holds nobody and throws nothing', async () => {
    server.answers = 'fails';
    await expect(lookUp()).resolves.toBeUndefined();
  });

  it('a read that hangs holds nobody longer than a second, and is cut', async () => {
    server.answers = 'hangs';
    const wait = lookUp();
    await vi.advanceTimersByTimeAsync(1000);
    await expect(wait).resolves.toBeUndefined();
    expect(server.signals.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it('a read that hangs does not keep later ones away', async () => {
    server.answers = 'hangs';
    const wait = lookUp();
    await vi.advanceTimersByTimeAsync(1000);
    await wait;
    now += 60_000;
    server.answers = 'works';
    await lookUp();
    expect(server.reads).toEqual([key, key]);
  });

  it('nothing is left running', async () => {
    await lookUp();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a token id that is known', () => {
  it('is read once a second, and between that nobody waits', async () => {
    await refresh();
    now += 999;
    const between = refresh();
    now += 1;
    await refresh();
    expect([between, server.reads]).toEqual([undefined, ['uid-1', 'uid-1']]);
  });

  it('does not hold back another', async () => {
    await refresh('a');
    await refresh('b');
    expect(server.reads).toEqual(['a', 'b']);
  });

  it('of several ApiTokens has each of them read', async () => {
    await lookups.lookUp(id(1), [...known('a'), ...known('b')]);
    expect(server.reads).toEqual(['a', 'b']);
  });

  it('has those read that may be, where one was just read', async () => {
    await refresh('a');
    await lookups.lookUp(id(1), [...known('a'), ...known('b')]);
    expect(server.reads).toEqual(['a', 'b']);
  });
});

describe('a token id that is unknown', () => {
  it('is remembered as such for ten seconds', async () => {
    await search();
    now += 9_999;
    const between = search();
    now += 1;
    await search();
    expect([between, server.reads]).toEqual([undefined, [id(1), id(1)]]);
  });

  it('is not remembered where the search failed', async () => {
    server.answers = 'fails';
    await search();
    server.answers = 'works';
    await search();
    expect(server.reads).toEqual([id(1), id(1)]);
  });
});

describe('junk', () => {
  /** How many reads a flood of as many different ids gets. */
  function flood(calls: number, first = 0): number {
    const before = server.reads.length;
    for (let i = 0; i < calls; i++) void search(first + i);
    return server.reads.length - before;
  }

  it('costs no more than ten reads at once, and ten a second, whatever the number of calls', () => {
    const atOnce = flood(5000);
    now += 500;
    const later = flood(5000, 5000);
    now += 60_000;
    expect([atOnce, later, flood(5000, 10_000)]).toEqual([10, 5, 10]);
  });

  it('does not starve ids that are known', () => {
    flood(100);
    expect(refresh()).toBeDefined();
  });

  it('with known ids costs no more than fifty reads at once', () => {
    for (let i = 0; i < 200; i++) void refresh(`uid-${i}`);
    expect(server.reads.length).toBe(50);
  });

  it('is forgotten after its ten seconds, however much follows', async () => {
    for (let i = 0; i < 300; i++) {
      now += 100;
      await search(i);
    }
    now += 100;
    // what was searched for in the last ten seconds, and before
    expect([search(299), search(201)]).toEqual([undefined, undefined]);
    expect(search(200)).toBeDefined();
  });
});
