/** Rate limits counted in this process: for one verifier, or where no store is shared. */
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import type { ApiTokenRateLimit } from '../api/apitoken.ts';
import { parseDuration } from '../domain/duration.ts';
import type { Quota, RateLimitAnswer, RateLimiter } from '../ports.ts';

/** One for each limit that any ApiToken has: few, since people write round numbers. The oldest goes when there are too many. */
const LIMITERS = 1000;

export class MemoryRateLimiter implements RateLimiter {
  readonly #limiters = new Map<string, RateLimiterMemory>();

  async take(tokenID: string, limits: readonly ApiTokenRateLimit[]): Promise<RateLimitAnswer> {
    let scarcest: Quota | undefined;
    for (const limit of limits) {
      const { allowed, quota } = await this.#consume(tokenID, limit);
      if (!allowed) return { allowed, quota };
      if (scarcest === undefined || quota.remaining < scarcest.remaining) scarcest = quota;
    }
    return { allowed: true, ...(scarcest && { quota: scarcest }) };
  }

  async #consume(tokenID: string, { requests, per }: ApiTokenRateLimit): Promise<{ allowed: boolean; quota: Quota }> {
    const windowSeconds = parseDuration(per) ?? 1;
    const result = await this.#limiter(requests, windowSeconds)
      .consume(tokenID)
      .then(
        (taken) => ({ allowed: true, taken }),
        (refused: unknown) => ({ allowed: false, taken: refused }),
      );
    if (!(result.taken instanceof RateLimiterRes)) throw result.taken;
    const { remainingPoints, msBeforeNext } = result.taken;
    const quota = {
      limit: requests,
      windowSeconds,
      remaining: remainingPoints,
      resetSeconds: Math.ceil(msBeforeNext / 1000),
    };
    return { allowed: result.allowed, quota };
  }

  #limiter(points: number, duration: number): RateLimiterMemory {
    const key = `${points}/${duration}`;
    const known = this.#limiters.get(key);
    if (known) return known;
    const [oldest] = this.#limiters.keys();
    if (oldest !== undefined && this.#limiters.size >= LIMITERS) this.#limiters.delete(oldest);
    const limiter = new RateLimiterMemory({ points, duration, keyPrefix: key });
    this.#limiters.set(key, limiter);
    return limiter;
  }
}
