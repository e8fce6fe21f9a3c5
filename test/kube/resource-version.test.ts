import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareResourceVersions } from '../../src/kube/resource-version.ts';

describe('resourceVersions', () => {
  it('are ordered as unsigned integers of up to 128 bits (KEP-5504)', () => {
    const version = fc.bigInt({ min: 0n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(version, version, (a, b) => {
        const order = Math.sign(compareResourceVersions(String(a), String(b)));
        expect(order).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });

  it('that are missing are older than any', () => {
    expect(compareResourceVersions(undefined, '1')).toBeLessThan(0);
    expect(compareResourceVersions('1', '')).toBeGreaterThan(0);
    expect(compareResourceVersions(undefined, '')).toBe(0);
  });
});
