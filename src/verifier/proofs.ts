/** Proves again and again which revocations are in force: often enough for the strictest audience, and with no gap left open. */
import { FOUND_FOR } from '../domain/revocation-steps.ts';
import type { Logger } from '../ports.ts';
import type { Freshness } from './freshness.ts';

export interface ProofsOptions {
  freshness: Freshness;
  /** Lists what is pending. */
  list(signal: AbortSignal): Promise<void>;
  /** Lists what is pending, and every ApiToken: orders may have been carried out and be gone since the last proof. */
  listAll(signal: AbortSignal): Promise<void>;
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
const DEADLINE = 2000;
const DEADLINE_ALL = 60_000;
/** An order stays to be found for longer than this: after a longer time without a proof it may be pending no more. */
const GAP = (FOUND_FOR * 1000) / 2;

/** Until `stop` fires. */
export async function keepProving(options: ProofsOptions, stop: AbortSignal): Promise<void> {
  const { freshness, list, listAll, strictest, monotonic = () => performance.now(), log } = options;
  let provedAt = options.listedAt;
  while (!stop.aborted) {
    const asked = monotonic();
    const isGap = asked - provedAt > GAP;
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), isGap ? DEADLINE_ALL : DEADLINE);
    const signal = AbortSignal.any([stop, deadline.signal]);
    try {
      await freshness.prove(() => (isGap ? listAll(signal) : list(signal)));
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
