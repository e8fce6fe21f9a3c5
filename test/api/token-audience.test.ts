import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_STALENESS,
  parseTokenAudience,
  TOKEN_AUDIENCES,
  type TokenAudience,
  UPSTREAM_KEY_REFERENCE,
  UPSTREAM_NAMESPACE,
} from '../../src/api/token-audience.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';

const answered = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'TokenAudience',
  metadata: {
    name: 'ai-gateway',
    uid: '11111111-1111-1111-1111-111111111111',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-11-23T09:00:00Z',
  },
  spec: { environments: ['production'] },
};
const spec = (more: object) => ({ ...answered, spec: { ...answered.spec, ...more } });

describe('parseTokenAudience', () => {
  it.each<[string, object]>([
    ['the least that the API server answers', answered],
    ['a route without scopes', spec({ routes: [{ methods: ['GET'], path: '/healthz' }] })],
    ['fields that later versions add', spec({ later: true })],
  ])('takes %s', (_, data) => {
    expect(parseTokenAudience(data)).toBe(data);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /must be object/],
    ['one that no API server has seen', { ...answered, metadata: { name: 'a' } }, /not as the API server answers it/],
    ['no environments', spec({ environments: [] }), /environments must NOT have less than 1 item/],
    ['a method in lower case', spec({ routes: [{ methods: ['get'], path: '/' }] }), /methods\/0 must be equal/],
    ['half an upstream', spec({ upstream: { header: 'x-api-key' } }), /required property/],
  ])('refuses %s', (_, data, says) => {
    expect(() => parseTokenAudience(data)).toThrow(says);
  });
});

describe('TOKEN_AUDIENCES', () => {
  it('is what a client of any kind takes', () => {
    const resource: ResourceType<TokenAudience & KubeObject> = TOKEN_AUDIENCES;
    expect(resource).toMatchObject({ plural: 'tokenaudiences', kind: 'TokenAudience', namespaced: false });
  });
});

describe('what the CRD says of what is left out', () => {
  it('is what the code takes', async () => {
    const crd = await readFile(new URL('../../crds/tokenwright.dev_tokenaudiences.yaml', import.meta.url), 'utf8');
    for (const words of [`${DEFAULT_STALENESS} unless given`, UPSTREAM_NAMESPACE, UPSTREAM_KEY_REFERENCE])
      expect(crd).toContain(words);
  });
});
