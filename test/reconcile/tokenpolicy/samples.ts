import type { ApiToken } from '../../../src/api/apitoken.ts';
import type { TokenPolicy, TokenPolicySpec } from '../../../src/api/token-policy.ts';

export const IN_PROD = { namespaces: { matchLabels: { tier: 'prod' } } };

export function policy(name: string, spec: Partial<TokenPolicySpec> = {}, metadata: object = {}): TokenPolicy {
  return {
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind: 'TokenPolicy',
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: '1',
      generation: 1,
      creationTimestamp: '2026-11-23T12:00:00Z',
      ...metadata,
    },
    spec: { match: { everything: true }, ...spec },
  };
}

/** @param key `<namespace>/<name>` */
export function token(key: string, spec: Partial<ApiToken['spec']> = {}): ApiToken {
  const [namespace = '', name = ''] = key.split('/');
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
    },
    spec: {
      subject: 'agent:a',
      purpose: 'Test',
      environment: 'production',
      audiences: ['api'],
      ttl: '24h',
      ...spec,
    },
  };
}
