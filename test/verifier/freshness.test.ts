import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Freshness } from '../../src/verifier/freshness.ts';

let now: number;
let freshness: Freshness;
beforeEach(() => {
  now = 1000;
  freshness = new Freshness(() => now);
});

describe('the age of what is known', () => {
  it('is infinite before the first proof', () => {
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is counted in seconds from when the last proof was asked for', () => {
    freshness.proved(now);
    now += 2500;
    expect(freshness.age()).toBe(2.5);
  });

  it('is not set back by an older proof that ends later', () => {
    freshness.proved(now);
    freshness.proved(now - 5000);
    expect(freshness.age()).toBe(0);
  });

  it('does not follow the clock of the machine when that is stepped', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const real = new Freshness();
      real.proved(performance.now());
      vi.setSystemTime(Date.now() - 86_400_000);
      expect(real.age()).toBeGreaterThanOrEqual(0);
      vi.setSystemTime(Date.now() + 2 * 86_400_000);
      expect(real.age()).toBeLessThan(86_400);
    } finally {
      vi.useRealTimers();
    }
  });
});
