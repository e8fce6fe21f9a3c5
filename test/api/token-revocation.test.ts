import { describe, expect, it } from 'vitest';
import {
  CLUSTER_TOKEN_REVOCATIONS,
  type ClusterTokenRevocation,
  parseClusterTokenRevocation,
  parseTokenRevocation,
  TOKEN_REVOCATIONS,
  type TokenRevocation,
} from '../../src/api/token-revocation.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';

const metadata = {
  name: 'leaked',
  uid: '11111111-1111-1111-1111-111111111111',
  resourceVersion: '7',
  generation: 1,
  creationTimestamp: '2026-11-23T09:00:00Z',
};
const own = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'TokenRevocation',
  metadata: { ...metadata, namespace: 'support' },
  spec: { match: { name: 'summarizer' }, reason: 'Compromised' },
};
const ofCluster = { ...own, kind: 'ClusterTokenRevocation', metadata };

describe('parseTokenRevocation', () => {
  it.each<[string, object]>([
    ['the least that the API server answers', own],
    ['fields that later versions add', { ...own, spec: { ...own.spec, later: true } }],
    ['a status that is empty yet', { ...own, status: {} }],
  ])('takes %s', (_, data) => {
    expect(parseTokenRevocation(data)).toBe(data);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /must be object/],
    ['one of the cluster', ofCluster, /data\/kind must be equal/],
    ['one without a namespace', { ...own, metadata }, /not as the API server answers it/],
    ['an unknown reason', { ...own, spec: { ...own.spec, reason: 'x' } }, /data\/spec\/reason must be equal/],
    [
      'labels of none',
      { ...own, spec: { ...own.spec, match: { tokens: { matchLabels: {} } } } },
      /matchLabels must NOT/,
    ],
    ['half a receipt', { ...own, status: { receipts: [{ verifier: 'a' }] } }, /required property/],
  ])('refuses %s', (_, data, says) => {
    expect(() => parseTokenRevocation(data)).toThrow(says);
  });
});

describe('parseClusterTokenRevocation', () => {
  it.each<[string, object]>([
    ['one of everything', { ...ofCluster, spec: { ...own.spec, match: { everything: true } } }],
    ['one of some namespaces', { ...ofCluster, spec: { ...own.spec, match: { namespaceNames: ['support'] } } }],
  ])('takes %s', (_, data) => {
    expect(parseClusterTokenRevocation(data)).toBe(data);
  });

  it.each<[string, object, RegExp]>([
    ['one of a namespace', own, /data\/kind must be equal/],
    ['one that has a namespace', { ...ofCluster, metadata: own.metadata }, /not as the API server answers it/],
  ])('refuses %s', (_, data, says) => {
    expect(() => parseClusterTokenRevocation(data)).toThrow(says);
  });
});

describe('where revocations are served', () => {
  it('is what a client of any kind takes', () => {
    const types: [ResourceType<TokenRevocation & KubeObject>, ResourceType<ClusterTokenRevocation & KubeObject>] = [
      TOKEN_REVOCATIONS,
      CLUSTER_TOKEN_REVOCATIONS,
    ];
    expect(types.map(({ plural, kind, namespaced }) => [plural, kind, namespaced])).toEqual([
      ['tokenrevocations', 'TokenRevocation', true],
      ['clustertokenrevocations', 'ClusterTokenRevocation', false],
    ]);
  });
});
