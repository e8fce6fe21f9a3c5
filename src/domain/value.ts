/**
 * The value of a token: `twk_<environment>_<tokenID><43 base62: 256 random bits><6 base62: CRC-32 of all before>`.
 *
 * An environment may hold `-` but no `_`, and base62 holds neither, so a value can be read in one way only. The checksum
 * is not a MAC: it proves nothing, and only makes a typo or a scanner's false positive cheap to refuse.
 * The format is told in docs/token-format.md and held by docs/test-vectors.json.
 */
import { hash, timingSafeEqual } from 'node:crypto';

declare const brand: unique symbol;

/** 8 base62 characters from a hash of the ApiToken's UID. Public; an index of ids, never proof of identity. */
export type TokenID = string & { readonly [brand]: 'TokenID' };

/** SHA-256 of a value: 64 lower-case hexadecimal characters. */
export type Digest = string & { readonly [brand]: 'Digest' };

export type ParsedValue =
  | { ok: true; environment: string; tokenID: TokenID; digest: Digest }
  | { ok: false; problem: 'shape' | 'checksum' };

// in ASCII order, so that values of one width sort as their numbers do
const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const PREFIX = 'twk_';
const ENVIRONMENT_MAX = 24;
const TOKEN_ID = 8;
const ENTROPY_BYTES = 32;
const ENTROPY = 43; // 62^43 > 2^256 > 62^42
const CHECKSUM = 6; // 62^6 > 2^32
const TAIL = TOKEN_ID + ENTROPY + CHECKSUM;
const LENGTH_MIN = PREFIX.length + 1 + 1 + TAIL;
const LENGTH_MAX = PREFIX.length + ENVIRONMENT_MAX + 1 + TAIL;

/** Holds a token's value so that nothing prints it: JSON, inspect, templates and String() say `[redacted]`. */
export class TokenValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The one way out. For the Secret and for the digest; for nothing else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[redacted]';
  }

  toJSON(): string {
    return '[redacted]';
  }

  [Symbol.toPrimitive](): string {
    return '[redacted]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[redacted]';
  }
}

/** The value for 32 random bytes. Throws a RangeError, without the bytes, on what no ApiToken can ask for. */
export function composeValue(environment: string, tokenID: TokenID, entropy: Uint8Array): TokenValue {
  if (!isEnvironment(environment)) throw new RangeError('environment must be 1 to 24 of a-z, 0-9 and -');
  if (!isTokenID(tokenID)) throw new RangeError('token id must be 8 base62 characters');
  if (entropy.length !== ENTROPY_BYTES) throw new RangeError('entropy must be 32 bytes');
  const body = `${PREFIX}${environment}_${tokenID}${toBase62(toInteger(entropy), ENTROPY)}`;
  return new TokenValue(body + checksumOf(body, body.length));
}

/** Reads what a caller presents. Never throws; does no work on more than 86 characters. */
export function parseValue(text: string): ParsedValue {
  if (!hasShape(text)) return { ok: false, problem: 'shape' };
  const checked = text.length - CHECKSUM;
  if (fromBase62(text, checked) !== crc32(text, checked)) return { ok: false, problem: 'checksum' };
  const start = text.length - TAIL;
  return {
    ok: true,
    environment: text.slice(PREFIX.length, start - 1),
    tokenID: text.slice(start, start + TOKEN_ID) as TokenID,
    digest: digestOf(text),
  };
}

/** SHA-256 (FIPS 180-4) of the UTF-8 text. No pepper and no slow hash: 256 random bits cannot be searched for. */
export function digestOf(value: string | TokenValue): Digest {
  return hash('sha256', typeof value === 'string' ? value : value.reveal(), 'hex') as Digest;
}

/** Equal digests, in a time that does not tell how much of them is equal. */
export function sameDigest(one: Digest, other: Digest): boolean {
  if (one.length !== LEFT.length || other.length !== RIGHT.length) return false;
  LEFT.write(one, 'latin1');
  RIGHT.write(other, 'latin1');
  return timingSafeEqual(LEFT, RIGHT);
}

// made once, since digests are compared on every call
const LEFT = Buffer.alloc(64);
const RIGHT = Buffer.alloc(64);

/** SHA-256 of the UID as one big integer, modulo 62^8: the bias is below 2^-208. Several UIDs may share one. */
export function tokenIDOf(uid: string): TokenID {
  const number = toInteger(hash('sha256', uid, 'buffer'));
  return toBase62(number % 62n ** BigInt(TOKEN_ID), TOKEN_ID) as TokenID;
}

export function isTokenID(text: string): text is TokenID {
  return /^[0-9A-Za-z]{8}$/.test(text);
}

export function isDigest(text: string): text is Digest {
  return /^[0-9a-f]{64}$/.test(text);
}

export function isEnvironment(text: string): boolean {
  return /^[a-z0-9-]{1,24}$/.test(text);
}

function hasShape(text: string): boolean {
  const start = text.length - TAIL;
  return (
    text.length >= LENGTH_MIN &&
    text.length <= LENGTH_MAX &&
    text.startsWith(PREFIX) &&
    text.charCodeAt(start - 1) === UNDERSCORE &&
    allOf(text, PREFIX.length, start - 1, IN_ENVIRONMENT) &&
    allOf(text, start, text.length, IN_BASE62)
  );
}

const UNDERSCORE = 0x5f;
const IN_BASE62 = classOf(BASE62);
const DIGIT = new Uint8Array(128);
for (const [digit, character] of [...BASE62].entries()) DIGIT[character.charCodeAt(0)] = digit;
const IN_ENVIRONMENT = classOf('abcdefghijklmnopqrstuvwxyz0123456789-');

function classOf(characters: string): Uint8Array {
  const member = new Uint8Array(128);
  for (const character of characters) member[character.charCodeAt(0)] = 1;
  return member;
}

function allOf(text: string, from: number, to: number, member: Uint8Array): boolean {
  for (let i = from; i < to; i++) if (member[text.charCodeAt(i)] !== 1) return false;
  return true;
}

function toInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

/** Fixed width, most significant digit first. One integer, not a byte or a bit group at a time: so no modulo bias. */
function toBase62(number: bigint, width: number): string {
  let digits = '';
  for (let rest = number, i = 0; i < width; i++, rest /= 62n) digits = BASE62.charAt(Number(rest % 62n)) + digits;
  return digits;
}

/** The number that the digits from `start` on stand for. */
function fromBase62(text: string, start: number): number {
  let number = 0;
  for (let i = start; i < text.length; i++) number = number * 62 + (DIGIT[text.charCodeAt(i)] ?? 0);
  return number;
}

function checksumOf(text: string, end: number): string {
  let digits = '';
  for (let rest = crc32(text, end), i = 0; i < CHECKSUM; i++, rest = Math.floor(rest / 62)) {
    digits = BASE62.charAt(rest % 62) + digits;
  }
  return digits;
}

// CRC-32 as in ISO 3309, gzip and zlib: reflected polynomial 0xEDB88320
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

function crc32(text: string, end: number): number {
  let crc = 0xffffffff;
  for (let i = 0; i < end; i++) crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(i)) & 0xff] ?? 0);
  return (crc ^ 0xffffffff) >>> 0;
}
