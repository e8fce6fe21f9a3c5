import { describe, expect, it } from 'vitest';
import { API_TOKENS, type ApiToken, effectiveSecretName, parseApiToken } from '../../src/api/apitoken.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';

const answered = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  metadata: {
    name: 'summarizer',
    namespace: 'support',
    uid: '11111111-1111-1111-1111-111111111111',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-11-23T09:00:00Z',
  },
  spec: { subject: 'agent:a', purpose: 'p', environment: 'production', audiences: ['ai-gateway'], ttl: '24h' },
};
const spec = (more: object) => ({ ...answered, spec: { ...answered.spec, ...more } });

describe('parseApiToken', () => {
  it.each<[string, object]>([
    ['the least that the API server answers', answered],
    ['fields that later versions add', spec({ later: true })],
    ['a status that is empty yet', { ...answered, status: {} }],
    ['managedFields', { ...answered, metadata: { ...answered.metadata, managedFields: [{ manager: 'kubectl' }] } }],
    ['a notAfter in lower case, which the API server takes', spec({ notAfter: '2099-01-31t00:00:00z' })],
  ])('takes %s', (_, data) => {
    expect(parseApiToken(data)).toBe(data);
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /must be object/],
    ['another kind', { ...answered, kind: 'Secret' }, /data\/kind must be equal/],
    ['another version of it', { ...answered, apiVersion: 'tokenwright.dev/v9' }, /data\/apiVersion must be equal/],
    ['one without a spec', { ...answered, spec: undefined }, /must have required property spec/],
    ['one that no API server has seen', { ...answered, metadata: { name: 'a' } }, /not as the API server answers it/],
    ['one without metadata', { ...answered, metadata: undefined }, /not as the API server answers it/],
    ['no audiences', spec({ audiences: [] }), /data\/spec\/audiences must NOT have less than 1 item/],
    ['an unknown state', spec({ state: 'Paused' }), /data\/spec\/state must be equal/],
    ['a notAfter that is no time', spec({ notAfter: 'soon' }), /data\/spec\/notAfter must match format/],
    ['a version without a digest', { ...answered, status: { versions: [{ version: 1 }] } }, /required property digest/],
  ])('refuses %s', (_, data, says) => {
    expect(() => parseApiToken(data)).toThrow(says);
  });

  it('does not repeat what the object holds', () => {
    const stray = 'twk_production_7Yx3kQ2mAAAA';
    expect(() => parseApiToken(spec({ ttl: { stray }, state: stray, owner: stray.repeat(20) }))).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(stray) }),
    );
  });
});

describe('API_TOKENS', () => {
  it('is what a client of any kind takes', () => {
    const resource: ResourceType<ApiToken & KubeObject> = API_TOKENS;
    expect(resource).toEqual({
      group: 'tokenwright.dev',
      version: 'v1alpha1',
      plural: 'apitokens',
      kind: 'ApiToken',
      namespaced: true,
    });
  });
});

describe('effectiveSecretName', () => {
  it.each<[string, object]>([
    ['summarizer', answered],
    ['summarizer', spec({ secret: {} })],
    ['other', spec({ secret: { name: 'other' } })],
  ])('is %s', (name, data) => {
    expect(effectiveSecretName(parseApiToken(data))).toBe(name);
  });
});
