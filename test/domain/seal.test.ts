import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect, isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkSeal,
  jwksOf,
  keyIDOf,
  type PublicKeys,
  publicKeysOf,
  type Seal,
  type SealContent,
  sealBytes,
  sealOf,
  signingKeyOf,
  type VersionRecord,
} from '../../src/domain/seal.ts';
import { digestOf, tokenIDOf } from '../../src/domain/value.ts';

interface Vectors {
  key: { seed: string; keyID: string; jwks: object };
  seals: { what: string; content: SealContent; bytes: string; seal: Seal }[];
  refusedSeals: { why: string; content: SealContent; seal: Seal; result: 'unknown-key' | 'broken' }[];
}
const vectors: Vectors = JSON.parse(readFileSync(new URL('../../docs/test-vectors.json', import.meta.url), 'utf8'));

const key = signingKeyOf(Buffer.from(vectors.key.seed, 'hex'));
const publicKey = createPublicKey(key.privateKey);
const keys: PublicKeys = new Map([[key.keyID, publicKey]]);

// few texts, among them those that an encoding without lengths or escapes would mix up
const texts = fc.oneof(
  fc.constantFrom('', 'a', 'b', 'a,1:b', '1:a,', ',', ':', '0:,', '1', '12', '"', 'é', '💥', '\0'),
  fc.string({ maxLength: 3 }),
);
const numbers = fc.oneof(fc.nat(12), fc.constantFrom(123, 1_767_225_600, Number.MAX_SAFE_INTEGER));
const lists = fc.array(texts, { maxLength: 3 });
const records: fc.Arbitrary<VersionRecord> = fc.record(
  {
    version: numbers,
    state: fc.constantFrom('Next', 'Current', 'Previous'),
    digest: texts.map(digestOf),
    issueTime: numbers,
    expirationTime: numbers,
    acceptedUntilTime: numbers,
    grant: fc.record(
      { subject: texts, environment: texts, audiences: lists, scopes: lists },
      { noNullPrototype: true },
    ),
  },
  { requiredKeys: ['version', 'state', 'digest', 'issueTime', 'expirationTime', 'grant'], noNullPrototype: true },
);
const contents: fc.Arbitrary<SealContent> = fc.record(
  {
    uid: texts,
    tokenID: texts.map(tokenIDOf),
    sequence: numbers,
    lastVersion: numbers,
    revokedThroughVersion: numbers,
    handledRevocations: lists,
    versions: fc.array(records, { maxLength: 3 }),
  },
  { noNullPrototype: true },
);

describe('a seal', () => {
  it.each(vectors.seals)('is made as published: $what', ({ content, bytes, seal }) => {
    expect(Buffer.from(sealBytes(content)).toString('utf8')).toBe(bytes);
    expect(sealOf(content, key)).toEqual(seal);
    expect(checkSeal(content, seal, keys)).toBe('valid');
  });

  it.each(vectors.refusedSeals)('is refused as published: $why', ({ content, seal, result }) => {
    expect(checkSeal(content, seal, keys)).toBe(result);
  });

  it('confirms what was sealed', () => {
    fc.assert(
      fc.property(contents, (content) => {
        const seal = sealOf(content, key);
        expect(seal).toMatchObject({ keyID: key.keyID, sequence: content.sequence });
        expect(seal.signature).toMatch(/^[A-Za-z0-9_-]{86}$/);
        expect(checkSeal(structuredClone(content), seal, keys)).toBe('valid');
      }),
    );
  });

  it('is broken by a change of any field', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(contents, fc.nat(), fc.nat(4), texts, (content, which, how, text) => {
        const seal = sealOf(content, key);
        const changed = structuredClone(content) as unknown as Json;
        const places = placesIn(changed);
        const place = places[which % places.length];
        if (place === undefined) throw new Error('no place');
        change(place, how, text);
        seen.add(place.path.replace(/\d+/g, 'n'));
        const expected = isDeepStrictEqual(changed, content) ? 'valid' : 'broken';
        expect(checkSeal(changed as unknown as SealContent, seal, keys)).toBe(expected);
      }),
      { numRuns: 3000 },
    );
    for (const field of FIELDS) expect(seen).toContain(field);
  });

  it('is broken by any other bit of the signature', () => {
    const content = contentOf({});
    const seal = sealOf(content, key);
    for (let bit = 0; bit < 512; bit++) {
      const signature = Buffer.from(seal.signature, 'base64url');
      signature.writeUInt8(signature.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(checkSeal(content, { ...seal, signature: signature.toString('base64url') }, keys)).toBe('broken');
    }
  });

  it('counts in one spelling of the signature only', () => {
    const content = contentOf({});
    const seal = sealOf(content, key);
    const bytes = Buffer.from(seal.signature, 'base64url');
    const others = [
      '',
      `${seal.signature}==`,
      ` ${seal.signature}`,
      `${seal.signature}!`,
      bytes.toString('hex'),
      bytes.toString('base64'),
    ];
    for (const signature of others) expect(checkSeal(content, { ...seal, signature }, keys)).toBe('broken');
  });

  it('of another key is broken, and of one that is not trusted unknown', () => {
    const content = contentOf({});
    const other = signingKeyOf(new Uint8Array(32).fill(1));
    expect(checkSeal(content, { ...sealOf(content, other), keyID: key.keyID }, keys)).toBe('broken');
    expect(checkSeal(content, sealOf(content, other), keys)).toBe('unknown-key');
    expect(checkSeal(content, sealOf(content, key), new Map())).toBe('unknown-key');
  });

  it('cannot be a signature made for another purpose', () => {
    const content = contentOf({});
    const bytes = Buffer.from(sealBytes(content));
    const prefix = '23:tokenwright.dev/seal/v1,';
    expect(bytes.toString()).toMatch(prefix);
    const signature = sealOf(content, key).signature;
    expect(verify(null, bytes.subarray(prefix.length), publicKey, Buffer.from(signature, 'base64url'))).toBe(false);
  });

  it('is not made, and not confirmed, for what has no one form', () => {
    const seal = sealOf(contentOf({}), key);
    for (const content of [
      contentOf({ sequence: 1.5 }),
      contentOf({ sequence: -1 }),
      contentOf({ lastVersion: Number.NaN }),
      contentOf({ lastVersion: 2 ** 53 }),
      contentOf({ uid: 'a\ud800' }), // UTF-8 has no lone surrogate
    ]) {
      expect(() => sealOf(content, key)).toThrow(RangeError);
      expect(checkSeal(content, { ...seal, sequence: content.sequence }, keys)).toBe('broken');
    }
  });

  it('never throws on junk', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (content, signature) => {
        const seal = { keyID: key.keyID, sequence: 1, signature } as unknown as Seal;
        expect(checkSeal(content as SealContent, seal, keys)).toBe('broken');
        expect(checkSeal({ ...contentOf({}), versions: content } as SealContent, seal, keys)).toBe('broken');
      }),
    );
  });
});

describe('the bytes of a seal', () => {
  it('can be read back, so that no two contents share them', () => {
    fc.assert(
      fc.property(contents, (content) => {
        expect(read(Buffer.from(sealBytes(content)))).toEqual(content);
      }),
      { numRuns: 1000 },
    );
  });

  it('differ for contents that differ', () => {
    fc.assert(
      fc.property(contents, contents, (one, other) => {
        const same = Buffer.compare(sealBytes(one), sealBytes(other)) === 0;
        expect(same).toBe(isDeepStrictEqual(one, other));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('keys', () => {
  it('have the key id of RFC 8037, appendix A.3', () => {
    expect(key.keyID).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    expect(key.keyID).toBe(vectors.key.keyID);
    expect(keyIDOf(publicKey)).toBe(key.keyID);
  });

  it('sign as in RFC 8032, section 7.1, test 1', () => {
    expect(publicKey.export({ format: 'jwk' }).x).toBe('11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo');
    expect(sign(null, Buffer.alloc(0), key.privateKey).toString('hex')).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
  });

  it('are made of 32 bytes, no less and no more', () => {
    for (const length of [0, 31, 33]) expect(() => signingKeyOf(new Uint8Array(length))).toThrow(RangeError);
  });

  it('are published as a JWK Set and read from it', () => {
    const all = new Map([...keys, ...keysOf(2)]);
    expect(JSON.parse(jwksOf(keys))).toEqual(vectors.key.jwks);
    expect([...(publicKeysOf(jwksOf(all)) ?? [])].map(([id, held]) => [id, keyIDOf(held)])).toEqual(
      [...all.keys()].map((id) => [id, id]),
    );
  });

  it('never publish what signs', () => {
    expect(jwksOf(new Map([[key.keyID, publicKey]]))).not.toContain('"d"');
  });

  it('show nothing in inspect', () => {
    expect(inspect(key, { depth: null, showHidden: true })).not.toContain(vectors.key.seed.slice(0, 8));
    expect(JSON.stringify(key)).not.toContain('"d"');
  });

  it('of other types are left out', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' });
    const set = JSON.parse(jwksOf(keys)) as { keys: object[] };
    const mixed = JSON.stringify({ keys: [{ ...ec, kid: 'ec' }, ...set.keys, { kty: 'oct', k: 'AA' }] });
    expect([...(publicKeysOf(mixed)?.keys() ?? [])]).toEqual([key.keyID]);
  });

  it.each([
    ['nothing', ''],
    ['no JSON', '{'],
    ['null', 'null'],
    ['no keys', '{"keys": []}'],
    ['keys that are no list', '{"keys": 1}'],
    ['a key that is none', '{"keys": [null]}'],
    ['a kid that is not the thumbprint', jwksOf(keys).replace('kPrK', 'kPrX')],
    ['a key that was cut', jwksOf(keys).replace('11qYAY', '1')],
  ])('are not read from %s', (_, text) => {
    expect(publicKeysOf(text)).toBeUndefined();
  });

  it('are never read with an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(publicKeysOf(text)).toBeUndefined();
      }),
    );
  });
});

function keysOf(fill: number): PublicKeys {
  const { keyID, privateKey } = signingKeyOf(new Uint8Array(32).fill(fill));
  return new Map([[keyID, createPublicKey(privateKey)]]);
}

function contentOf(fields: Partial<SealContent>): SealContent {
  return {
    uid: 'u',
    tokenID: tokenIDOf('u'),
    sequence: 1,
    lastVersion: 1,
    revokedThroughVersion: 0,
    handledRevocations: [],
    versions: [],
    ...fields,
  };
}

// ---- a reader of the bytes, as whoever implements docs/token-format.md would write it ---------------------------

function read(bytes: Buffer): SealContent {
  let at = 0;
  const text = () => {
    const colon = bytes.indexOf(':', at);
    const end = colon + 1 + Number(bytes.subarray(at, colon).toString());
    expect(bytes.subarray(end, end + 1).toString()).toBe(',');
    at = end + 1;
    return bytes.subarray(colon + 1, end).toString('utf8');
  };
  const number = () => Number(text());
  const list = <T>(item: () => T) => Array.from({ length: number() }, item);
  const version = (): VersionRecord => {
    const [number_, state, digest, issueTime, expirationTime, until] = [
      number(),
      text(),
      text(),
      number(),
      number(),
      text(),
    ];
    const grant = { subject: text(), environment: text(), audiences: list(text), scopes: list(text) };
    const record = { version: number_, state, digest, issueTime, expirationTime, grant } as unknown as VersionRecord;
    return until === '' ? record : { ...record, acceptedUntilTime: Number(until) };
  };
  expect(text()).toBe('tokenwright.dev/seal/v1');
  const head = {
    uid: text(),
    tokenID: text(),
    sequence: number(),
    lastVersion: number(),
    revokedThroughVersion: number(),
    handledRevocations: list(text),
  };
  const content = { ...head, versions: list(version) } as unknown as SealContent;
  expect(at).toBe(bytes.length);
  return content;
}

// ---- a change at any place of a content --------------------------------------------------------------------------

type Json = string | number | undefined | Json[] | { [name: string]: Json };
interface Place {
  path: string;
  holder: Record<string, Json>;
  name: string;
}

const VERSION_FIELDS = ['version', 'state', 'digest', 'issueTime', 'expirationTime', 'acceptedUntilTime'];
const FIELDS = [
  ...['uid', 'tokenID', 'sequence', 'lastVersion', 'revokedThroughVersion', 'versions'],
  ...['handledRevocations', 'handledRevocations.n'],
  ...VERSION_FIELDS.map((name) => `versions.n.${name}`),
  ...['subject', 'environment', 'audiences', 'scopes', 'audiences.n', 'scopes.n'].map(
    (name) => `versions.n.grant.${name}`,
  ),
];

function placesIn(json: Json, path: string[] = []): Place[] {
  if (typeof json !== 'object') return [];
  const holder = json as Record<string, Json>;
  return Object.keys(holder).flatMap((name) => {
    const below = placesIn(holder[name], [...path, name]);
    return name === 'grant' ? below : [{ path: [...path, name].join('.'), holder, name }, ...below];
  });
}

function change({ holder, name }: Place, how: number, text: string): void {
  const value = holder[name];
  if (typeof value === 'number')
    holder[name] = how === 0 && name === 'acceptedUntilTime' ? undefined : value === 0 ? 1 : value - 1;
  else if (typeof value === 'string') holder[name] = how === 0 ? `${value}a` : how === 1 ? value.slice(1) : text;
  else if (Array.isArray(value)) {
    const first = value[0] ?? text;
    if (how === 0) value.reverse();
    else if (how === 1) value.shift();
    else if (how === 2) value.push(first);
    else if (how === 3) value.splice(0, 2, value.slice(0, 2).join(''));
    else value.unshift(text);
  }
  if (holder[name] === undefined) delete holder[name];
}
