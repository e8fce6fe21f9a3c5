import { RateLimiterMemory } from 'rate-limiter-flexible';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CountingRateLimiter, type MakeCounter } from '../../src/limits/counting.ts';
import type { RateLimitAnswer } from '../../src/ports.ts';

let made: string[];
let limiter: CountingRateLimiter;
const inMemory: MakeCounter = (limit) => {
  made.push(limit.keyPrefix);
  return new RateLimiterMemory(limit);
};
beforeEach(() => {
  vi.useFakeTimers();
  made = [];
  limiter = new CountingRateLimiter(inMemory);
});
afterEach(() => {
  vi.useRealTimers();
});

const PER_MINUTE = { requests: 3, per: '1m' };
const PER_SECOND = { requests: 2, per: '1s' };

/** Whether each of so many calls, one after another, is allowed. */
async function calls(count: number, limits = [PER_MINUTE], tokenID = '7Yx3kQ2m'): Promise<boolean[]> {
  const answers: boolean[] = [];
  for (let i = 0; i < count; i++) answers.push((await limiter.take(tokenID, limits)).allowed);
  return answers;
}

const quotas = async (count: number, limits = [PER_MINUTE]) => {
  const answers: RateLimitAnswer[] = [];
  for (let i = 0; i < count; i++) answers.push(await limiter.take('7Yx3kQ2m', limits));
  return answers.map(({ quota }) => quota);
};

describe('a rate limit', () => {
  it('allows as many calls as it says, and then no more', async () => {
    expect(await calls(5)).toEqual([true, true, true, false, false]);
  });

  it('allows as many again once its window is over', async () => {
    await calls(5);
    vi.advanceTimersByTime(59_000);
    const before = await calls(1);
    vi.advanceTimersByTime(1_001);
    expect([before, await calls(4)]).toEqual([[false], [true, true, true, false]]);
  });

  it('allows no more to many calls at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => limiter.take('7Yx3kQ2m', [PER_MINUTE])));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(3);
  });

  it('counts each token by itself', async () => {
    await calls(3);
    expect(await calls(4, [PER_MINUTE], 'another1')).toEqual([true, true, true, false]);
  });

  it('is the same in another spelling', async () => {
    await calls(2);
    expect(await calls(2, [{ requests: 3, per: '60s' }])).toEqual([true, false]);
  });

  it('says what is left, and when it begins anew', async () => {
    const told = await quotas(1);
    vi.advanceTimersByTime(20_000);
    expect([...told, ...(await quotas(3))]).toEqual([
      { limit: 3, windowSeconds: 60, remaining: 2, resetSeconds: 60 },
      { limit: 3, windowSeconds: 60, remaining: 1, resetSeconds: 40 },
      { limit: 3, windowSeconds: 60, remaining: 0, resetSeconds: 40 },
      { limit: 3, windowSeconds: 60, remaining: 0, resetSeconds: 40 },
    ]);
  });

  it('is none where there is none', async () => {
    expect(await limiter.take('7Yx3kQ2m', [])).toEqual({ allowed: true });
  });
});

describe('several rate limits', () => {
  it.each([[[PER_SECOND, PER_MINUTE]], [[PER_MINUTE, PER_SECOND]]])(
    'hold all of them, in whatever order: %j',
    async (limits) => {
      const first = await calls(3, limits);
      vi.advanceTimersByTime(1_001);
      expect([first, await calls(2, limits)]).toEqual([
        [true, true, false],
        [true, false],
      ]);
    },
  );

  it.each([[[PER_SECOND, PER_MINUTE]], [[PER_MINUTE, PER_SECOND]]])(
    'tell of the one of which least is left: %j',
    async (limits) => {
      const [first] = await quotas(1, limits);
      vi.advanceTimersByTime(1_001);
      const [second] = await quotas(1, limits);
      vi.advanceTimersByTime(1_001);
      const [third] = await quotas(1, limits);
      expect([first?.limit, second?.remaining, third?.limit, third?.remaining]).toEqual([2, 1, 3, 0]);
    },
  );

  it.each([[[PER_SECOND, { requests: 10, per: '1h' }]], [[{ requests: 10, per: '1h' }, PER_SECOND]]])(
    'do not let a burst that the short one refuses use up the long one: %j',
    async (limits) => {
      await calls(100, limits);
      vi.advanceTimersByTime(1_001);
      expect(await calls(2, limits)).toEqual([true, true]);
    },
  );
});

describe('a counter', () => {
  it('is made once for all tokens that have the limit, with keys of its own', async () => {
    await calls(2);
    await calls(2, [PER_MINUTE, PER_SECOND], 'another1');
    expect(made).toEqual(['tokenwright:3/60', 'tokenwright:2/1']);
  });

  it('that does not work refuses, for a second, and throws nothing', async () => {
    const broken: MakeCounter = (limit) =>
      Object.assign(new RateLimiterMemory(limit), { consume: async () => Promise.reject(new Error('lost')) });
    expect(await new CountingRateLimiter(broken).take('7Yx3kQ2m', [PER_MINUTE])).toEqual({
      allowed: false,
      quota: { limit: 3, windowSeconds: 60, remaining: 0, resetSeconds: 1 },
    });
  });

  it('is one of a bounded number', async () => {
    for (let requests = 1; requests <= 1001; requests++) await calls(1, [{ requests, per: '1m' }]);
    const before = made.length;
    await calls(1, [{ requests: 1001, per: '1m' }]);
    const kept = made.length;
    await calls(1, [{ requests: 1, per: '1m' }]);
    expect([before, kept, made.length]).toEqual([1001, 1001, 1002]);
  });
});
