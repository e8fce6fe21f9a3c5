/** The built-in issuer: opaque values of 256 random bits. */
import { composeValue, isTokenID } from '../../domain/value.ts';
import type { Issuer, Random } from '../../ports.ts';

export function opaqueIssuer({ random }: { random: Random }): Issuer {
  return {
    name: 'opaque',
    async mint({ environment, tokenID }) {
      if (!isTokenID(tokenID)) throw new RangeError('token id must be 8 base62 characters');
      return composeValue(environment, tokenID, random.bytes(32));
    },
  };
}
