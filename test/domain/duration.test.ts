import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../src/domain/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['1m', 60],
    ['90m', 5400],
    ['1h30m', 5400],
    ['8h0m0s', 28_800],
    ['8760h', 31_536_000],
    ['0s', 0],
    ['30s1h', 3630],
    ['1h1h', 7200],
    ['00010s', 10],
    ['99999h59m59s', 359_999_999],
  ])('reads %s as %i seconds', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    '',
    '0',
    '1',
    'h',
    '1d',
    '1ms',
    '1.5h',
    '-1h',
    '+1h',
    ' 1h',
    '1h ',
    '1H',
    '1h\n',
    '100000h',
    '99999h60m',
    '99999h99999h',
    '1s1s1s1s1s',
    `${'1'.repeat(1000)}h`,
    '１h',
    '1e3s',
    '0x1h',
  ])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789hms.-') })), (text) => {
        const seconds = parseDuration(text);
        expect(seconds === undefined || Number.isSafeInteger(seconds)).toBe(true);
      }),
    );
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [59, '59s'],
    [60, '1m0s'],
    [3599, '59m59s'],
    [3600, '1h0m0s'],
    [28_800, '8h0m0s'],
    [31_536_000, '8760h0m0s'],
  ])('prints %i as Go does: %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it('prints what parseDuration reads', () => {
    fc.assert(
      fc.property(fc.nat(359_999_999), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
  });

  it.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses %d', (seconds) => {
    expect(() => formatDuration(seconds)).toThrow(RangeError);
  });
});
