/** Rate limits, counted by token id in fixed windows. Where the counts are kept is the business of the counters that it is given. */
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import type { ApiTokenRateLimit } from '../api/apitoken.ts';
import { parseDuration } from '../domain/duration.ts';
import type { Quota, RateLimitAnswer, RateLimiter } from '../ports.ts';

/** A counter for all tokens that have this limit. `keyPrefix` tells its keys from those of others. */
export type MakeCounter = (limit: { points: number; duration: number; keyPrefix: string }) => RateLimiterAbstract;

/** One for each limit that any ApiToken has: few, since people write round numbers. The oldest goes when there are too many. */
const COUNTERS = 1000;

export class CountingRateLimiter implements RateLimiter {
  readonly #make: MakeCounter;
  readonly #counters = new Map<string, RateLimiterAbstract>();

  constructor(make: MakeCounter) {
    this.#make = make;
  }

  async take(tokenID: string, limits: readonly ApiTokenRateLimit[]): Promise<RateLimitAnswer> {
    let scarcest: Quota | undefined;
    // so that a burst which the short window refuses does not use up the long one
    const shortestFirst = limits.length > 1 ? limits.toSorted((a, b) => secondsOf(a) - secondsOf(b)) : limits;
    for (const limit of shortestFirst) {
      const { allowed, quota } = await this.#consume(tokenID, limit);
      if (!allowed) return { allowed, quota };
      if (scarcest === undefined || quota.remaining < scarcest.remaining) scarcest = quota;
    }
    return { allowed: true, ...(scarcest && { quota: scarcest }) };
  }

  async #consume(tokenID: string, limit: ApiTokenRateLimit): Promise<{ allowed: boolean; quota: Quota }> {
    const { requests } = limit;
    const windowSeconds = secondsOf(limit);
    const { allowed, counted } = await this.#counter(requests, windowSeconds)
      .consume(tokenID)
      .then(
        (taken) => ({ allowed: true, counted: taken }),
        (refused: unknown) => ({ allowed: false, counted: refused }),
      );
    // nobody counts: refused, for a second
    const { remainingPoints, msBeforeNext } =
      counted instanceof RateLimiterRes ? counted : { remainingPoints: 0, msBeforeNext: 1000 };
    const resetSeconds = Math.ceil(msBeforeNext / 1000);
    return { allowed, quota: { limit: requests, windowSeconds, remaining: remainingPoints, resetSeconds } };
  }

  #counter(points: number, duration: number): RateLimiterAbstract {
    const key = `${points}/${duration}`;
    const known = this.#counters.get(key);
    if (known) return known;
    const [oldest] = this.#counters.keys();
    if (oldest !== undefined && this.#counters.size >= COUNTERS) this.#counters.delete(oldest);
    const counter = this.#make({ points, duration, keyPrefix: `tokenwright:${key}` });
    this.#counters.set(key, counter);
    return counter;
  }
}

function secondsOf({ per }: ApiTokenRateLimit): number {
  return parseDuration(per) ?? 1;
}
