import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { digestOf, TokenValue, tokenIDOf } from '../../src/domain/value.ts';
import { issuers } from '../../src/issuers/registry.ts';

const tokenID = tokenIDOf('0b0f3a4e-0000-4000-8000-000000000000');

describe.each(Object.entries(issuers))('the issuer %s', (name, create) => {
  const issuer = create({ random: { bytes: (length) => randomBytes(length) } });

  it('has the name under which it is registered', () => {
    expect(issuer.name).toBe(name);
  });

  it('mints a value that fits into one header as a bearer token (RFC 6750)', async () => {
    const value = await issuer.mint({ environment: 'production', tokenID });
    expect(value.reveal()).toMatch(/^[A-Za-z0-9._~+/-]{32,4096}=*$/);
  });

  it('mints what nothing prints', async () => {
    const value = await issuer.mint({ environment: 'production', tokenID });
    expect(value).toBeInstanceOf(TokenValue);
    expect(`${value} ${JSON.stringify(value)} ${inspect(value)}`).not.toContain(value.reveal());
  });

  it('mints another value each time', async () => {
    const requests = Array.from({ length: 200 }, () => issuer.mint({ environment: 'production', tokenID }));
    expect(new Set((await Promise.all(requests)).map(digestOf)).size).toBe(200);
  });

  it('refuses a token id that is none', async () => {
    await expect(issuer.mint({ environment: 'production', tokenID: 'short' })).rejects.toThrow(RangeError);
  });

  it('mints nothing without randomness', async () => {
    const starved = create({ random: { bytes: () => new Uint8Array(0) } });
    await expect(starved.mint({ environment: 'production', tokenID })).rejects.toThrow(RangeError);
  });
});
