/** Junk of every sort that a stranger can send. */
import { randomBytes } from 'node:crypto';
import { composeValue, parseValue, type TokenID, tokenIDOf } from '../../../src/domain/value.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';

const value = (tokenID: TokenID, environment = ENVIRONMENT) =>
  composeValue(environment, tokenID, randomBytes(32)).reveal();
const someID = () => tokenIDOf(randomBytes(8).toString('hex'));

/** The last character is another one. */
const mistyped = (text: string) => text.slice(0, -1) + (text.endsWith('0') ? '1' : '0');

export interface Junk {
  what: string;
  make(knownIDs: readonly TokenID[]): string;
}

const known = (ids: readonly TokenID[]): TokenID => ids[Math.floor(Math.random() * ids.length)] ?? someID();

// biome-ignore format: a table
export const JUNK: readonly Junk[] = [
  { what: 'malformed', make: () => randomBytes(24).toString('base64url') },
  { what: 'oversized', make: () => `twk_${ENVIRONMENT}_${'A'.repeat(12_000)}` },
  { what: 'checksum wrong', make: (ids) => mistyped(value(known(ids))) },
  { what: 'token id unknown', make: () => value(someID()) },
  { what: 'token id known', make: (ids) => value(known(ids)) },
  { what: 'of another environment', make: (ids) => value(known(ids), 'elsewhere') },
];

/** As verifiers read it in what they are shown. */
export function idOf(text: string): TokenID {
  const parsed = parseValue(text);
  if (!parsed.ok) throw new Error('not a value of ours');
  return parsed.tokenID;
}
