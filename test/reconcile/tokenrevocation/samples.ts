/** Revocations and ApiTokens for tests, in the shortest form. */
import type { ApiToken } from '../../../src/api/apitoken.ts';
import type { Revocation } from '../../../src/domain/revocation.ts';

export type Change = {
  spec?: Partial<Revocation['spec']>;
  metadata?: Partial<Revocation['metadata']>;
  status?: Revocation['status'];
};

export const PENDING = { 'tokenwright.dev/pending': 'true' };
export const FINALIZER = 'tokenwright.dev/revocation';

/** In a namespace where its name has one: `support/leak`. */
export function revocation(key: string, { spec, metadata, status }: Change = {}): Revocation {
  const [name = '', namespace] = key.split('/').reverse();
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: namespace === undefined ? 'ClusterTokenRevocation' : 'TokenRevocation',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      uid: `uid-${key}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-23T12:00:00Z',
      ...metadata,
    },
    spec: { match: { environment: 'production' }, reason: 'Compromised', ...spec },
    ...(status && { status }),
  } as Revocation;
}

export function token(key: string, more: { labels?: Record<string, string>; handled?: string[] } = {}): ApiToken {
  const [namespace = '', name = ''] = key.split('/');
  const { labels, handled } = more;
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'ApiToken',
    metadata: {
      namespace,
      name,
      uid: `uid-${key}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-23T12:00:00Z',
      ...(labels && { labels }),
    },
    spec: {
      subject: `agent:${name}`,
      purpose: 'test',
      environment: 'production',
      audiences: ['gateway'],
      ttl: '1h',
    },
    ...(handled && { status: { handledRevocations: handled } }),
  };
}
