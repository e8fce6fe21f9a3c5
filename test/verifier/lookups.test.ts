import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf, type TokenID } from '../../src/domain/value.ts';
import { Lookups } from '../../src/verifier/lookups.ts';
import { TokenIndex } from '../../src/verifier/token-index.ts';
import { indexed } from './tokens.ts';

type Read = 'works' | 'fails' | 'hangs';

/** What was read of the API server, and how it answers. */
class ApiServer {
  answers: Read = 'works';
  /** Each `works` only once this resolves. */
  release: Promise<void> = Promise.resolve();
  readonly reads: string[] = [];
  readonly signals: AbortSignal[] = [];

  async read(key: string, signal?: AbortSignal): Promise<void> {
    this.reads.push(key);
    if (signal) this.signals.push(signal);
    if (this.answers === 'hangs') await new Promise(() => {});
    if (this.answers === 'fails') throw new Error('no answer');
    await this.release;
  }
}

let server: ApiServer;
let index: TokenIndex;
let lookups: Lookups;
beforeEach(() => {
  vi.useFakeTimers();
  server = new ApiServer();
  index = new TokenIndex();
  lookups = new Lookups({
    index,
    refresh: (token) => server.read(token.uid),
    search: (id, signal) => server.read(id, signal),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The wait, and whether it is over. */
function begin(wait: Promise<void> | undefined) {
  const begun = { waits: wait !== undefined, over: false, wait };
  void wait?.then(() => {
    begun.over = true;
  });
  return begun;
}
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

const id = (number: number) => String(number).padStart(8, '0') as TokenID;
const search = (number = 1, seed = 1) =>
  begin(lookups.lookUp({ tokenID: id(number), digest: digestOf(`${number} ${seed}`) }));

const digestOfValue = (uid: string, seed: number) => digestOf(`${uid} ${seed}`);
const known = (uid: string, digest = digestOf('the one that it has')) => indexed({ uid, versions: [{ digest }] });
/** A value that the index does not know, of an ApiToken that it does. */
function miss(uid = 'uid-1', seed = 1) {
  const token = known(uid);
  if (index.find(token.tokenID).length === 0) index.put(token);
  return begin(lookups.lookUp({ tokenID: token.tokenID, digest: digestOfValue(uid, seed) }));
}
/** The watch tells of a version with this value. */
function learn(uid = 'uid-1', seed = 1): void {
  const token = known(uid, digestOfValue(uid, seed));
  index.put(token);
  lookups.changed(token.tokenID);
}

describe.each([
  ['a token id that is known', (seed?: number) => miss('uid-1', seed), 'uid-1'],
  ['a token id that is unknown', (seed?: number) => search(1, seed), id(1)],
] as const)('for %s', (_, lookUp, key) => {
  it('calls at the same time share one read, each with another value', async () => {
    const begun = Array.from({ length: 50 }, (_, seed) => lookUp(seed));
    await pass(50);
    expect([server.reads, begun.every(({ waits, over }) => waits && over)]).toEqual([[key], true]);
  });

  it('a call waits until it is read', async () => {
    const gate = Promise.withResolvers<void>();
    server.release = gate.promise;
    const begun = lookUp();
    await pass(999);
    const before = begun.over;
    gate.resolve();
    await pass(0);
    expect([before, begun.over]).toEqual([false, true]);
  });

  it.each(['fails', 'hangs'] as const)(
    'a read that %s holds nobody longer than a second, and throws nothing',
    async (answers) => {
      server.answers = answers;
      const begun = lookUp();
      await pass(1000);
      expect(begun.over).toBe(true);
      await expect(begun.wait).resolves.toBeUndefined();
    },
  );

  it('a read that hangs does not keep later ones away', async () => {
    server.answers = 'hangs';
    lookUp();
    await pass(60_000);
    server.answers = 'works';
    lookUp();
    await pass(0);
    expect(server.reads).toEqual([key, key]);
  });

  it('nothing is left running', async () => {
    lookUp();
    await pass(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an unknown value of a token id that is known', () => {
  it('waits for the next read, which comes within the second', async () => {
    miss('uid-1', 1);
    await pass(10);
    const fresh = miss('uid-1', 2);
    await pass(989);
    const before = [fresh.over, server.reads.length];
    await pass(1);
    expect([before, fresh.over, server.reads]).toEqual([[false, 1], true, ['uid-1', 'uid-1']]);
  });

  it('waits for a read that began after it, not for one under way', async () => {
    const gate = Promise.withResolvers<void>();
    server.release = gate.promise;
    const first = miss('uid-1', 1);
    await pass(10);
    const late = miss('uid-1', 2);
    gate.resolve();
    await pass(10);
    expect([first.over, late.over]).toEqual([true, false]);
  });

  it('waits no longer than until the watch tells of it', async () => {
    server.answers = 'hangs';
    const begun = miss();
    await pass(10);
    learn('uid-1', 2);
    await pass(0);
    const before = begun.over;
    learn('uid-1', 1);
    await pass(0);
    expect([before, begun.over]).toEqual([false, true]);
  });

  it('is waited for once, however many present it', async () => {
    miss('uid-1', 1);
    await pass(10);
    const [one, other] = [miss('uid-1', 2), miss('uid-1', 2)];
    expect(one.wait).toBe(other.wait);
  });

  it('is refused at once from then on', async () => {
    miss();
    await pass(0);
    const again = miss();
    await pass(60_000);
    expect([again.waits, miss().waits, server.reads]).toEqual([false, false, ['uid-1']]);
  });

  it('is not held for unknown where the read failed', async () => {
    server.answers = 'fails';
    miss();
    await pass(1000);
    expect(miss().waits).toBe(true);
  });

  it('of several ApiTokens has each of them read', async () => {
    const { tokenID } = known('a');
    index.find = () => [known('a'), known('b')];
    begin(lookups.lookUp({ tokenID, digest: digestOf('x') }));
    await pass(0);
    expect(server.reads).toEqual(['a', 'b']);
  });

  it('does not hold back that of another', async () => {
    miss('a');
    miss('b');
    await pass(0);
    expect(server.reads).toEqual(['a', 'b']);
  });
});

describe('a token id that is unknown', () => {
  it('is remembered as such for ten seconds', async () => {
    search();
    await pass(9999);
    const between = search();
    await pass(1);
    search();
    expect([between.waits, server.reads]).toEqual([false, [id(1), id(1)]]);
  });

  it('is not remembered where the search failed', async () => {
    server.answers = 'fails';
    search();
    await pass(0);
    server.answers = 'works';
    search();
    expect(server.reads).toEqual([id(1), id(1)]);
  });

  it('has a search that is late cut', async () => {
    server.answers = 'hangs';
    search();
    await pass(1000);
    expect(server.signals.map(({ aborted }) => aborted)).toEqual([true]);
  });
});

describe('junk', () => {
  /** How many reads a flood of as many different ids gets. */
  function flood(calls: number, first = 0): number {
    const before = server.reads.length;
    for (let i = 0; i < calls; i++) search(first + i);
    return server.reads.length - before;
  }

  it('costs no more than ten reads at once, and ten a second, whatever the number of calls', async () => {
    const atOnce = flood(5000);
    await pass(500);
    const later = flood(5000, 5000);
    await pass(60_000);
    expect([atOnce, later, flood(5000, 10_000)]).toEqual([10, 5, 10]);
  });

  it('does not starve ids that are known', async () => {
    flood(100);
    miss();
    await pass(0);
    expect(server.reads).toContain('uid-1');
  });

  it('with known ids costs no more than fifty reads at once', async () => {
    for (let i = 0; i < 200; i++) miss(`uid-${i}`);
    await pass(0);
    expect(server.reads.length).toBe(50);
  });

  it('that waits for one read is answered a few at a time, so that other calls have their turn', async () => {
    const waits = Array.from({ length: 100 }, (_, i) => miss('uid-1', i));
    const answered = () => waits.filter(({ over }) => over).length;
    const seen = [0];
    const otherCall = () => {
      seen.push(answered());
      if (answered() < waits.length) setImmediate(otherCall);
    };
    setImmediate(otherCall);
    await pass(50);
    expect([seen.at(-1), server.reads]).toEqual([100, ['uid-1']]);
    expect(Math.max(...seen.map((count, i) => count - (seen[i - 1] ?? 0)))).toBeLessThanOrEqual(8);
  });

  it('with one known id costs one read a second', async () => {
    for (let i = 0; i < 299; i++) {
      miss('uid-1', i);
      await pass(10);
    }
    expect(server.reads.length).toBe(3);
  });

  it('ends the wait of the oldest where too many wait', async () => {
    server.answers = 'hangs';
    const begun = Array.from({ length: 266 }, (_, seed) => miss('uid-1', seed));
    await pass(0);
    expect(begun.map(({ over }) => over).indexOf(false)).toBe(10);
  });

  it('whose wait was ended early takes no later one with it', async () => {
    const gate = Promise.withResolvers<void>();
    server.release = gate.promise;
    miss('uid-1', 1);
    await pass(0);
    for (let i = 0; i < 256; i++) miss('uid-2', i);
    const fresh = miss('uid-1', 2);
    gate.resolve();
    await pass(0);
    learn('uid-1', 2);
    await pass(0);
    expect(fresh.over).toBe(true);
  });

  it('does not keep a fresh value from being found, even where its reads are used up', async () => {
    server.answers = 'hangs';
    for (let i = 0; i < 200; i++) miss(`uid-${i}`);
    await pass(0);
    const fresh = miss('uid-199', 2);
    await pass(500);
    learn('uid-199', 2);
    await pass(0);
    expect(fresh.over).toBe(true);
  });

  it('is forgotten after its ten seconds, however much follows', async () => {
    for (let i = 0; i < 300; i++) {
      await pass(100);
      search(i);
    }
    await pass(100);
    // what was searched for in the last ten seconds, and before
    expect([search(299).waits, search(201).waits, search(200).waits]).toEqual([false, false, true]);
  });
});
