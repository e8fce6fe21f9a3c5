/** Proves again and again which revocations are in force: often enough for the strictest audience, and with no gap left open. */
import { FOUND_FOR } from '../domain/revocation-steps.ts';
import type { Logger } from '../ports.ts';
import type { Freshness } from './freshness.ts';

export interface ProofsOptions {
  freshness: Freshness;
  /** Lists what is pending; with `since`, in epoch milliseconds, also what was sealed from then on and is pending no more. */
  list(signal: AbortSignal, since: number | undefined): Promise<void>;
  /** The least staleness that an audience allows, in seconds. */
  strictest(): number;
  /** When the ApiTokens that are known were listed, in epoch milliseconds. */
  listedAt: number;
  now: () => number;
  log: Logger;
}

/** Milliseconds. */
const INTERVAL = 2000;
const LEAST_INTERVAL = 250;
const DEADLINE = 2000;
/** An order stays to be found for so long: after a longer time without a proof it may be pending no more. With room for clocks that differ. */
const GAP = (FOUND_FOR * 1000) / 2;

/** Until `stop` fires. */
export async function keepProving(options: ProofsOptions, stop: AbortSignal): Promise<void> {
  const { freshness, list, strictest, now, log } = options;
  let provedAt = options.listedAt;
  while (!stop.aborted) {
    const asked = now();
    const since = asked - provedAt > GAP ? provedAt - GAP : undefined;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), DEADLINE);
    try {
      await freshness.prove(() => list(AbortSignal.any([stop, deadline.signal]), since));
      provedAt = asked;
    } catch (error) {
      if (!stop.aborted)
        log.warn({ err: error, staleSeconds: Math.round(freshness.age()) }, 'pending revocations not listed');
    } finally {
      clearTimeout(timer);
    }
    await pause(Math.min(INTERVAL, Math.max(LEAST_INTERVAL, (strictest() * 1000) / 3)), stop);
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
