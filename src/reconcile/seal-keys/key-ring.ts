/** The operator's seal keys as one Secret holds them, and what is to be done next with them. Pure. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { jwksOf, keyIDOf, type PublicKeys, type SigningKey } from '../../domain/seal.ts';

export interface SealKey {
  keyID: string;
  publicKey: KeyObject;
  /** Gone once a newer key signs. */
  privateKey?: KeyObject;
  /** Epoch seconds at which it was seen in the published set. Kept of all but the oldest. */
  publishedTime?: number;
}

/** Oldest first, never empty. */
export type KeyRing = readonly SealKey[];

export interface Requests {
  /** `tokenwright.dev/rotate-requested-at`, and the one that was answered last. */
  rotate?: string | undefined;
  handled?: string | undefined;
  /** `tokenwright.dev/distrust-keys`: key ids that are not to be trusted any more. */
  distrust?: string | undefined;
}

export type RingStep =
  | { do: 'nothing' }
  | { do: 'publish' }
  | { do: 'write'; ring: KeyRing }
  /** A fresh key is appended to the ring, in the write that answers the request. */
  | { do: 'add-key'; ring: KeyRing }
  | { do: 'answer' };

/**
 * How long a key is published before it signs. Longer than a mounted ConfigMap takes to reach a pod (56 to 80 s at
 * kubelet's defaults), so that no verifier meets a seal whose key it has not seen.
 */
export const PUBLICATION_SECONDS = 120;

/**
 * The one next step. `published` is the JWK Set that verifiers can read. Requests are levels: repeating one is harmless.
 * A key that was asked for is added, published, noted as published, and signs PUBLICATION_SECONDS later; the private keys
 * before it go then, their public keys stay, since only they confirm what was sealed before.
 */
export function nextStep(ring: KeyRing, requests: Requests, published: string | undefined, now: number): RingStep {
  const distrusted = (requests.distrust ?? '').split(/[\s,]+/);
  const kept = ring.filter(({ keyID }) => !distrusted.includes(keyID));
  if (!kept.some(({ privateKey }) => privateKey)) return { do: 'add-key', ring: kept };
  if (kept.length < ring.length) return { do: 'write', ring: kept };

  const signing = signingKeyIn(ring, now);
  if (requests.rotate && requests.rotate !== requests.handled) {
    return signing === ring.at(-1) ? { do: 'add-key', ring } : { do: 'answer' }; // one is on its way already
  }
  if (published !== jwksOf(publicKeysIn(ring))) return { do: 'publish' };

  // a time to come is another operator's wrong clock, and would keep the key waiting for it
  const noted = ring.map((key, index) =>
    index === 0 || (key.publishedTime !== undefined && key.publishedTime <= now) ? key : { ...key, publishedTime: now },
  );
  if (noted.some((key, index) => key !== ring[index])) return { do: 'write', ring: noted };

  const older = ring.slice(0, ring.indexOf(signing));
  if (older.some(({ privateKey }) => privateKey)) {
    return { do: 'write', ring: [...older.map(withoutPrivateKey), ...ring.slice(older.length)] };
  }
  return { do: 'nothing' };
}

/** The newest key that was published for long enough. The oldest when there is none: nothing was sealed before it. */
export function signingKeyIn(ring: KeyRing, now: number): SealKey & SigningKey {
  const able = ring.filter((key): key is SealKey & SigningKey => key.privateKey !== undefined);
  const ready = able.findLast(
    ({ publishedTime }) => publishedTime !== undefined && publishedTime + PUBLICATION_SECONDS <= now,
  );
  const key = ready ?? able[0];
  if (key === undefined) throw new RangeError('a key ring holds a private key');
  return key;
}

export function publicKeysIn(ring: KeyRing): PublicKeys {
  return new Map(ring.map(({ keyID, publicKey }) => [keyID, publicKey]));
}

/** A JWK Set with private keys (RFC 7517, RFC 8037); `published` is a member of our own. */
export function writeRing(ring: KeyRing): string {
  const keys = ring.map(({ keyID, publicKey, privateKey, publishedTime }) => ({
    ...(privateKey ?? publicKey).export({ format: 'jwk' }),
    kid: keyID,
    ...(publishedTime === undefined ? {} : { published: publishedTime }),
  }));
  return JSON.stringify({ keys });
}

/**
 * Undefined unless the text is a ring that writeRing could have written. Says no more: what it would quote may be a key.
 */
export function readRing(text: string): KeyRing | undefined {
  try {
    const set: { keys: Record<string, unknown>[] } = JSON.parse(text);
    const ring = set.keys.map(readKey);
    const distinct = new Set(ring.map(({ keyID }) => keyID)).size === ring.length;
    return distinct && ring.some(({ privateKey }) => privateKey) ? ring : undefined;
  } catch {
    return undefined;
  }
}

function readKey({ kty, crv, x, d, kid, published }: Record<string, unknown>): SealKey {
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof kid !== 'string')
    throw new TypeError('key');
  const publicKey = createPublicKey({ key: { kty, crv, x }, format: 'jwk' });
  if (keyIDOf(publicKey) !== kid) throw new TypeError('key id');
  const key: SealKey = { keyID: kid, publicKey };
  if (d !== undefined) {
    if (typeof d !== 'string') throw new TypeError('private key');
    key.privateKey = createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' });
    // a private key of another pair would sign what nobody can confirm
    if (keyIDOf(createPublicKey(key.privateKey)) !== kid) throw new TypeError('key pair');
  }
  if (published !== undefined) {
    if (!Number.isSafeInteger(published)) throw new TypeError('published');
    key.publishedTime = published as number;
  }
  return key;
}

function withoutPrivateKey({ privateKey: _, ...key }: SealKey): SealKey {
  return key;
}
