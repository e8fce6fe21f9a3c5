/**
 * What to do about a token that the index does not know: a watch may be late. A known token id waits for one shared GET of its
 * ApiToken; unknown ones share a small budget of look-ups, and are remembered for a while. So junk costs the API server next to nothing.
 */
import type { TokenID } from '../domain/value.ts';
import type { IndexedToken } from './indexed-token.ts';

export interface LookupOptions {
  /** Reads one ApiToken into the index. */
  refresh(token: IndexedToken, signal: AbortSignal): Promise<void>;
  /** Reads the ApiTokens of a token id into the index. */
  search(id: TokenID, signal: AbortSignal): Promise<void>;
  /** Milliseconds, monotonic. */
  monotonic?: () => number;
}

/** How long a caller may wait, and the least time between two look-ups of one known token id. Milliseconds. */
const WAIT = 1000;
/** Look-ups in a second, all together: of unknown token ids, and of unknown values of known ones. */
const SEARCHES = 10;
const REFRESHES = 50;
/** An unknown token id is not looked for again for this long, in milliseconds. */
const NEGATIVE = 10_000;

export class Lookups {
  readonly #options: LookupOptions;
  readonly #now: () => number;
  /** By UID or token id: the look-up under way, or when the last began. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #refreshed = new Map<string, number>();
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
  lookUp(id: TokenID, known: readonly IndexedToken[]): Promise<void> | undefined {
    if (known.length === 0) return this.#search(id);
    const waits = known.map((token) => this.#refresh(token)).filter((wait) => wait !== undefined);
    return waits.length === 0 ? undefined : Promise.all(waits).then(() => undefined);
  }

  #refresh(token: IndexedToken): Promise<void> | undefined {
    const running = this.#running.get(token.uid);
    if (running) return running;
    const now = this.#now();
    if (now - (this.#refreshed.get(token.uid) ?? Number.NEGATIVE_INFINITY) < WAIT) return undefined;
    if (!this.#refreshes.take(now)) return undefined;
    forget(this.#refreshed, now - WAIT);
    this.#refreshed.set(token.uid, now);
    return this.#run(token.uid, (signal) => this.#options.refresh(token, signal));
  }

  #search(id: TokenID): Promise<void> | undefined {
    const running = this.#running.get(id);
    if (running) return running;
    const now = this.#now();
    if (now - (this.#unknown.get(id) ?? Number.NEGATIVE_INFINITY) < NEGATIVE) return undefined;
    if (!this.#searches.take(now)) return undefined;
    forget(this.#unknown, now - NEGATIVE);
    this.#unknown.set(id, now);
    return this.#run(id, async (signal) => {
      try {
        await this.#options.search(id, signal);
      } catch {
        // nobody knows that it is unknown
        this.#unknown.delete(id);
      }
    });
  }

  /** A look-up that fails or is late finds nothing; the verdict is then what the index says. */
  #run(key: string, read: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const late = Promise.withResolvers<void>();
    const cut = new AbortController();
    const timer = setTimeout(() => {
      cut.abort();
      late.resolve();
    }, WAIT);
    const reading = Promise.race([read(cut.signal), late.promise])
      .catch(() => {})
      .finally(() => {
        clearTimeout(timer);
        this.#running.delete(key);
      });
    this.#running.set(key, reading);
    return reading;
  }
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
