/**
 * The seal: the operator's Ed25519 signature (RFC 8032) over what a verifier trusts in an ApiToken's status.
 * Verifiers hold public keys only, so a captured verifier cannot mint and a status edited by hand opens nothing.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Digest, TokenID } from './value.ts';

/** Who may call what, as it stood at mint. A value never gains power after its mint. */
export interface Grant {
  subject: string;
  environment: string;
  audiences: readonly string[];
  scopes: readonly string[];
}

export type VersionState = 'Next' | 'Current' | 'Previous';

/** One minted value. Times are whole seconds since the epoch. */
export interface VersionRecord {
  version: number;
  state: VersionState;
  digest: Digest;
  issueTime: number;
  expirationTime: number;
  acceptedUntilTime?: number;
  grant: Grant;
}

export interface SealContent {
  uid: string;
  tokenID: TokenID;
  sequence: number;
  lastVersion: number;
  revokedThroughVersion: number;
  /** UIDs of pending revocations that are carried out: they do not reach the versions here. */
  handledRevocations: readonly string[];
  versions: readonly VersionRecord[];
}

export interface Seal {
  keyID: string;
  sequence: number;
  /** base64url without padding, 86 characters. */
  signature: string;
}

export interface SigningKey {
  keyID: string;
  privateKey: KeyObject;
}

/** By key id. */
export type PublicKeys = ReadonlyMap<string, KeyObject>;

// signed first, so that no signature for another purpose or of another layout can be taken for a seal
const DOMAIN = 'tokenwright.dev/seal/v1';

/**
 * The bytes that are signed: a row of netstrings (D. J. Bernstein, 1997), `<bytes of UTF-8>:<text>,`, with the length of
 * each list before its items. Length prefixes need no escaping rules, so that two implementations cannot disagree, and
 * whoever reads from the left can read in one way only: different contents have different bytes.
 * Lists are signed in the order in which they stand. Throws a RangeError on what has no such form.
 */
export function sealBytes(content: SealContent): Uint8Array {
  const parts = [
    netstring(DOMAIN),
    netstring(content.uid),
    netstring(content.tokenID),
    integer(content.sequence),
    integer(content.lastVersion),
    integer(content.revokedThroughVersion),
    list(content.handledRevocations, netstring),
    list(content.versions, version),
  ];
  return Buffer.from(parts.join(''), 'utf8');
}

export function sealOf(content: SealContent, key: SigningKey): Seal {
  const signature = sign(null, sealBytes(content), key.privateKey).toString('base64url');
  return { keyID: key.keyID, sequence: content.sequence, signature };
}

/** Never throws: a content without canonical bytes was never sealed, so its seal is broken. */
export function checkSeal(content: SealContent, seal: Seal, keys: PublicKeys): 'valid' | 'unknown-key' | 'broken' {
  const key = keys.get(seal.keyID);
  if (key === undefined) return 'unknown-key';
  try {
    const signature = Buffer.from(seal.signature, 'base64url');
    // Buffer skips what is not base64url: only the one spelling that sealOf writes counts
    const canonical = signature.toString('base64url') === seal.signature;
    const valid = canonical && seal.sequence === content.sequence && verify(null, sealBytes(content), key, signature);
    return valid ? 'valid' : 'broken';
  } catch {
    return 'broken';
  }
}

/** The JWK thumbprint (RFC 7638 with SHA-256; RFC 8037, appendix A.3): 43 base64url characters. */
export function keyIDOf(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(JSON.stringify({ crv: 'Ed25519', kty: 'OKP', x: rawKeyOf(publicKey) }))
    .digest('base64url');
}

/** The key pair that RFC 8032 derives from 32 random bytes. */
export function signingKeyOf(seed: Uint8Array): SigningKey {
  if (seed.length !== 32) throw new RangeError('an Ed25519 private key is 32 bytes');
  const privateKey = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519, seed]),
    format: 'der',
    type: 'pkcs8',
  });
  return { keyID: keyIDOf(createPublicKey(privateKey)), privateKey };
}

/** A JWK Set (RFC 7517, RFC 8037): how the public keys are published. */
export function jwksOf(keys: PublicKeys): string {
  const jwks = [...keys].map(([kid, key]) => ({ kty: 'OKP', crv: 'Ed25519', use: 'sig', kid, x: rawKeyOf(key) }));
  return `${JSON.stringify({ keys: jwks }, undefined, 2)}\n`;
}

/**
 * Reads a JWK Set. Keys of other types are left out, as RFC 7517 asks. Undefined where the text is no such set, holds
 * no Ed25519 key, or a key whose `kid` is not its thumbprint. Never throws.
 */
export function publicKeysOf(jwks: string): PublicKeys | undefined {
  try {
    const set: { keys: { kty: string; crv: string; kid: string; x: string }[] } = JSON.parse(jwks);
    const keys = new Map<string, KeyObject>();
    for (const { kty, crv, kid, x } of set.keys) {
      if (kty !== 'OKP' || crv !== 'Ed25519') continue;
      const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
      if (keyIDOf(key) !== kid) return undefined;
      keys.set(kid, key);
    }
    return keys.size === 0 ? undefined : keys;
  } catch {
    return undefined;
  }
}

// RFC 8410, section 7: the fixed DER that stands before the 32 bytes
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');

function rawKeyOf(key: KeyObject): string {
  const { crv, x } = key.export({ format: 'jwk' });
  if (crv !== 'Ed25519' || x === undefined) throw new TypeError('not an Ed25519 key');
  return x;
}

function version(record: VersionRecord): string {
  return [
    integer(record.version),
    netstring(record.state),
    netstring(record.digest),
    integer(record.issueTime),
    integer(record.expirationTime),
    record.acceptedUntilTime === undefined ? netstring('') : integer(record.acceptedUntilTime),
    netstring(record.grant.subject),
    netstring(record.grant.environment),
    list(record.grant.audiences, netstring),
    list(record.grant.scopes, netstring),
  ].join('');
}

function list<T>(items: readonly T[], write: (item: T) => string): string {
  return integer(items.length) + items.map(write).join('');
}

function integer(number: number): string {
  if (!Number.isSafeInteger(number) || number < 0)
    throw new RangeError('a sealed number is a whole one, 0 to 2^53 - 1');
  return netstring(String(number));
}

function netstring(text: string): string {
  // a lone surrogate has no UTF-8: it would be signed as U+FFFD, and so as another text
  if (!text.isWellFormed()) throw new RangeError('a sealed text is well-formed Unicode');
  return `${Buffer.byteLength(text)}:${text},`;
}
