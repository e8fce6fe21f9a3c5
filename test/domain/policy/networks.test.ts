import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { networks } from '../../../src/domain/address.ts';
import { FUZZ, fuzz, RUNS } from './stalls.ts';

const TABLE: [cidr: string, address: string, holds: boolean][] = [
  ['10.0.0.0/8', '10.255.255.255', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.0.0.0/8', '::ffff:10.0.0.1', true],
  ['10.0.0.0/8', '::ffff:a00:1', true],
  ['10.0.0.0/8', '::10.0.0.1', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '::1', true],
  ['::/0', '10.0.0.1', false],
  ['::/0', '::ffff:10.0.0.1', false],
  ['2001:db8::/32', '2001:db8:ffff::1', true],
  ['2001:db8::/32', '2001:DB8::1', true],
  ['2001:db8::/32', '2001:db9::', false],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['192.0.2.7/32', '192.0.2.7', true],
  ['192.0.2.7/32', '192.0.2.8', false],
  ['10.0.0.0/8', '', false],
  ['10.0.0.0/8', '10.0.0.1:80', false],
  ['10.0.0.0/8', '10.1', false],
  ['10.0.0.0/8', '012.0.0.1', false],
];

const [V4, V6] = [32, 128];

function textOf(address: bigint, size: number): string {
  if (size === V4) return [24n, 16n, 8n, 0n].map((by) => (address >> by) & 0xffn).join('.');
  return Array.from({ length: 8 }, (_, i) => ((address >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':');
}

describe('a network', () => {
  it.each(TABLE)('%s and %s: %s', (cidr, address, holds) => {
    expect(networks([cidr])(address)).toBe(holds);
  });

  it('is one of several', () => {
    const has = networks(['10.0.0.0/8', '2001:db8::/32']);
    expect(['10.0.0.1', '2001:db8::1', '192.0.2.1', '::1'].map(has)).toEqual([true, true, false, false]);
  });

  it('has the addresses that share its bits, by arithmetic', () => {
    const families = fc.constantFrom(V4, V6).chain((size) =>
      fc.record({
        size: fc.constant(size),
        bits: fc.nat(size),
        address: fc.bigInt({ min: 0n, max: (1n << BigInt(size)) - 1n }),
        flipped: fc.nat(size),
      }),
    );
    const met = { inside: 0, outside: 0 };
    fc.assert(
      fc.property(families, ({ size, bits, address, flipped }) => {
        // one bit differs, or none
        const other = flipped === size ? address : address ^ (1n << BigInt(flipped));
        // an IPv4 address inside an IPv6 one is another matter
        fc.pre(size === V4 || address >> 32n !== 0xffffn);
        const inside = address >> BigInt(size - bits) === other >> BigInt(size - bits);
        met[inside ? 'inside' : 'outside'] += 1;
        expect(networks([`${textOf(address, size)}/${bits}`])(textOf(other, size))).toBe(inside);
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(met.inside, met.outside)).toBeGreaterThan(RUNS / 20);
  });

  it(
    'of anything is read as node:net reads its address, or refused in a sentence, and without a stall',
    FUZZ,
    async () => {
      const piece = fc.constantFrom(
        '1',
        '255',
        '256',
        '.',
        ':',
        '::',
        '/',
        'ffff',
        '%',
        'eth0',
        '0',
        '10.0.0.0',
        '/8',
        ' ',
        'x',
      );
      const anything = fc.oneof(
        fc.string({ maxLength: 60 }),
        fc.array(piece, { maxLength: 20 }).map((all) => all.join('')),
      );
      await fuzz(fc.tuple(anything, anything), ([cidr, address]) => {
        try {
          const has = networks([cidr]);
          expect(isIP(cidr.split('/')[0] ?? '')).not.toBe(0);
          if (isIP(address) === 0) expect(has(address)).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      });
    },
  );
});
