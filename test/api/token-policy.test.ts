import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_POLICY_MODE,
  DEFAULT_TIME_ZONE,
  parseTokenPolicy,
  TOKEN_POLICIES,
  type TokenPolicy,
} from '../../src/api/token-policy.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';

const answered = {
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'TokenPolicy',
  metadata: {
    name: 'prod-ai',
    uid: '11111111-1111-1111-1111-111111111111',
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-11-23T09:00:00Z',
  },
  spec: { match: { everything: true } },
};
const spec = (more: object) => ({ ...answered, spec: { ...answered.spec, ...more } });

describe('parseTokenPolicy', () => {
  it.each<[string, object]>([
    ['the least that the API server answers', answered],
    ['fields that later versions add', spec({ later: true })],
  ])('takes %s', (_, data) => {
    expect(parseTokenPolicy(data)).toBe(data);
  });

  it.each<[string, unknown, RegExp]>([
    ['one that no API server has seen', { ...answered, metadata: { name: 'a' } }, /not as the API server answers it/],
    ['no match', { ...answered, spec: {} }, /required property/],
    ['an empty list', spec({ allow: { scopes: [] } }), /scopes must NOT have less than 1 item/],
    ['another mode', spec({ mode: 'Warn' }), /mode must be equal/],
    [
      'a day in full',
      spec({ conditionsOfUse: { hours: [{ days: ['Monday'], from: '', to: '' }] } }),
      /days\/0 must be/,
    ],
  ])('refuses %s', (_, data, says) => {
    expect(() => parseTokenPolicy(data)).toThrow(says);
  });
});

describe('TOKEN_POLICIES', () => {
  it('is what a client of any kind takes', () => {
    const resource: ResourceType<TokenPolicy & KubeObject> = TOKEN_POLICIES;
    expect(resource).toMatchObject({ plural: 'tokenpolicies', kind: 'TokenPolicy', namespaced: false });
  });
});

describe('what the CRD says of what is left out', () => {
  it('is what the code takes', async () => {
    const crd = await readFile(new URL('../../crds/tokenwright.dev_tokenpolicies.yaml', import.meta.url), 'utf8');
    expect(crd).toContain(`${DEFAULT_POLICY_MODE} refuses what the policy does not allow, and unless given`);
    expect(crd).toContain(`${DEFAULT_TIME_ZONE} unless given`);
  });
});
