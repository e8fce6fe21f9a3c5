import { describe, expect, it } from 'vitest';
import type { TokenPolicyMatch, TokenPolicySpec } from '../../../src/api/token-policy.ts';
import { useLimits } from '../../../src/domain/policy/evaluate.ts';
import { matches } from '../../../src/domain/policy/policy.ts';
import { evaluated, policyOf, tokenOf } from './policies.ts';

const REFUSING: Partial<TokenPolicySpec> = { require: ['Owner'] };
const ELSEWHERE = { match: { namespaces: { matchLabels: { tier: 'test' } } } };
const rulesOf = (violations: readonly { policy: string | undefined; rule: string }[]) =>
  violations.map(({ policy, rule }) => `${policy}/${rule}`);

describe('an ApiToken', () => {
  it('complies where one policy allows it', () => {
    expect(evaluated([policyOf({})])).toEqual({ violations: [], audited: [], governedBy: ['prod-ai'] });
  });

  it.each([
    ['there is none', []],
    ['none matches', [policyOf(ELSEWHERE)]],
    ['one only audits', [policyOf({ mode: 'Audit' })]],
  ])('is refused without a grant, where of policies %s', (_, policies) => {
    expect(evaluated(policies).violations).toEqual([
      {
        policy: undefined,
        rule: 'NoPolicy',
        message: 'no TokenPolicy in mode Enforce matches namespace support: ask those who run the cluster for one',
      },
    ]);
    expect(evaluated(policies, tokenOf(), { defaultPolicy: 'Allow' }).violations).toEqual([]);
  });

  it('must satisfy every policy that matches, and is told of each, by name', () => {
    const policies = [
      policyOf(REFUSING, 'b'),
      policyOf({}, 'c'),
      policyOf(REFUSING, 'a'),
      policyOf({ ...REFUSING, ...ELSEWHERE }, 'd'),
    ];
    const { violations, governedBy } = evaluated(policies);
    expect(rulesOf(violations)).toEqual(['a/Owner', 'b/Owner']);
    expect(governedBy).toEqual(['a', 'b', 'c']);
  });

  it('is told of a policy in mode Audit, and not refused', () => {
    const { violations, audited, governedBy } = evaluated([
      policyOf({ ...REFUSING, mode: 'Audit' }, 'later'),
      policyOf({}),
    ]);
    expect(violations).toEqual([]);
    expect(rulesOf(audited)).toEqual(['later/Owner']);
    expect(governedBy).toEqual(['later', 'prod-ai']);
  });

  it('is refused by a policy that cannot be read, in one sentence', () => {
    const broken = policyOf({ bounds: { maxOverlap: 'soon' } });
    expect(evaluated([broken]).violations).toEqual([
      {
        policy: 'prod-ai',
        rule: 'Broken',
        message:
          'TokenPolicy prod-ai, rule Broken: nothing is allowed until it is mended: rule MaxOverlap: "soon" is no duration such as 1h30m',
      },
    ]);
  });

  it('is refused by a policy of which nobody can tell whether it matches', () => {
    const policies = [policyOf(ELSEWHERE)];
    const { violations } = evaluated(policies, tokenOf(), { namespace: { name: 'support', labels: undefined } });
    expect(violations.map(({ message }) => message)).toEqual([
      'TokenPolicy prod-ai, rule Broken: whether it matches namespace support cannot be told',
    ]);
  });
});

const LABELS = { tier: 'prod', 'example.com/team': 'support' };

const MATCHES: [sentence: string, match: object, expected: boolean | undefined][] = [
  ['everything', { everything: true }, true],
  ['a label', { namespaces: { matchLabels: { tier: 'prod' } } }, true],
  ['another value', { namespaces: { matchLabels: { tier: 'test' } } }, false],
  ['one label of two', { namespaces: { matchLabels: { tier: 'prod', zone: 'a' } } }, false],
  ['a condition', { namespaces: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['prod'] }] } }, true],
  ['a missing label', { namespaces: { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] } }, true],
  [
    'a label and a condition that fails',
    {
      namespaces: {
        matchLabels: { tier: 'prod' },
        matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['prod'] }],
      },
    },
    false,
  ],
  ['nothing', {}, undefined],
  ['what a later version adds', { everything: true, clusters: ['a'] }, undefined],
];

describe('a match', () => {
  it.each(MATCHES)('of %s: %j is %s', (_, match, expected) => {
    const policy = { match: match as TokenPolicyMatch };
    expect(matches(policy, { name: 'support', labels: LABELS })).toBe(expected);
  });

  it('by labels that are not known cannot be told', () => {
    const policy = { match: { namespaces: { matchLabels: { tier: 'prod' } } } };
    expect(matches(policy, { name: 'support', labels: undefined })).toBeUndefined();
  });
});

const USE = { environment: 'production', audience: 'ai-gateway', subject: 'agent:summarizer' };
const HERE = { name: 'support', labels: LABELS };

describe('of use', () => {
  it.each<[sentence: string, spec: Partial<TokenPolicySpec>, count: number]>([
    ['a policy that matches limits', {}, 1],
    ['one elsewhere does not', ELSEWHERE, 0],
    ['one in mode Audit does not', { mode: 'Audit' }, 0],
  ])('%s', (_, spec, count) => {
    expect(useLimits([policyOf(spec)], HERE)).toHaveLength(count);
  });

  it('a policy limits where nobody can tell whether it matches', () => {
    expect(useLimits([policyOf(ELSEWHERE)], { name: 'support', labels: undefined })).toHaveLength(1);
  });

  it('a policy that cannot be read allows nothing', () => {
    const { limits } = policyOf({ allow: { scopes: ['a*b'] } });
    expect([
      limits.allowsUse(USE),
      limits.allowsScope('a'),
      limits.allowsSource('10.0.0.1'),
      limits.allowsTime(1_800_000_000),
    ]).toEqual([false, false, false, false]);
  });

  it('a policy that says nothing of it allows all, an address that is not known included', () => {
    const { limits } = policyOf({});
    expect([
      limits.allowsUse(USE),
      limits.allowsScope('a'),
      limits.allowsSource(undefined),
      limits.allowsTime(1_800_000_000),
    ]).toEqual([true, true, true, true]);
  });

  it('bounds and requirements bite at the next mint only', () => {
    const { limits } = policyOf({ ...REFUSING, bounds: { ttl: { max: '1m' } } });
    expect(limits.allowsUse(USE)).toBe(true);
  });

  it.each<[sentence: string, spec: TokenPolicySpec['allow'], allowed: boolean]>([
    ['an environment that is listed', { environments: ['production'] }, true],
    ['an environment that is listed no more', { environments: ['staging'] }, false],
    ['an audience that is listed', { audiences: ['search', 'ai-gateway'] }, true],
    ['an audience that is listed no more', { audiences: ['search'] }, false],
    ['a subject that matches', { subjects: ['service:*', 'agent:sum*'] }, true],
    ['a subject that matches no more', { subjects: ['service:*'] }, false],
  ])('%s: %j', (_, allow, allowed) => {
    expect(policyOf({ ...(allow && { allow }) }).limits.allowsUse(USE)).toBe(allowed);
  });

  it.each<[scope: string, allowed: boolean]>([
    ['chat:write', true],
    ['files:read', false],
    ['chat:admin', false],
  ])('the scope %s, of those that are allowed and not denied: %s', (scope, allowed) => {
    const { limits } = policyOf({ allow: { scopes: ['chat:*'] }, deny: { scopes: ['*:admin'] } });
    expect(limits.allowsScope(scope)).toBe(allowed);
  });

  it('the address and the time are those of the policy', () => {
    const { limits } = policyOf({
      conditionsOfUse: {
        sourceCIDRs: ['10.0.0.0/8'],
        hours: [{ days: ['Fri'], from: '08:00', to: '08:01' }],
      },
    });
    // Friday 2027-01-15, 08:00:00
    expect([limits.allowsTime(1_800_000_000), limits.allowsTime(1_800_000_060)]).toEqual([true, false]);
    expect(['10.0.0.1', '11.0.0.1', undefined].map((address) => limits.allowsSource(address))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
