/**
 * What to do about a token that the index does not know: a watch may be late. An unknown value of a known token id waits for the next shared
 * GET of its ApiToken, or until its watch tells of it; unknown ids share a small budget of look-ups, and are remembered for a while. So
 * junk costs the API server next to nothing.
 */
import { type Digest, type ParsedValue, sameDigest, type TokenID } from '../domain/value.ts';
import type { IndexedToken } from './indexed-token.ts';
import type { TokenIndex } from './token-index.ts';

export interface LookupOptions {
  index: Pick<TokenIndex, 'find'>;
  /** Reads one ApiToken into the index. */
  refresh(token: IndexedToken): Promise<void>;
  /** Reads the ApiTokens of a token id into the index. */
  search(id: TokenID, signal: AbortSignal): Promise<void>;
  /** Milliseconds, monotonic. */
  monotonic?: () => number;
}

/** What was presented and is not known. */
export type Sought = Pick<Extract<ParsedValue, { ok: true }>, 'tokenID' | 'digest'>;

/** How long a caller may wait, and the least time between two reads of one ApiToken. Milliseconds. */
const WAIT = 1000;
/** Look-ups in a second, all together: of unknown token ids, and of unknown values of known ones. */
const SEARCHES = 10;
const REFRESHES = 50;
/** An unknown token id is not looked for again for this long, in milliseconds. */
const NEGATIVE = 10_000;
/** Values that wait at once: with more, the one that waited longest is answered. Each holds a connection of a gateway, which has not many. */
const MOST_WAITING = 256;
/** Waits that one read ends are ended so many at a time, and other calls have their turn between: each is a verdict and an answer. */
const ENDED_AT_ONCE = 8;
/** Values that are remembered as unknown. */
const MOST_REFUTED = 10_000;

interface Wait {
  digest: Digest;
  over: Promise<void>;
  end: () => void;
}

export class Lookups {
  readonly #options: LookupOptions;
  readonly #now: () => number;
  /** The oldest first. */
  readonly #waits = new Map<Digest, Wait>();
  readonly #waitsOf = new Map<TokenID, Set<Wait>>();
  /** How many a read has ended in this turn of the event loop, and those that come next. */
  #ended = 0;
  readonly #ending: Wait[] = [];
  /** By UID: the read that has not begun yet, and when the last began. */
  readonly #coming = new Map<string, Promise<boolean>>();
  readonly #read = new Map<string, number>();
  /** Digests that a read begun after they were presented did not find. A value is sealed before it is handed out, so it never will be. */
  readonly #refuted = new Set<Digest>();
  readonly #searching = new Map<TokenID, Promise<void>>();
  readonly #unknown = new Map<TokenID, number>();
  readonly #searches: Allowance;
  readonly #refreshes: Allowance;

  constructor(options: LookupOptions) {
    this.#options = options;
    this.#now = options.monotonic ?? (() => performance.now());
    this.#searches = new Allowance(SEARCHES, this.#now());
    this.#refreshes = new Allowance(REFRESHES, this.#now());
  }

  /** The index may know more once this resolves, which it does within a second. Undefined: there is nothing to wait for. */
  lookUp(sought: Sought): Promise<void> | undefined {
    const known = this.#options.index.find(sought.tokenID);
    return known.length === 0 ? this.#search(sought.tokenID) : this.#wait(sought, known);
  }

  /** The index holds another state of an ApiToken with this id. */
  changed(id: TokenID): void {
    const waits = this.#waitsOf.get(id);
    if (waits === undefined) return;
    const known = this.#options.index.find(id);
    for (const wait of waits) if (holds(known, wait.digest)) wait.end();
  }

  #wait({ tokenID, digest }: Sought, known: readonly IndexedToken[]): Promise<void> | undefined {
    if (this.#refuted.has(digest)) return undefined;
    const joined = this.#waits.get(digest);
    if (joined) return joined.over;
    if (this.#waits.size >= MOST_WAITING) this.#waits.values().next().value?.end();

    const { promise: over, resolve } = Promise.withResolvers<void>();
    const waits = this.#waitsOf.get(tokenID) ?? new Set();
    this.#waitsOf.set(tokenID, waits);
    const timer = setTimeout(() => wait.end(), WAIT);
    const wait: Wait = {
      digest,
      over,
      end: () => {
        // ended before: what waits by now under this value or id is another
        if (this.#waits.get(digest) !== wait) return;
        clearTimeout(timer);
        this.#waits.delete(digest);
        waits.delete(wait);
        if (waits.size === 0) this.#waitsOf.delete(tokenID);
        resolve();
      },
    };
    this.#waits.set(digest, wait);
    waits.add(wait);
    void Promise.all(known.map((token) => this.#nextRead(token))).then((reads) => {
      if (!reads.every(Boolean)) return;
      this.#refute(digest);
      this.#endInTurn(wait);
    });
    return over;
  }

  #endInTurn(wait: Wait): void {
    if (this.#ended === 0) setImmediate(() => this.#turn());
    this.#ended += 1;
    if (this.#ended <= ENDED_AT_ONCE) wait.end();
    else this.#ending.push(wait);
  }

  #turn(): void {
    this.#ended = 0;
    for (const wait of this.#ending.splice(0, ENDED_AT_ONCE)) this.#endInTurn(wait);
  }

  #refute(digest: Digest): void {
    const [oldest] = this.#refuted;
    if (oldest !== undefined && this.#refuted.size >= MOST_REFUTED) this.#refuted.delete(oldest);
    this.#refuted.add(digest);
  }

  /** Shared by all who ask before it begins: one under way may have passed by what came after. False when it fails. */
  #nextRead(token: IndexedToken): Promise<boolean> {
    const coming = this.#coming.get(token.uid);
    if (coming) return coming;
    const delay = (this.#read.get(token.uid) ?? Number.NEGATIVE_INFINITY) + WAIT - this.#now();
    const read = async () => {
      await new Promise<void>((resolve) => (delay > 0 ? setTimeout(resolve, delay) : setImmediate(resolve)));
      this.#coming.delete(token.uid);
      const now = this.#now();
      if (!this.#refreshes.take(now)) return false;
      forget(this.#read, now - WAIT);
      this.#read.set(token.uid, now);
      return this.#options.refresh(token).then(
        () => true,
        () => false,
      );
    };
    const next = read();
    this.#coming.set(token.uid, next);
    return next;
  }

  #search(id: TokenID): Promise<void> | undefined {
    const joined = this.#searching.get(id);
    if (joined) return joined;
    const now = this.#now();
    if (now - (this.#unknown.get(id) ?? Number.NEGATIVE_INFINITY) < NEGATIVE) return undefined;
    if (!this.#searches.take(now)) return undefined;
    forget(this.#unknown, now - NEGATIVE);
    this.#unknown.set(id, now);
    const cut = new AbortController();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      cut.abort();
      late.resolve();
    }, WAIT);
    const search = this.#options.search(id, cut.signal).catch(() => {
      // nobody knows that it is unknown
      this.#unknown.delete(id);
    });
    const searching = Promise.race([search, late.promise]).finally(() => {
      clearTimeout(timer);
      this.#searching.delete(id);
    });
    this.#searching.set(id, searching);
    return searching;
  }
}

function holds(tokens: readonly IndexedToken[], digest: Digest): boolean {
  return tokens.some(({ versions }) => versions.some((version) => sameDigest(version.digest, digest)));
}

/** A token bucket: so many a second, and no more at once. */
class Allowance {
  readonly #rate: number;
  #left: number;
  #time: number;

  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#left = rate;
    this.#time = now;
  }

  take(now: number): boolean {
    this.#left = Math.min(this.#rate, this.#left + ((now - this.#time) * this.#rate) / 1000);
    this.#time = now;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}

/** Entries stand in the order of their times, so the old ones come first. There are no more than the allowance lets begin. */
function forget(times: Map<unknown, number>, before: number): void {
  for (const [key, time] of times) {
    if (time > before) return;
    times.delete(key);
  }
}
