/** Proves again and again which revocations are in force: often enough for the strictest audience, and with no gap left open. */
import { FOUND_FOR } from '../domain/revocation-steps.ts';
import type { Logger } from '../ports.ts';
import type { Freshness } from './freshness.ts';

export interface ProofsOptions {
  freshness: Pick<Freshness, 'proved' | 'age'>;
  /** Lists what is pending. */
  list(signal: AbortSignal): Promise<void>;
  /** Lists every ApiToken, which may take long. */
  relist(signal: AbortSignal): Promise<void>;
  /** The least staleness that an audience allows, in seconds. */
  strictest(): number;
  /** When the ApiTokens that are known were listed, by the monotonic clock. */
  listedAt: number;
  /** Milliseconds, monotonic. */
  monotonic?: () => number;
  log: Logger;
}

/** Milliseconds. */
const INTERVAL = 2000;
const LEAST_INTERVAL = 250;
/** A list that is slow proves all the same what stood when it was asked for. */
const DEADLINE = { least: 2000, most: 8000 };
/** An order stays to be found for longer than this: after a longer time without a list it may be pending no more. */
const GAP = (FOUND_FOR * 1000) / 2;

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

/**
 * Lists of what is pending follow each other closely, so that none is missed that is pending for a while. After a gap in that row, orders may
 * have been carried out and be gone: then every ApiToken is listed, while the new row goes on, and proves nothing until that is done.
 */
class Proofs {
  readonly #options: ProofsOptions;
  readonly #monotonic: () => number;
  /** The last of the row. */
  #askedAt: number;
  #relisting: { cut: AbortController; ended: Promise<void> } | undefined;
  #isWhole = true;

  constructor(options: ProofsOptions) {
    this.#options = options;
    this.#monotonic = options.monotonic ?? (() => performance.now());
    this.#askedAt = options.listedAt;
  }

  async prove(deadline: number, stop: AbortSignal): Promise<void> {
    const { freshness, list, log } = this.#options;
    const askedAt = this.#monotonic();
    try {
      await within(deadline, stop, list);
    } catch (error) {
      if (!stop.aborted)
        log.warn({ err: error, staleSeconds: Math.round(freshness.age()) }, 'pending revocations not listed');
      return;
    }
    if (askedAt - this.#askedAt > GAP) {
      this.#isWhole = false;
      await this.end();
    }
    this.#askedAt = askedAt;
    if (this.#isWhole) freshness.proved(askedAt);
    else this.#relisting ??= this.#relist();
  }

  async end(): Promise<void> {
    this.#relisting?.cut.abort();
    await this.#relisting?.ended;
  }

  #relist(): { cut: AbortController; ended: Promise<void> } {
    const { relist, log } = this.#options;
    const cut = new AbortController();
    const ended = relist(cut.signal)
      .then(
        () => {
          this.#isWhole = !cut.signal.aborted;
        },
        (error: unknown) => {
          if (!cut.signal.aborted) log.warn({ err: error }, 'ApiTokens not listed');
        },
      )
      .finally(() => {
        this.#relisting = undefined;
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
