import { describe, expect, it } from 'vitest';
import { judge, type Knowledge, type Needs, type UseLimits } from '../../../src/domain/verdict/judge.ts';
import { OUTCOMES, type Outcome } from '../../../src/domain/verdict/outcome.ts';
import { judged, NOW, parsed, passing, type TokenFacts, tokenOf, versionOf, type World } from './world.ts';

const first = (world: World): TokenFacts => world.tokens[0] ?? tokenOf('none', []);
const firstVersion = (world: World) => first(world).versions[0] ?? versionOf('none');
const firstPolicy = (world: World) => first(world).policies[0] ?? {};

/** In the fixed order. What comes later in the list must not be told where something earlier is wrong too. */
const FAULTS: [sentence: string, outcome: Outcome, fault: (world: World) => unknown][] = [
  ['no TokenAudience declares the audience', 'AudienceUnknown', (w) => Object.assign(w, { audience: undefined })],
  ['the value has not the shape', 'Malformed', (w) => Object.assign(w, { value: { ok: false, problem: 'shape' } })],
  [
    'the checksum is wrong',
    'ChecksumWrong',
    (w) => w.value.ok && Object.assign(w, { value: { ok: false, problem: 'checksum' } }),
  ],
  ['no ApiToken has the token id', 'TokenUnknown', (w) => Object.assign(w, { tokens: [] })],
  ['no version has the value', 'ValueUnknown', (w) => w.value.ok && Object.assign(w, { value: parsed('another') })],
  ['the status is not sealed', 'SealInvalid', (w) => Object.assign(first(w), { sealed: false })],
  ['the version has expired', 'Expired', (w) => Object.assign(firstVersion(w), { expirationTime: NOW })],
  ['the overlap is over', 'Retired', (w) => Object.assign(firstVersion(w), { acceptedUntilTime: NOW })],
  ['the version is revoked', 'Revoked', (w) => Object.assign(first(w), { revokedThroughVersion: 3 })],
  ['an order revokes it', 'Revoked', (w) => Object.assign(first(w), { ordered: true })],
  ['the ApiToken is suspended', 'Suspended', (w) => Object.assign(first(w).spec, { suspended: true })],
  ['the verifier is of another environment', 'EnvironmentWrong', (w) => Object.assign(w, { environment: 'staging' })],
  [
    'the grant is for another environment',
    'EnvironmentWrong',
    (w) => Object.assign(firstVersion(w).grant, { environment: 'staging' }),
  ],
  [
    'the spec is for another environment',
    'EnvironmentWrong',
    (w) => Object.assign(first(w).spec, { environment: 'staging' }),
  ],
  [
    'the audience is not for the environment',
    'EnvironmentWrong',
    (w) => w.audience && Object.assign(w.audience, { environments: ['staging'] }),
  ],
  [
    'the grant leaves out the audience',
    'AudienceWrong',
    (w) => Object.assign(firstVersion(w).grant, { audiences: ['search'] }),
  ],
  [
    'the spec leaves out the audience now',
    'AudienceWrong',
    (w) => Object.assign(first(w).spec, { audiences: ['search'] }),
  ],
  [
    'a policy leaves out the environment now',
    'UseDenied',
    (w) => Object.assign(firstPolicy(w), { environments: ['staging'] }),
  ],
  [
    'a policy leaves out the audience now',
    'UseDenied',
    (w) => Object.assign(firstPolicy(w), { audiences: ['search'] }),
  ],
  [
    'a policy leaves out the subject now',
    'UseDenied',
    (w) => Object.assign(firstPolicy(w), { subjects: ['agent:another'] }),
  ],
  [
    'no route matches',
    'RouteUnknown',
    (w) => Object.assign(w, { needs: { audience: 'ai-gateway', scopes: { method: 'GET', path: '/v1/chat' } } }),
  ],
  [
    'the grant leaves out the scope',
    'ScopeMissing',
    (w) => Object.assign(firstVersion(w).grant, { scopes: ['models:gpt-4o'] }),
  ],
  [
    'the spec leaves out the scope now',
    'ScopeMissing',
    (w) => Object.assign(first(w).spec, { scopes: ['models:gpt-4o'] }),
  ],
  [
    'a policy leaves out the scope now',
    'ScopeMissing',
    (w) => Object.assign(firstPolicy(w), { scopes: ['models:gpt-4o'] }),
  ],
  ['a policy refuses the address', 'SourceDenied', (w) => Object.assign(w, { source: '192.0.2.1' })],
  ['a policy asks for an address that is not known', 'SourceDenied', (w) => Object.assign(w, { source: undefined })],
  ['a policy refuses the time', 'HoursDenied', (w) => Object.assign(firstPolicy(w), { closed: [NOW] })],
];

const PAIRS = FAULTS.flatMap(([one, outcome, fault], i) =>
  FAULTS.slice(i + 1).map(([other, , more]) => ({ one, other, outcome, fault, more })),
);

describe('a verdict', () => {
  it('allows a call that passes every check, and says with which scopes', () => {
    const verdict = judged(passing());
    expect(verdict).toMatchObject({
      outcome: 'Allowed',
      token: { uid: 'uid-1' },
      version: { version: 3 },
      scopes: ['chat:write', 'models:gpt-4o'],
    });
  });

  it.each(FAULTS)('where %s is %s', (_, outcome, fault) => {
    const world = passing();
    fault(world);
    expect(judged(world).outcome).toBe(outcome);
  });

  it.each(PAIRS)('where $one, and $other too, is $outcome', ({ outcome, fault, more }) => {
    const world = passing();
    fault(world);
    more(world);
    expect(judged(world).outcome).toBe(outcome);
  });

  it('checks in the order in which the outcomes are listed', () => {
    const order = [...new Set(FAULTS.map(([, outcome]) => outcome))];
    const listed = Object.keys(OUTCOMES).filter((outcome) => (order as string[]).includes(outcome));
    expect(listed).toEqual(order);
  });
});

const INSTANTS: [sentence: string, times: { expirationTime?: number; acceptedUntilTime?: number }, outcome: Outcome][] =
  [
    ['a second before its expiry is accepted', { expirationTime: NOW + 1 }, 'Allowed'],
    ['at its expiry is refused', { expirationTime: NOW }, 'Expired'],
    ['a second before the end of its overlap is accepted', { acceptedUntilTime: NOW + 1 }, 'Allowed'],
    ['at the end of its overlap is refused', { acceptedUntilTime: NOW }, 'Retired'],
    [
      'past its expiry is refused though its overlap goes on',
      { expirationTime: NOW, acceptedUntilTime: NOW + 9 },
      'Expired',
    ],
    ['with a time that cannot be read is refused', { expirationTime: 0 }, 'Expired'],
    ['with an end of overlap that cannot be read is refused', { acceptedUntilTime: 0 }, 'Retired'],
  ];

describe('a version', () => {
  it.each(INSTANTS)('%s', (_, times, outcome) => {
    const world = { ...passing(), tokens: [tokenOf('uid-1', [versionOf('good', { state: 'Previous', ...times })])] };
    expect(judged(world).outcome).toBe(outcome);
  });

  it.each(['Next', 'Current', 'Previous'] as const)('that is %s is accepted', (state) => {
    const world = { ...passing(), tokens: [tokenOf('uid-1', [versionOf('good', { state })])] };
    expect(judged(world).outcome).toBe('Allowed');
  });

  it('above the revoked ones is accepted', () => {
    const tokens = [tokenOf('uid-1', [versionOf('good', { version: 4 })], { revokedThroughVersion: 3 })];
    expect(judged({ ...passing(), tokens }).outcome).toBe('Allowed');
  });
});

describe('what was found for the last call of a version', () => {
  const { needs, audience, tokens } = passing();
  const [{ sealed: _, ordered: __, policies: ___, ...facts } = tokenOf('none', [])] = tokens;
  const token = { ...facts, isSealed: () => true };
  const limit = {
    allowsUse: () => true,
    allowsScope: (scope: string) => scope !== 'models:gpt-4o',
    allowsSource: () => true,
    allowsTime: () => true,
  };
  const [none, limits] = [[], [limit]];
  const ask = (changed: { needs?: Needs; limits?: readonly UseLimits[] } & Partial<Knowledge> = {}) => {
    const { needs: asked = needs, limits: left = none, ...more } = changed;
    const known = { environment: 'production', audience, candidates: [token], now: NOW, ...more };
    const verdict = judge({ value: parsed('good'), source: undefined }, asked, {
      ...known,
      isOrderedRevoked: () => false,
      limitsOf: () => left,
    });
    return 'scopes' in verdict ? verdict.scopes : verdict.outcome;
  };
  const ALL = ['chat:write', 'models:gpt-4o'];

  it.each<[what: string, change: Parameters<typeof ask>[0], then: readonly string[] | Outcome]>([
    ['nothing', {}, ALL],
    ['what policies leave', { limits }, ['chat:write']],
    ['the scopes that it needs', { needs: { ...needs, scopes: ['admin:all'] } }, 'ScopeMissing'],
    ['the audience that it needs', { needs: { ...needs, audience: 'billing' } }, 'AudienceWrong'],
    ['the TokenAudience', { audience: { environments: ['staging'], routes: [] } }, 'EnvironmentWrong'],
    ['the ApiToken', { candidates: [{ ...token, spec: { ...token.spec, scopes: ['chat:write'] } }] }, ['chat:write']],
    ['the path', { needs: { ...needs, scopes: { method: 'GET', path: '/v1/chat' } } }, 'RouteUnknown'],
  ])(
    'holds for the next one as far as it is alike: with another %s, the next one is judged anew',
    (_, change, then) => {
      expect([ask(), ask(change), ask()]).toEqual([ALL, then, ALL]);
    },
  );
});

describe('two ApiTokens with one token id', () => {
  const owner = (more?: Partial<TokenFacts>) => tokenOf('owner', [versionOf('good')], more);

  it('are told apart by the digest', () => {
    const tokens = [tokenOf('other', [versionOf('another')]), owner()];
    expect(judged({ ...passing(), tokens })).toMatchObject({ outcome: 'Allowed', token: { uid: 'owner' } });
  });

  it.each(['before', 'after'])(
    'do not hurt each other where one, listed %s, copies the digest without a seal',
    (place) => {
      const thief = tokenOf('thief', [versionOf('good')], { sealed: false });
      const tokens = place === 'before' ? [thief, owner()] : [owner(), thief];
      expect(judged({ ...passing(), tokens })).toMatchObject({ outcome: 'Allowed', token: { uid: 'owner' } });
    },
  );

  it('are refused where neither is sealed', () => {
    const tokens = [tokenOf('thief', [versionOf('good')], { sealed: false }), owner({ sealed: false })];
    expect(judged({ ...passing(), tokens }).outcome).toBe('SealInvalid');
  });

  it('name nobody where neither has the value, since either might be meant', () => {
    const tokens = [tokenOf('one', [versionOf('x')]), tokenOf('two', [versionOf('y')])];
    expect(judged({ ...passing(), tokens })).toEqual({ outcome: 'ValueUnknown' });
  });
});

describe('an ApiToken whose value is not known', () => {
  it('is named, for the audit', () => {
    expect(judged({ ...passing(), value: parsed('another') })).toMatchObject({
      outcome: 'ValueUnknown',
      token: { uid: 'uid-1' },
    });
  });
});

describe('a seal', () => {
  it.each([
    ['the ApiToken that has the value', parsed('good'), ['owner']],
    ['nobody, where nobody has it', parsed('another'), []],
  ])('is checked of %s only: it costs more than all else', (_, value, expected) => {
    const tokens = [tokenOf('other', [versionOf('x')]), tokenOf('owner', [versionOf('good')])];
    const checked = new Set<string>();
    judged({ ...passing(), value, tokens }, (uid) => checked.add(uid));
    expect([...checked]).toEqual(expected);
  });
});
