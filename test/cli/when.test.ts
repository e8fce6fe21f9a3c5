import { expect, it } from 'vitest';
import { age, span, when } from '../../src/cli/when.ts';

it.each<[number, string]>([
  [0, '0s'],
  [119, '119s'],
  [120, '2m'],
  [599, '9m59s'],
  [600, '10m'],
  [3 * 3600 - 1, '179m'],
  [3 * 3600, '3h'],
  [3 * 3600 + 61, '3h1m'],
  [8 * 3600, '8h'],
  [48 * 3600 - 1, '47h'],
  [48 * 3600, '2d'],
  [50 * 3600, '2d2h'],
  [8 * 86_400, '8d'],
  [400 * 86_400, '400d'],
])('%i s are %s', (seconds, expected) => {
  expect(span(seconds)).toBe(expected);
});

const NOW = Date.parse('2026-01-01T00:00:00Z') / 1000;

it.each<[string | undefined, string | undefined, string | undefined]>([
  ['2026-01-01T00:02:00Z', 'in 2m', '0s'],
  ['2026-01-01T00:00:00Z', 'in 0s', '0s'],
  ['2025-12-31T23:57:00Z', '3m ago', '3m'],
  [undefined, undefined, undefined],
  ['soon', undefined, undefined],
])('%s is %s, and its age %s', (time, expected, old) => {
  expect([when(time, NOW + 0.4), age(time, NOW + 0.4)]).toEqual([expected, old]);
});
