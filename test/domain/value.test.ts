import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  composeValue,
  digestOf,
  isDigest,
  isTokenID,
  parseValue,
  sameDigest,
  type TokenID,
  TokenValue,
  tokenIDOf,
} from '../../src/domain/value.ts';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
interface Vectors {
  values: { uid: string; tokenID: TokenID; environment: string; entropy: string; value: string; digest: string }[];
  refusedValues: { why: string; value: string; problem: 'shape' | 'checksum' }[];
}
const vectors: Vectors = JSON.parse(readFileSync(new URL('../../docs/test-vectors.json', import.meta.url), 'utf8'));

const environments = fc.string({
  unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789-'),
  minLength: 1,
  maxLength: 24,
});
const entropies = fc.uint8Array({ minLength: 32, maxLength: 32 });
const tokenIDs = fc.uuid().map(tokenIDOf);
const values = fc
  .tuple(environments, tokenIDs, entropies)
  .map(([environment, tokenID, entropy]) => composeValue(environment, tokenID, entropy).reveal());

/** Looks random, is the same in every run. */
function entropyOf(seed: string): Uint8Array {
  return createHash('sha256').update(seed).digest();
}

const SAMPLES = ['a', 'production', 'eu-west-1--staging-00000'].flatMap((environment) =>
  ['1', '2', '3'].map((seed) => composeValue(environment, tokenIDOf(seed), entropyOf(seed)).reveal()),
);

describe('the value', () => {
  it.each(vectors.values)(
    'is composed as published: $environment',
    ({ uid, tokenID, environment, entropy, value, digest }) => {
      expect(tokenIDOf(uid)).toBe(tokenID);
      expect(composeValue(environment, tokenID, Buffer.from(entropy, 'hex')).reveal()).toBe(value);
      expect(parseValue(value)).toEqual({ ok: true, environment, tokenID, digest });
    },
  );

  it.each(vectors.refusedValues)('is refused as published: $why', ({ value, problem }) => {
    expect(parseValue(value)).toEqual({ ok: false, problem });
  });

  it('says what it was composed of', () => {
    fc.assert(
      fc.property(environments, tokenIDs, entropies, (environment, tokenID, entropy) => {
        const value = composeValue(environment, tokenID, entropy);
        expect(parseValue(value.reveal())).toEqual({ ok: true, environment, tokenID, digest: digestOf(value) });
      }),
    );
  });

  it('can be read in one way only: equal values were composed of equal parts', () => {
    const part = fc.tuple(
      fc.constantFrom('a', 'a-', '-a', 'aa', '0'),
      fc.constantFrom('1', '2'),
      fc.constantFrom('x', 'y'),
    );
    fc.assert(
      fc.property(part, part, (one, other) => {
        const [left, right] = [one, other].map(([environment, uid, seed]) =>
          composeValue(environment, tokenIDOf(uid), entropyOf(seed)).reveal(),
        );
        expect(left === right).toBe(one.join() === other.join());
      }),
    );
  });

  it('takes its checksum from the CRC-32 of zlib', () => {
    fc.assert(
      fc.property(values, (value) => {
        let number = 0;
        for (const digit of value.slice(-6)) number = number * 62 + BASE62.indexOf(digit);
        expect(number).toBe(crc32(value.slice(0, -6)));
      }),
    );
  });

  it('fills its 43 digits with the whole of 256 bits', () => {
    const bodyOf = (fill: number) =>
      composeValue('a', tokenIDOf('1'), new Uint8Array(32).fill(fill)).reveal().slice(-49, -6);
    const numberOf = (digits: string) =>
      [...digits].reduce((sum, digit) => sum * 62n + BigInt(BASE62.indexOf(digit)), 0n);
    expect(bodyOf(0)).toBe('0'.repeat(43));
    expect(numberOf(bodyOf(255))).toBe(2n ** 256n - 1n);
  });

  it.each([
    ['', 'a1b2c3d4', 32],
    ['Production', 'a1b2c3d4', 32],
    ['a_b', 'a1b2c3d4', 32],
    ['a'.repeat(25), 'a1b2c3d4', 32],
    ['a\n', 'a1b2c3d4', 32],
    ['a', 'a1b2c3d', 32],
    ['a', 'a1b2c3d-', 32],
    ['a', 'a1b2c3d4', 31],
    ['a', 'a1b2c3d4', 33],
  ])('is not composed for environment %j, token id %j and %i bytes', (environment, tokenID, length) => {
    expect(() => composeValue(environment, tokenID as TokenID, new Uint8Array(length))).toThrow(RangeError);
  });
});

describe('the checksum', () => {
  const others = [...BASE62, '_', '-', '.', ' ', '\n', '\0', 'é', '𝟘'];

  it('finds every change of one character', () => {
    for (const value of SAMPLES) {
      for (let at = 0; at < value.length; at++) {
        for (const other of others) {
          if (value[at] === other) continue;
          const changed = value.slice(0, at) + other + value.slice(at + 1);
          if (parseValue(changed).ok) throw new Error(`not found: ${other} at ${at}`);
        }
      }
    }
  });

  it('finds every transposition of neighbours that differ', () => {
    for (const value of SAMPLES) {
      for (let at = 0; at + 1 < value.length; at++) {
        if (value[at] === value[at + 1]) continue;
        const changed = `${value.slice(0, at)}${value[at + 1]}${value[at]}${value.slice(at + 2)}`;
        if (parseValue(changed).ok) throw new Error(`not found: transposition at ${at}`);
      }
    }
  });

  // A CRC-32 finds every burst of up to 32 bits. The one transposition that is no such burst is that of the last character
  // before the checksum with its first digit. The digit is worth 62^5 = 2^5 * 31^5, so the checksum would have to change by
  // a multiple of 32, while the CRC changes by that of the difference of the two characters, whose low five bits are not 0.
  it('finds the transposition over its own border whatever the value', () => {
    const first = Math.floor(0xffffffff / 62 ** 5); // the highest first digit
    for (let one = 0; one <= first; one++) {
      for (let other = 0; other <= first; other++) {
        if (one === other) continue;
        const [left, right] = [crc32(BASE62.charAt(one)), crc32(BASE62.charAt(other))];
        expect((left ^ right) & 31).not.toBe(0);
      }
    }
  });

  it('finds every lost and every doubled character', () => {
    for (const value of SAMPLES) {
      for (let at = 0; at < value.length; at++) {
        expect(parseValue(value.slice(0, at) + value.slice(at + 1)).ok).toBe(false);
        expect(parseValue(value.slice(0, at) + value[at] + value.slice(at)).ok).toBe(false);
      }
    }
  });
});

describe('the random digits', () => {
  const COUNT = 20_000;
  const LIMIT = 130; // of a chi-square with 61 degrees of freedom: exceeded once in 10^6

  /** How many of the numbers below 2^256 have this digit at this place. */
  function expected(place: number, digit: number): number {
    const [all, unit] = [2n ** 256n, 62n ** BigInt(42 - place)];
    const rest = (all % (unit * 62n)) - BigInt(digit) * unit;
    const count = (all / (unit * 62n)) * unit + (rest < 0n ? 0n : rest > unit ? unit : rest);
    return Number((count * 10n ** 12n) / all) / 1e12;
  }

  function chiSquares(digits: Iterable<string>): number[] {
    const counts = Array.from({ length: 43 }, () => new Map<string, number>());
    let total = 0;
    for (const text of digits) {
      total++;
      for (const [place, count] of counts.entries())
        count.set(text.charAt(place), (count.get(text.charAt(place)) ?? 0) + 1);
    }
    return counts.map((count, place) =>
      [...BASE62].reduce((sum, character, digit) => {
        const [seen, hoped] = [count.get(character) ?? 0, expected(place, digit) * total];
        return hoped === 0 ? (seen === 0 ? sum : Number.POSITIVE_INFINITY) : sum + (seen - hoped) ** 2 / hoped;
      }, 0),
    );
  }

  it('are as a uniform number of 256 bits has them, at each of the 43 places', () => {
    function* minted() {
      for (let i = 0; i < COUNT; i++)
        yield composeValue('a', tokenIDOf('1'), entropyOf(`bias ${i}`))
          .reveal()
          .slice(-49, -6);
    }
    for (const chiSquare of chiSquares(minted())) expect(chiSquare).toBeLessThan(LIMIT);
  });

  it('would be seen to be biased, were they bytes modulo 62', () => {
    function* biased() {
      for (let i = 0; i < COUNT; i++) {
        const bytes = createHash('sha384').update(`bias ${i}`).digest().subarray(0, 43);
        yield [...bytes].map((byte) => BASE62.charAt(byte % 62)).join('');
      }
    }
    for (const chiSquare of chiSquares(biased())) expect(chiSquare).toBeGreaterThan(LIMIT);
  });
});

describe('reading what a caller presents', () => {
  it('never throws', () => {
    const junk = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 120 }),
      fc.string({ unit: fc.constantFrom('_', '-', 'a', 't') }),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          junk,
          junk.map((text) => `twk_${text}`),
        ),
        (text) => {
          expect(parseValue(text).ok).toBe(false);
        },
      ),
    );
  });

  it('never accepts a value that was cut, joined or altered', () => {
    fc.assert(
      fc.property(values, fc.string({ minLength: 1 }), fc.nat(120), fc.nat(120), (value, text, from, to) => {
        const altered = value.slice(0, from) + text + value.slice(Math.max(from, to));
        expect(parseValue(altered).ok).toBe(altered === value);
      }),
    );
  });

  it('does no work on what is too long', () => {
    const long = `twk_${'a'.repeat(50_000_000)}`;
    const start = performance.now();
    for (let i = 0; i < 100; i++) expect(parseValue(long)).toEqual({ ok: false, problem: 'shape' });
    expect(performance.now() - start).toBeLessThan(1000);
  });

  const tail = 'a1b2c3d4'.padEnd(51, '0');
  it.each([
    ['no separator', `twk_a-${tail}`],
    ['a separator too early', `twk_a_-${tail}`],
    ['a separator too late', `twk_aa1_${tail.slice(2)}`],
    ['no environment', `twk__${tail}`],
    ['an environment of 25', `twk_${'a'.repeat(25)}_${tail}`],
    ['an environment in upper case', `twk_A_${tail}`],
    ['an environment with a dot', `twk_a.b_${tail}`],
    ['a token id that is not base62', `twk_a_-${tail.slice(1)}`],
    ['digits that are not base62', `twk_a_${tail.slice(1)}-`],
    ['letters outside ASCII', `twk_a_${tail.slice(1)}\u0130`],
    ['another prefix', `twl_a_${tail}`],
  ])('refuses %s although the checksum is right', (_, body) => {
    let checksum = '';
    for (let rest = crc32(Buffer.from(body, 'latin1')); checksum.length < 6; rest = Math.floor(rest / 62)) {
      checksum = BASE62.charAt(rest % 62) + checksum;
    }
    expect(parseValue(body + checksum)).toEqual({ ok: false, problem: 'shape' });
  });
});

describe('a TokenValue', () => {
  const value = new TokenValue('twk_secret');

  it.each([
    ['String()', String(value)],
    ['a template', `${value}`],
    ['a join', ['x', value].join()],
    ['JSON', JSON.stringify({ value })],
    ['inspect', inspect({ value }, { showHidden: true, depth: null, getters: true })],
    ['inspect without custom functions', inspect(value, { customInspect: false, showHidden: true })],
    ['an error', String(new Error(`no: ${value}`))],
    ['a clone', inspect(structuredClone({ value }))],
    ['its entries', inspect([Object.entries(value), Reflect.ownKeys(value)])],
  ])('shows nothing in %s', (_, shown) => {
    expect(shown).not.toContain('secret');
  });

  it('comes out by reveal() alone', () => {
    expect(value.reveal()).toBe('twk_secret');
  });
});

describe('digests and token ids', () => {
  it('a digest is the SHA-256 of the text', () => {
    expect(digestOf('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(digestOf(new TokenValue('abc'))).toBe(digestOf('abc'));
    expect(isDigest(digestOf('abc'))).toBe(true);
  });

  it('digests are the same only when they are equal', () => {
    const [one, other] = [digestOf('one'), digestOf('other')];
    expect(sameDigest(one, digestOf('one'))).toBe(true);
    expect(sameDigest(one, other)).toBe(false);
    expect(sameDigest(one, one.slice(1) as typeof one)).toBe(false);
  });

  it('a token id is 8 base62 characters, the same for the same UID, and spread evenly', () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 62 * 200; i++) {
      const id = tokenIDOf(`uid ${i}`);
      expect(isTokenID(id)).toBe(true);
      counts.set(id.charAt(0), (counts.get(id.charAt(0)) ?? 0) + 1);
    }
    expect(tokenIDOf('uid 0')).toBe(tokenIDOf('uid 0'));
    expect([...BASE62].reduce((sum, digit) => sum + ((counts.get(digit) ?? 0) - 200) ** 2 / 200, 0)).toBeLessThan(130);
  });
});
