/** Where the calls of a token are counted. A new store is a function here. */
import { Redis } from 'ioredis';
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible';
import type { Logger, RateLimiter } from '../ports.ts';
import { CountingRateLimiter } from './counting.ts';

export interface RateLimitsOptions {
  /** Of a Valkey or Redis that all verifiers share; counted in this process alone unless given. */
  store: string | undefined;
  /** Verifiers among which the calls of a token are spread: what each allows by itself is a limit divided by this. */
  replicas: number;
  /** When the store does not answer: count by ourselves, or refuse. Never unlimited. */
  whenDown: 'local' | 'refuse';
  log: Logger;
}

export interface RateLimits extends RateLimiter {
  /** Of the store, as far as the last call told. */
  problem(): string | undefined;
  close(): Promise<void>;
}

/** A call does not wait longer for the store: it is counted by ourselves. Milliseconds. */
const STORE_DEADLINE = 250;
/** A store that says nothing for so long hangs, and is not just slow. Milliseconds. */
const STORE_SILENCE = 1000;

export function openRateLimits(options: RateLimitsOptions): RateLimits {
  return options.store === undefined ? local(options) : shared(options.store, options);
}

interface Limit {
  points: number;
  duration: number;
  keyPrefix: string;
}

function share({ points, ...limit }: Limit, replicas: number): RateLimiterMemory {
  return new RateLimiterMemory({ ...limit, points: Math.max(1, Math.floor(points / replicas)) });
}

function local({ replicas }: RateLimitsOptions): RateLimits {
  const limiter = new CountingRateLimiter((limit) => share(limit, replicas));
  return { take: (id, limits) => limiter.take(id, limits), problem: () => undefined, close: async () => {} };
}

function shared(url: string, { replicas, whenDown, log }: RateLimitsOptions): RateLimits {
  const storeClient = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: STORE_DEADLINE,
    // a store that hangs is left until it answers again: not every call is to wait for it
    socketTimeout: STORE_SILENCE,
    connectTimeout: 2000,
    retryStrategy: (times) => Math.min(2000, 50 * 2 ** Math.min(times, 6)),
  });
  let problem: string | undefined = 'not connected yet';
  storeClient.on('ready', () => {
    if (problem !== undefined) log.info({}, 'rate limit store connected');
    problem = undefined;
  });
  // an error without a listener would end the process
  storeClient.on('error', (error: NodeJS.ErrnoException) => {
    if (problem === undefined) log.warn({ code: error.code, whenDown }, 'rate limit store lost');
    problem = error.code ?? 'lost';
  });
  storeClient.on('close', () => {
    problem ??= 'disconnected';
  });
  const limiter = new CountingRateLimiter(
    (limit) =>
      new RateLimiterRedis({
        ...limit,
        storeClient,
        rejectIfRedisNotReady: true,
        ...(whenDown === 'local' && { insuranceLimiter: share(limit, replicas) }),
      }),
  );
  return {
    take: (id, limits) => limiter.take(id, limits),
    problem: () => problem,
    close: async () => storeClient.disconnect(),
  };
}
