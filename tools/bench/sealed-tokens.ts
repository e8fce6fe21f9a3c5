/** Fills a cluster with issued ApiTokens, written to etcd as the API server would: issuing a hundred thousand one by one takes an hour. */
import { createPublicKey, randomBytes, randomUUID } from 'node:crypto';
import type { ApiToken } from '../../src/api/apitoken.ts';
import { jwksOf, type SigningKey, sealOf, signingKeyOf } from '../../src/domain/seal.ts';
import { sealedContentOf } from '../../src/domain/sealed-status.ts';
import { composeValue, digestOf, tokenIDOf } from '../../src/domain/value.ts';
import { AdminClient } from '../controlplane/admin-client.ts';
import type { ControlPlane } from '../controlplane/control-plane.ts';

/** Operations in one transaction: etcd's own bound is 128. */
const BATCH = 100;
const base64 = (text: string) => Buffer.from(text).toString('base64');

export interface SealedTokens {
  /** Values of the first ones of each namespace, for callers to present. */
  values: string[][];
  /** What verifiers are to confirm them by. */
  jwks: string;
}

export async function writeSealedTokens(
  { endpoint, ...tls }: ControlPlane['etcd'],
  options: { count: number; namespaces: readonly string[]; environment: string; audience: string; keep: number },
): Promise<SealedTokens> {
  const key = signingKeyOf(randomBytes(32));
  const client = await AdminClient.fromFiles(endpoint, tls);
  const { namespaces } = options;
  const values = namespaces.map((): string[] => []);
  try {
    for (let first = 0; first < options.count; first += BATCH) {
      const size = Math.min(BATCH, options.count - first);
      const made = Array.from({ length: size }, (_, i) => {
        const turn = (first + i) % namespaces.length;
        const { value, token } = issued(key, `token-${first + i}`, { ...options, namespace: namespaces[turn] ?? '' });
        const kept = values[turn];
        if (kept && kept.length < options.keep) kept.push(value);
        return token;
      });
      const success = made.map((token) => ({ requestPut: putOf(token) }));
      const { status, body } = await client.request('POST', '/v3/kv/txn', { success });
      if (status !== 200) throw new Error(`etcd answered ${status}: ${JSON.stringify(body)}`);
    }
  } finally {
    await client.close();
  }
  const jwks = jwksOf(new Map([[key.keyID, createPublicKey(key.privateKey)]]));
  return { values, jwks };
}

function putOf(token: object & { metadata: { namespace: string; name: string } }) {
  const { namespace, name } = token.metadata;
  return {
    key: base64(`/registry/tokenwright.dev/apitokens/${namespace}/${name}`),
    value: base64(JSON.stringify(token)),
  };
}

function issued(
  key: SigningKey,
  name: string,
  { namespace, environment, audience }: { namespace: string; environment: string; audience: string },
) {
  const uid = randomUUID();
  const tokenID = tokenIDOf(uid);
  const value = composeValue(environment, tokenID, randomBytes(32)).reveal();
  const subject = `agent:${name}`;
  const grant = { subject, environment, audiences: [audience], scopes: ['chat:write', 'models:gpt-4o'] };
  const issueTime = Math.floor(Date.now() / 1000);
  const time = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
  const status: NonNullable<ApiToken['status']> = {
    observedGeneration: 1,
    tokenID,
    lastVersion: 1,
    revokedThroughVersion: 0,
    versions: [
      {
        version: 1,
        state: 'Current',
        digest: digestOf(value),
        issueTime: time(issueTime),
        expirationTime: time(issueTime + 86_400),
        grant,
      },
    ],
    secretName: name,
    nextRotationTime: time(issueTime + 57_600),
    effective: { renewBefore: '8h0m0s', overlap: '8h0m0s' },
  };
  const seal = sealOf({ ...sealedContentOf(uid, status), sequence: 1 }, key);
  const metadata = { name, namespace, uid, generation: 1, creationTimestamp: time(issueTime) };
  const spec = { ...grant, purpose: 'Measure the verifier', owner: 'team@example.com', ttl: '24h' };
  const token = {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata,
    spec,
    status: { ...status, seal },
  };
  return { value, token };
}
