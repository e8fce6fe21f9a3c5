import { describe, expect, it } from 'vitest';
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import { RULES } from '../../../src/domain/policy/rules.ts';
import { evaluated, NOW, policyOf, tokenOf, told } from './policies.ts';

type Policy = Partial<TokenPolicySpec>;
type Token = Parameters<typeof tokenOf>[0];
type Row = [sentence: string, token: Token, says?: string];

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
const HOUR = 3600;

const limit = (requests: number, per: string) => ({ requests, per });

/** For every rule: a policy that states it, and tokens on both sides of its bound. */
const TABLE: [rule: string, policy: Policy, rows: Row[]][] = [
  [
    'Environments',
    { allow: { environments: ['staging', 'production'] } },
    [
      ['one that is listed', {}],
      ['one that is not', { environment: 'test' }, 'asked for test; allowed: staging, production'],
      [
        'one that only begins so',
        { environment: 'production-2' },
        'asked for production-2; allowed: staging, production',
      ],
    ],
  ],
  [
    'Audiences',
    { allow: { audiences: ['ai-gateway', 'search'] } },
    [
      ['all that are listed', { audiences: ['search', 'ai-gateway'] }],
      [
        'some that are not',
        { audiences: ['files', 'search', 'mail'] },
        'asked for files, mail; allowed: ai-gateway, search',
      ],
    ],
  ],
  [
    'Subjects',
    { allow: { subjects: ['agent:sum*', '*:billing'] } },
    [
      ['the tail of a segment', {}],
      ['a whole segment', { subject: 'service:billing' }],
      ['neither', { subject: 'agent:other' }, 'asked for agent:other; allowed: agent:sum*, *:billing'],
    ],
  ],
  [
    'Scopes',
    { allow: { scopes: ['chat:*', 'models:gpt-4*'] } },
    [
      ['all that match', {}],
      ['none', { scopes: [] }],
      [
        'more segments',
        { scopes: ['chat:write:all', 'chat:read'] },
        'asked for chat:write:all; allowed: chat:*, models:gpt-4*',
      ],
    ],
  ],
  [
    'DeniedScopes',
    { deny: { scopes: ['*:admin', 'root'] } },
    [
      ['none that match', {}],
      [
        'some that match',
        { scopes: ['chat:admin', 'chat:read', 'root'] },
        'asked for chat:admin, root; denied: *:admin, root',
      ],
    ],
  ],
  [
    'Owner',
    { require: ['Owner'] },
    [
      ['an owner', { owner: 'team-support' }],
      ['none', {}, 'asked without an owner; allowed: with spec.owner'],
    ],
  ],
  [
    'RateLimits',
    { require: ['RateLimits'] },
    [
      ['one', { rateLimits: [limit(1, '1s')] }],
      ['an empty list', { rateLimits: [] }, 'asked without rate limits; allowed: with spec.rateLimits'],
      ['none', {}, 'asked without rate limits; allowed: with spec.rateLimits'],
    ],
  ],
  [
    'AutomaticRotation',
    { require: ['AutomaticRotation'] },
    [
      ['Automatic', { rotation: { mode: 'Automatic' } }],
      ['none, which is Automatic', { rotation: {} }],
      ['Manual', { rotation: { mode: 'Manual' } }, 'asked for rotation mode Manual; allowed: Automatic'],
    ],
  ],
  [
    'TTL',
    { bounds: { ttl: { min: '5m', max: '24h' } } },
    [
      ['the longest', { ttl: '1440m' }],
      ['a second more', { ttl: '24h1s' }, 'asked for a ttl of 24h1s; allowed: at least 5m and at most 24h'],
      ['the shortest', { ttl: '300s' }],
      ['a second less', { ttl: '4m59s' }, 'asked for a ttl of 4m59s; allowed: at least 5m and at most 24h'],
      ['one that cannot be read', { ttl: 'long' }, 'asked for a ttl of long; allowed: at least 5m and at most 24h'],
    ],
  ],
  [
    'TTL',
    { bounds: { ttl: { max: '1h' } } },
    [['too long', { ttl: '2h' }, 'asked for a ttl of 2h; allowed: at most 1h']],
  ],
  [
    'TTL',
    { bounds: { ttl: { min: '1h' } } },
    [['too short', { ttl: '2m' }, 'asked for a ttl of 2m; allowed: at least 1h']],
  ],
  [
    'MaxOverlap',
    { bounds: { maxOverlap: '1h' } },
    [
      ['the longest', { rotation: { overlap: '60m', renewBefore: '8h' } }],
      ['a second more', { rotation: { overlap: '1h1s' } }, 'asked for an overlap of 1h1s; allowed: at most 1h'],
      ['renewBefore, where it is left out', { rotation: { renewBefore: '1h' } }],
      [
        'a longer renewBefore',
        { rotation: { renewBefore: '2h' } },
        'asked without an overlap, which so is renewBefore, 2h; allowed: at most 1h',
      ],
      ['a third of the ttl, where both are left out', { ttl: '3h2s' }],
      [
        'a longer third',
        { ttl: '3h3s' },
        'asked without an overlap, which so is a third of the ttl of 3h3s; allowed: at most 1h',
      ],
      ['one that cannot be read', { rotation: { overlap: 'x' } }, 'asked for an overlap of x; allowed: at most 1h'],
    ],
  ],
  [
    'MaxGrantLifetime',
    { bounds: { maxGrantLifetime: '1h' } },
    [
      ['the longest', { notAfter: iso(NOW + HOUR) }],
      [
        'a second more',
        { notAfter: iso(NOW + HOUR + 1) },
        `asked for a notAfter of ${iso(NOW + HOUR + 1)}; allowed: at most 1h after its creation`,
      ],
      ['none', {}, 'asked without a notAfter; allowed: at most 1h after its creation'],
      ['no time', { notAfter: 'never' }, 'asked for a notAfter of never; allowed: at most 1h after its creation'],
    ],
  ],
  [
    'MaxRequests',
    { bounds: { maxRequests: limit(1000, '1m') } },
    [
      ['the same', { rateLimits: [limit(1000, '60s')] }],
      ['as many by smaller spans', { rateLimits: [limit(16, '1s')] }],
      ['more by smaller spans', { rateLimits: [limit(17, '1s')] }, 'asked for 17 in 1s; allowed: at most 1000 in 1m'],
      ['as many in longer ones', { rateLimits: [limit(1000, '24h')] }],
      ['spans that do not divide it', { rateLimits: [limit(500, '59s')] }],
      ['one more', { rateLimits: [limit(501, '59s')] }, 'asked for 501 in 59s; allowed: at most 1000 in 1m'],
      ['one of several that keeps to it', { rateLimits: [limit(5000, '1h'), limit(10, '1s')] }],
      [
        'several that keep to it only together',
        { rateLimits: [limit(1001, '1m'), limit(2000, '1h')] },
        'asked for 1001 in 1m, 2000 in 1h; allowed: at most 1000 in 1m',
      ],
      ['none', {}, 'asked without rate limits; allowed: at most 1000 in 1m'],
    ],
  ],
  [
    'PurposeMinLength',
    { bounds: { purposeMinLength: 5 } },
    [
      ['as many', { purpose: 'abcde' }],
      ['one less', { purpose: 'abcd' }, 'asked with a shorter purpose; allowed: at least 5 characters'],
      [
        'as many with spaces around',
        { purpose: ' \u0085\u3000abcd\n\t' },
        'asked with a shorter purpose; allowed: at least 5 characters',
      ],
      ['as many characters beyond 16 bits', { purpose: '😀😀😀😀😀' }],
      ['fewer of them', { purpose: '😀😀😀😀' }, 'asked with a shorter purpose; allowed: at least 5 characters'],
    ],
  ],
];

describe.each(TABLE)('the rule %s, of %j', (rule, policy, rows) => {
  it.each(rows)('judges %s', (_, token, says) => {
    expect(told(policy, tokenOf(token))).toEqual(
      says === undefined ? [] : [`TokenPolicy prod-ai, rule ${rule}: ${says}`],
    );
  });
});

describe('the rules', () => {
  it('are all in the table, in their order', () => {
    expect([...new Set(TABLE.map(([rule]) => rule))]).toEqual(RULES.map(({ name }) => name));
  });

  it('are told in their order, and those of the policy after them', () => {
    const policy = Object.assign({}, ...TABLE.map(([, policy]) => policy)) as Policy;
    policy.require = ['AutomaticRotation', 'Owner', 'RateLimits'];
    policy.rules = [{ name: 'later', expression: 'false', message: 'no' }];
    policy.allow = { scopes: ['x'], subjects: ['x:x'], audiences: ['x'], environments: ['x'] };
    const token = tokenOf({ scopes: ['root'], rotation: { mode: 'Manual' }, ttl: '9999h' });
    const { violations } = evaluated([policyOf(policy)], token);
    expect(violations.map(({ rule }) => rule)).toEqual([
      'Environments',
      'Audiences',
      'Subjects',
      'Scopes',
      'DeniedScopes',
      'Owner',
      'RateLimits',
      'AutomaticRotation',
      'later',
    ]);
  });

  it('count the life of a grant from its creation, once it is created', () => {
    const token = (created: number) => tokenOf({ notAfter: iso(NOW) }, { creationTimestamp: iso(created) });
    const policy = { bounds: { maxGrantLifetime: '1h' } };
    expect([told(policy, token(NOW - HOUR)).length, told(policy, token(NOW - HOUR - 1)).length]).toEqual([0, 1]);
  });

  it('say nothing where the policy says nothing', () => {
    expect(told({}, tokenOf({ ttl: 'x', notAfter: 'x', scopes: ['a:*'] }))).toEqual([]);
  });
});

const UNREADABLE: [sentence: string, policy: Policy, problem: string][] = [
  [
    'a pattern of subjects',
    { allow: { subjects: ['a*b:c'] } },
    'rule Subjects: "a*b:c" is no pattern: use * only as a whole segment or at the end of one, as in chat:*',
  ],
  [
    'a pattern of scopes',
    { deny: { scopes: [':a'] } },
    'rule DeniedScopes: ":a" is no pattern: use * only as a whole segment or at the end of one, as in chat:*',
  ],
  ['a duration', { bounds: { ttl: { max: '1d' } } }, 'rule TTL: "1d" is no duration such as 1h30m'],
  [
    'a network',
    { conditionsOfUse: { sourceCIDRs: ['10.0.0.0'] } },
    'conditions of use: "10.0.0.0" is no CIDR such as 10.0.0.0/8',
  ],
  [
    'an IPv4 network inside IPv6',
    { conditionsOfUse: { sourceCIDRs: ['::ffff:10.0.0.0/104'] } },
    'conditions of use: "::ffff:10.0.0.0/104" is no CIDR such as 10.0.0.0/8',
  ],
  [
    'a time zone',
    { conditionsOfUse: { hours: [{ days: ['Mon'], from: '00:00', to: '00:00', timeZone: 'Mars' }] } },
    'conditions of use: "Mars" is no IANA time zone such as Europe/Berlin',
  ],
  [
    'a time of day',
    { conditionsOfUse: { hours: [{ days: ['Mon'], from: '00:00', to: '24:00' }] } },
    'conditions of use: "24:00" is no time from 00:00 to 23:59',
  ],
  [
    'an expression',
    { rules: [{ name: 'team', expression: 'tokn.spec', message: 'no' }] },
    'rule team: "tokn" is not known: use token, namespaceObject, now',
  ],
];

describe('a policy is broken', () => {
  it.each(UNREADABLE)('by %s that cannot be read', (_, policy, problem) => {
    expect(policyOf(policy).problem).toBe(problem);
  });
});
