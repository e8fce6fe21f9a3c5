import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pattern } from '../../../src/domain/policy/pattern.ts';
import { FUZZ, fuzz, RUNS } from './stalls.ts';

/** Slow and obvious: an asterisk takes nothing, or one character and stands again. */
function reference(text: string, asked: string): boolean {
  if (text === '') return asked === '';
  if (text[0] === '*')
    return reference(text.slice(1), asked) || (asked !== '' && asked[0] !== ':' && reference(text, asked.slice(1)));
  return text[0] === asked[0] && reference(text.slice(1), asked.slice(1));
}

const TABLE: [pattern: string, asked: string, matches: boolean][] = [
  ['chat:write', 'chat:write', true],
  ['chat:write', 'chat:writer', false],
  ['chat:*', 'chat:write', true],
  ['chat:*', 'chat', false],
  ['chat:*', 'chat:write:all', false],
  ['chat:*', 'chats:write', false],
  ['*', 'chat', true],
  ['*', 'chat:write', false],
  ['*:*', 'chat:write', true],
  ['*:admin', 'users:admin', true],
  ['models:gpt-4*', 'models:gpt-4', true],
  ['models:gpt-4*', 'models:gpt-4o', true],
  ['models:gpt-4*', 'models:gpt-4:o', false],
  ['a:*:c', 'a::c', true],
  ['a.c', 'abc', false],
];

describe('a pattern', () => {
  it.each(TABLE)('%s on %s: %s', (text, asked, matches) => {
    expect(pattern(text)(asked)).toBe(matches);
  });

  it.each(['', ':', 'a:', ':a', 'a*b', '**', '*a', 'a:*b', 'a b', 'a:**', '[a]', 'a'.repeat(129)])(
    'is not %j',
    (text) => {
      expect(() => pattern(text)).toThrow(/is no pattern/);
    },
  );

  const letters = (maxLength: number) =>
    fc.array(fc.constantFrom('a', 'b', '.'), { maxLength }).map((all) => all.join(''));
  const segment = fc.tuple(letters(2), fc.constantFrom('', '', '*')).map(([head, star]) => `${head}${star}`);
  const texts = fc.array(segment, { minLength: 1, maxLength: 3 }).map((all) => all.join(':'));
  const asked = fc.array(letters(3), { minLength: 1, maxLength: 3 }).map((all) => all.join(':'));

  it('matches as the reference does', () => {
    const met = { matched: 0, not: 0 };
    fc.assert(
      fc.property(
        texts.filter((text) => !/^:|:$|^$/.test(text)),
        asked,
        (text, one) => {
          const expected = reference(text, one);
          met[expected ? 'matched' : 'not'] += 1;
          expect(pattern(text)(one)).toBe(expected);
        },
      ),
      { numRuns: Math.max(RUNS, 5000) },
    );
    // a reference that always says the same proves nothing
    expect(Math.min(met.matched, met.not)).toBeGreaterThan(50);
  });

  it('of anything is read, or refused in a sentence, and without a stall', FUZZ, async () => {
    const unit = fc.constantFrom('*', ':', 'a', '-', '/', '\\', '(', '+', '\n', '😀', '*:', 'a*');
    const anything = fc.oneof(
      fc.string({ maxLength: 200 }),
      fc.array(unit, { maxLength: 150 }).map((all) => all.join('')),
    );
    await fuzz(fc.tuple(anything, anything), ([text, one]) => {
      try {
        pattern(text)(one);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    });
  });
});
