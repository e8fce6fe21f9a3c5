/** Sealed ApiTokens, as the API server answers them. */
import { createPublicKey } from 'node:crypto';
import type { ApiToken, ApiTokenSpec } from '../../src/api/apitoken.ts';
import { type PublicKeys, type SigningKey, sealOf, signingKeyOf, type VersionRecord } from '../../src/domain/seal.ts';
import { sealedContentOf } from '../../src/domain/sealed-status.ts';
import { composeValue, digestOf, type TokenID, tokenIDOf } from '../../src/domain/value.ts';
import { IndexedToken, type SealCheck, Share } from '../../src/verifier/indexed-token.ts';

/** Epoch seconds. */
export const NOW = 1_800_000_000;

export const KEY = signingKeyOf(Buffer.alloc(32, 1));
export const OTHER_KEY = signingKeyOf(Buffer.alloc(32, 2));

export function keysOf(...keys: SigningKey[]): PublicKeys {
  return new Map(keys.map(({ keyID, privateKey }) => [keyID, createPublicKey(privateKey)]));
}

/** A check that counts: which keys it was asked for, and which it did not have. */
export class Seals implements SealCheck {
  readonly missing: string[] = [];
  checks = 0;
  #keys: PublicKeys = new Map();

  constructor(...keys: SigningKey[]) {
    this.set(...keys);
  }

  set(...keys: SigningKey[]): void {
    const held = keysOf(...keys);
    const get = (keyID: string) => {
      this.checks += 1;
      return held.get(keyID);
    };
    this.#keys = Object.assign(new Map(held), { get });
  }

  keys(): PublicKeys {
    return this.#keys;
  }

  missed(keyID: string): void {
    this.missing.push(keyID);
  }
}

/** The value of a version. `seed` tells versions of one ApiToken apart. */
export function tokenValue(uid: string, seed = 1, environment = 'production'): string {
  return composeValue(environment, tokenIDOf(uid), Buffer.alloc(32, seed)).reveal();
}

export interface Wanted {
  uid?: string;
  namespace?: string;
  name?: string;
  resourceVersion?: string;
  labels?: Record<string, string>;
  spec?: Partial<ApiTokenSpec>;
  /** What differs from a Current version 3 that has an hour left. */
  versions?: (Partial<Omit<VersionRecord, 'grant'>> & { grant?: Partial<VersionRecord['grant']> })[];
  revokedThroughVersion?: number;
  handledRevocations?: string[];
  sequence?: number;
  key?: SigningKey;
  /** What the seal says it is. */
  tokenID?: TokenID;
}

const GRANT = {
  subject: 'agent:summarizer',
  environment: 'production',
  audiences: ['ai-gateway'],
  scopes: ['chat:write'],
};

export function apiToken(wanted: Wanted = {}): ApiToken {
  const { uid = 'uid-1', namespace = 'support', name = 'summarizer', resourceVersion = '1', labels } = wanted;
  const { versions = [{}], revokedThroughVersion = 0, handledRevocations, sequence = 17, key = KEY } = wanted;
  const { tokenID = tokenIDOf(uid) } = wanted;
  const status = {
    tokenID,
    lastVersion: 3,
    revokedThroughVersion,
    ...(handledRevocations && { handledRevocations }),
    versions: versions.map(({ issueTime, expirationTime = NOW + 3600, acceptedUntilTime, grant, ...more }) => ({
      version: 3,
      state: 'Current' as const,
      digest: digestOf(tokenValue(uid)) as string,
      issueTime: rfc3339(issueTime ?? NOW - 3600),
      expirationTime: rfc3339(expirationTime),
      ...(acceptedUntilTime !== undefined && { acceptedUntilTime: rfc3339(acceptedUntilTime) }),
      grant: structuredClone({ ...GRANT, ...grant }) as never,
      ...more,
    })),
  };
  const seal = sealOf({ ...sealedContentOf(uid, status), tokenID, sequence }, key);
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata: {
      uid,
      namespace,
      name,
      resourceVersion,
      generation: 1,
      creationTimestamp: rfc3339(NOW - 7200),
      ...(labels && { labels }),
    },
    spec: {
      subject: 'agent:summarizer',
      purpose: 'Summarise incoming tickets',
      environment: 'production',
      audiences: ['ai-gateway'],
      scopes: ['chat:write'],
      ttl: '24h',
      ...wanted.spec,
    },
    status: { ...status, seal },
  };
}

export function indexed(
  token: ApiToken | Wanted = {},
  seals: SealCheck = new Seals(KEY),
  share = new Share(),
): IndexedToken {
  return new IndexedToken('metadata' in token ? token : apiToken(token), seals, share);
}

function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
