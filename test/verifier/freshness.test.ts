import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Freshness } from '../../src/verifier/freshness.ts';

let now: number;
let freshness: Freshness;
beforeEach(() => {
  now = 1000;
  freshness = new Freshness(() => now);
});

/** A proof whose list takes so many milliseconds. */
const prove = (milliseconds = 0) =>
  freshness.prove(async () => {
    now += milliseconds;
  });

describe('the age of what is known', () => {
  it('is infinite before the first proof', () => {
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY);
  });

  it('is counted in seconds from the last proof', async () => {
    await prove();
    now += 2500;
    expect(freshness.age()).toBe(2.5);
  });

  it('is counted from when the list was asked for, since it may be as old as that', async () => {
    await prove(1500);
    expect(freshness.age()).toBe(1.5);
  });

  it('stays as it was where the list fails, and the caller learns why', async () => {
    await prove();
    now += 1000;
    await expect(freshness.prove(() => Promise.reject(new Error('no answer')))).rejects.toThrow('no answer');
    now += 1000;
    expect(freshness.age()).toBe(2);
  });

  it('stays infinite where the first list fails', async () => {
    await freshness.prove(() => Promise.reject(new Error('no answer'))).catch(() => {});
    expect(freshness.age()).toBe(Number.POSITIVE_INFINITY);
  });

  it('grows while a list hangs', async () => {
    await prove();
    void freshness.prove(() => new Promise(() => {}));
    now += 60_000;
    expect(freshness.age()).toBe(60);
  });

  it('is not set back by an older list that ends later', async () => {
    const slow = Promise.withResolvers<void>();
    const older = freshness.prove(() => slow.promise);
    now += 5000;
    await prove();
    slow.resolve();
    await older;
    expect(freshness.age()).toBe(0);
  });

  it('does not follow the clock of the machine when that is stepped', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const real = new Freshness();
      await real.prove(async () => {});
      vi.setSystemTime(Date.now() - 86_400_000);
      expect(real.age()).toBeGreaterThanOrEqual(0);
      vi.setSystemTime(Date.now() + 2 * 86_400_000);
      expect(real.age()).toBeLessThan(86_400);
    } finally {
      vi.useRealTimers();
    }
  });
});
