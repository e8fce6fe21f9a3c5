import { describe, expect, it } from 'vitest';
import { parseCIDR } from '../../src/domain/address.ts';
import { sourceReader } from '../../src/verifier/source.ts';

const PROXIES = ['10.0.0.0/8', 'fd00::/8'];
const reader = sourceReader({ header: 'x-forwarded-for', trustedProxies: PROXIES });

type Row = [sentence: string, peer: string | undefined, headers: string[], source: string | undefined];

const TABLE: Row[] = [
  ['the one address that a trusted proxy says', '10.0.0.1', ['x-forwarded-for', '192.0.2.7'], '192.0.2.7'],
  ['the same whatever the case of the header', '10.0.0.1', ['X-Forwarded-FOR', '192.0.2.7'], '192.0.2.7'],
  ['the right-most that is no trusted proxy', '10.0.0.1', ['x-forwarded-for', '192.0.2.7, 10.0.0.2'], '192.0.2.7'],
  [
    'not what the client wrote left of it',
    '10.0.0.1',
    ['x-forwarded-for', '10.9.9.9, 1.1.1.1, 192.0.2.7'],
    '192.0.2.7',
  ],
  [
    'not what the client sent in a header of its own',
    '10.0.0.1',
    ['x-forwarded-for', '1.1.1.1', 'x-forwarded-for', '192.0.2.7'],
    '192.0.2.7',
  ],
  ['the peer, which nobody trusts, whatever it says', '192.0.2.1', ['x-forwarded-for', '10.0.0.7'], '192.0.2.1'],
  ['nobody, where a trusted proxy says nothing', '10.0.0.1', [], undefined],
  [
    'nobody, where a trusted proxy names proxies only',
    '10.0.0.1',
    ['x-forwarded-for', '10.0.0.3, 10.0.0.2'],
    undefined,
  ],
  ['nobody, where the right-most cannot be read', '10.0.0.1', ['x-forwarded-for', '192.0.2.7, unknown'], undefined],
  ['nobody, where it is empty', '10.0.0.1', ['x-forwarded-for', ''], undefined],
  ['nobody, where the right-most is empty', '10.0.0.1', ['x-forwarded-for', '192.0.2.7,'], undefined],
  ['nobody, where it has a port', '10.0.0.1', ['x-forwarded-for', '192.0.2.7:4711'], undefined],
  ['nobody, where it is written in octal', '10.0.0.1', ['x-forwarded-for', '0300.0.2.7'], undefined],
  ['nobody, where it is one number', '10.0.0.1', ['x-forwarded-for', '3221225991'], undefined],
  ['not another header', '10.0.0.1', ['x-real-ip', '192.0.2.7', 'x-forwarded-for', '192.0.2.8'], '192.0.2.8'],
  ['an IPv6 address', 'fd00::1', ['x-forwarded-for', '2001:db8::7'], '2001:db8::7'],
  ['an IPv6 address in its one spelling', 'fd00::1', ['x-forwarded-for', '2001:DB8:0:0::7'], '2001:db8::7'],
  ['an IPv4 address, where a socket maps the proxy', '::ffff:10.0.0.1', ['x-forwarded-for', '192.0.2.7'], '192.0.2.7'],
  ['an IPv4 address, where it is mapped', '10.0.0.1', ['x-forwarded-for', '::ffff:192.0.2.7'], '192.0.2.7'],
  [
    'an IPv4 address, where it is mapped in upper case',
    '10.0.0.1',
    ['x-forwarded-for', '::FFFF:192.0.2.7'],
    '192.0.2.7',
  ],
  [
    'an IPv4 address, where it is mapped in hexadecimal',
    '10.0.0.1',
    ['x-forwarded-for', '::ffff:c000:207'],
    '192.0.2.7',
  ],
  [
    'a proxy that is trusted, where it is mapped in hexadecimal',
    '10.0.0.1',
    ['x-forwarded-for', '192.0.2.7, ::ffff:a00:2'],
    '192.0.2.7',
  ],
  ['an address without its zone', 'fd00::1', ['x-forwarded-for', 'fe80::1%eth0'], 'fe80::1'],
  ['nobody, where the peer is not known', undefined, ['x-forwarded-for', '192.0.2.7'], undefined],
];

describe('the source of a call is', () => {
  it.each(TABLE)('%s', (_, peer, headers, source) => {
    expect(reader(peer, headers)).toBe(source);
  });

  it('the peer where no proxy is trusted', () => {
    const alone = sourceReader({ header: 'x-forwarded-for', trustedProxies: [] });
    expect([alone('10.0.0.1', ['x-forwarded-for', '192.0.2.7']), alone('::ffff:10.0.0.1', [])]).toEqual([
      '10.0.0.1',
      '10.0.0.1',
    ]);
  });

  it('in the header that was chosen', () => {
    const other = sourceReader({ header: 'x-real-ip', trustedProxies: PROXIES });
    expect(other('10.0.0.1', ['x-forwarded-for', '1.1.1.1', 'X-Real-IP', '192.0.2.7'])).toBe('192.0.2.7');
  });

  it('found in as long a header as there may be', () => {
    const hops = Array.from({ length: 4000 }, () => '10.0.0.2').join(',');
    expect(reader('10.0.0.1', ['x-forwarded-for', `192.0.2.7,${hops}`])).toBe('192.0.2.7');
  });
});

describe('a CIDR', () => {
  it.each([
    ['10.0.0.0/8', { address: '10.0.0.0', bits: 8, family: 'ipv4' }],
    ['192.0.2.7/32', { address: '192.0.2.7', bits: 32, family: 'ipv4' }],
    ['0.0.0.0/0', { address: '0.0.0.0', bits: 0, family: 'ipv4' }],
    ['fd00::/128', { address: 'fd00::', bits: 128, family: 'ipv6' }],
  ])('is %s', (text, parsed) => {
    expect(parseCIDR(text)).toEqual(parsed);
  });

  it.each([
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    'fd00::/129',
    '/8',
    '',
    '10.0.0.0/0x8',
    '10.0.0.0/ 8',
  ])('is not %j', (text) => {
    expect(parseCIDR(text)).toBeUndefined();
  });

  it('that is none is refused by name', () => {
    expect(() => sourceReader({ header: 'x', trustedProxies: ['10.0.0.0'] })).toThrow('"10.0.0.0" is no CIDR');
  });
});
