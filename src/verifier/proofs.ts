/** Proves again and again which revocations are in force: often enough for the strictest audience, and with no gap left open. */
import { once } from 'node:events';
import { LONGEST_GAP } from '../domain/revocation-steps.ts';
import type { Logger } from '../ports.ts';
import type { Freshness } from './freshness.ts';

export interface ProofsOptions {
  freshness: Pick<Freshness, 'proved' | 'age'>;
  /** Lists what is pending. */
  list(signal: AbortSignal): Promise<void>;
  /** Resolves once every ApiToken is known: all were listed after this began. */
  known: Promise<void>;
  /** Lists every ApiToken anew, which may take long. */
  relist(signal: AbortSignal): Promise<void>;
  /** The least staleness that an audience allows, in seconds. */
  strictest(): number;
  /** Milliseconds, monotonic. */
  monotonic?: () => number;
  log: Logger;
}

/** Milliseconds. */
const INTERVAL = 2000;
const LEAST_INTERVAL = 250;
/** A list that is slow proves all the same what stood when it was asked for. */
export const DEADLINE = { least: 2000, most: 6000 };

/** Until `stop` fires. */
export async function keepProving(options: ProofsOptions, stop: AbortSignal): Promise<void> {
  const proofs = new Proofs(options);
  while (!stop.aborted) {
    // from 6 s on, a list, a pause and a list again take no longer than the strictest audience allows
    const third = (options.strictest() * 1000) / 3;
    await proofs.prove(Math.min(DEADLINE.most, Math.max(DEADLINE.least, third)), stop);
    await pause(Math.min(INTERVAL, Math.max(LEAST_INTERVAL, third)), stop);
  }
  await proofs.end();
}

interface Listing {
  cut: AbortController;
  ended: Promise<void>;
}

/**
 * Lists of what is pending follow each other closely, from before the ApiTokens are listed, so that none is missed that is pending for a while.
 * After a gap in that row, orders may have been carried out and be gone: then every ApiToken is listed anew, while the new row goes on, and
 * proves nothing until that is done.
 */
class Proofs {
  readonly #options: ProofsOptions;
  readonly #monotonic: () => number;
  readonly #begunAt: number;
  /** When the last of the row that was answered was asked for. */
  #askedAt: number | undefined;
  /** Of the ApiTokens. */
  #listing: Listing | undefined;
  #isWhole = false;

  constructor(options: ProofsOptions) {
    this.#options = options;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#begunAt = this.#monotonic();
    this.#listing = this.#begin(() => Promise.resolve());
  }

  async prove(deadline: number, stop: AbortSignal): Promise<void> {
    const { freshness, list, relist, log } = this.#options;
    const askedAt = this.#monotonic();
    try {
      await within(deadline, stop, list);
    } catch (error) {
      if (!stop.aborted)
        log.warn({ err: error, staleSeconds: Math.round(freshness.age()) }, 'pending revocations not listed');
      return;
    }
    if (askedAt - (this.#askedAt ?? this.#begunAt) > LONGEST_GAP * 1000) {
      this.#isWhole = false;
      await this.end();
    }
    this.#askedAt = askedAt;
    if (this.#isWhole) freshness.proved(askedAt);
    else this.#listing ??= this.#begin(relist);
  }

  async end(): Promise<void> {
    this.#listing?.cut.abort();
    await this.#listing?.ended;
  }

  #begin(list: (signal: AbortSignal) => Promise<void>): Listing {
    const { freshness, known, log } = this.#options;
    const cut = new AbortController();
    const ended = Promise.race([known.then(() => list(cut.signal)), once(cut.signal, 'abort')])
      .then(
        () => {
          this.#isWhole = !cut.signal.aborted;
          if (this.#isWhole && this.#askedAt !== undefined) freshness.proved(this.#askedAt);
        },
        (error: unknown) => {
          if (!cut.signal.aborted) log.warn({ err: error }, 'ApiTokens not listed');
        },
      )
      .finally(() => {
        this.#listing = undefined;
      });
    return { cut, ended };
  }
}

async function within(milliseconds: number, stop: AbortSignal, act: (signal: AbortSignal) => Promise<void>) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  try {
    await act(AbortSignal.any([stop, late.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    stop.addEventListener('abort', done);
  });
}
