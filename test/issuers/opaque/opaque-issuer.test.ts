import { expect, it } from 'vitest';
import { composeValue, parseValue, tokenIDOf } from '../../../src/domain/value.ts';
import { opaqueIssuer } from '../../../src/issuers/opaque/opaque-issuer.ts';

const tokenID = tokenIDOf('1');

it('mints 32 random bytes as a value of the asked environment and token id', async () => {
  const bytes = new Uint8Array(32).fill(7);
  const issuer = opaqueIssuer({ random: { bytes: (length) => bytes.subarray(0, length) } });
  const value = await issuer.mint({ environment: 'production', tokenID });
  expect(value.reveal()).toBe(composeValue('production', tokenID, bytes).reveal());
  expect(parseValue(value.reveal())).toMatchObject({ ok: true, environment: 'production', tokenID });
});
