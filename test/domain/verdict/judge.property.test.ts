/** The verdict against a reference that is slow and obvious, written from the sentence of the design and not from the code. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { VersionRecord } from '../../../src/domain/seal.ts';
import { digestOf, type ParsedValue } from '../../../src/domain/value.ts';
import { OUTCOMES } from '../../../src/domain/verdict/outcome.ts';
import type { Route } from '../../../src/domain/verdict/route.ts';
import { judged, NOW, parsed, type TokenFacts, type World } from './world.ts';

const ENVIRONMENTS = ['production', 'staging'];
const AUDIENCES = ['ai-gateway', 'search'];
const SCOPES = ['chat:write', 'models:gpt-4o', 'files:read'];
const SOURCES = ['10.0.0.7', '192.0.2.1'];

// mostly the first: a world where everything is drawn alike is refused by the first check, and reaches no other
const mostly = <T>(usual: T, ...rest: T[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...rest) });
const environment = mostly('production', 'staging');
const audiences = mostly(AUDIENCES, ['ai-gateway'], ['search'], []);
const scopes = fc.oneof({ weight: 2, arbitrary: fc.constant(SCOPES) }, fc.subarray(SCOPES));
const around = fc.integer({ min: -2, max: 2 }).map((seconds) => NOW + seconds);
const later = fc.oneof({ weight: 3, arbitrary: fc.constant(NOW + 3600) }, around);
const values = mostly('one', 'two');

const versions: fc.Arbitrary<VersionRecord> = fc
  .record({
    version: fc.integer({ min: 1, max: 4 }),
    state: fc.constantFrom('Next', 'Current', 'Previous'),
    digest: values.map((text) => digestOf(text)),
    issueTime: fc.constant(NOW - 3600),
    expirationTime: later,
    acceptedUntilTime: fc.option(later, { nil: undefined }),
    grant: fc.record({ subject: fc.constant('agent:summarizer'), environment, audiences, scopes }),
  })
  .map(({ acceptedUntilTime, ...rest }) => (acceptedUntilTime === undefined ? rest : { ...rest, acceptedUntilTime }));

const tokens: fc.Arbitrary<TokenFacts> = fc.record({
  uid: fc.uuid(),
  namespace: fc.constant('support'),
  name: fc.constant('summarizer'),
  tokenID: fc.constant('7Yx3kQ2m'),
  versions: fc.array(versions, { minLength: 1, maxLength: 3 }),
  sealed: mostly(true, false),
  ordered: mostly(false, true),
  revokedThroughVersion: mostly(0, 1, 2, 3),
  spec: fc.record({ environment, audiences, scopes, suspended: mostly(false, true) }),
  policies: fc.array(
    fc.record({
      environments: environment.map((one) => [one]),
      audiences,
      subjects: mostly(['agent:summarizer'], ['agent:another'], []),
      scopes,
      sources: mostly(SOURCES, ['192.0.2.1'], []),
      closed: fc.constantFrom<number[]>([], [], [NOW]),
    }),
    { maxLength: 2 },
  ),
});

const worlds: fc.Arbitrary<World> = fc.record({
  environment,
  audience: fc.record({
    environments: mostly(['production'], ['staging'], ENVIRONMENTS),
    routes: fc.constant<Route[]>([{ methods: ['POST'], path: '/v1/chat', scopes: ['chat:write'] }]),
  }),
  value: fc.oneof(
    { weight: 9, arbitrary: fc.tuple(values, environment).map(([text, of]): ParsedValue => parsed(text, of)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<ParsedValue>({ ok: false, problem: 'shape' }, { ok: false, problem: 'checksum' }),
    },
  ),
  tokens: fc.oneof(
    { weight: 12, arbitrary: fc.array(tokens, { minLength: 1, maxLength: 2 }) },
    { weight: 1, arbitrary: fc.constant<TokenFacts[]>([]) },
  ),
  needs: fc.record({
    audience: fc.constantFrom('ai-gateway', 'search'),
    scopes: fc.oneof(
      fc.subarray(SCOPES),
      fc.constantFrom({ method: 'POST', path: '/v1/chat' }, { method: 'GET', path: '/v1/chat' }),
    ),
  }),
  source: fc.constantFrom(...SOURCES, undefined),
  now: fc.constant(NOW),
});

/** Every pair of a token and one of its versions that could be meant, each judged by itself from the top of the sentence. */
function expected(world: World): string {
  const { value, needs, now } = world;
  if (!value.ok) return value.problem === 'shape' ? 'Malformed' : 'ChecksumWrong';
  if (world.tokens.length === 0) return 'TokenUnknown';
  const holders = world.tokens.filter((token) => token.versions.some(({ digest }) => digest === value.digest));
  if (holders.length === 0) return 'ValueUnknown';
  const token = holders.find(({ sealed }) => sealed);
  if (token === undefined) return 'SealInvalid';
  const version = token.versions.filter(({ digest }) => digest === value.digest)[0];
  if (version === undefined) throw new Error('a holder holds it');
  const { grant } = version;
  const environments = [value.environment, grant.environment, token.spec.environment];
  const perRoute =
    'path' in needs.scopes ? (needs.scopes.method === 'POST' ? ['chat:write'] : undefined) : needs.scopes;
  const held = SCOPES.filter((scope) =>
    [grant.scopes, token.spec.scopes, ...token.policies.map((policy) => policy.scopes)].every((list) =>
      list.includes(scope),
    ),
  );
  const failures: [boolean, string][] = [
    [version.expirationTime <= now, 'Expired'],
    [version.acceptedUntilTime !== undefined && version.acceptedUntilTime <= now, 'Retired'],
    [version.version <= token.revokedThroughVersion || token.ordered, 'Revoked'],
    [token.spec.suspended, 'Suspended'],
    [
      environments.some((one) => one !== world.environment) ||
        !world.audience?.environments.includes(world.environment),
      'EnvironmentWrong',
    ],
    [![grant.audiences, token.spec.audiences].every((list) => list.includes(needs.audience)), 'AudienceWrong'],
    [
      token.policies.some(
        (policy) =>
          !policy.environments.some((one) => one === world.environment) ||
          !policy.audiences.some((one) => one === needs.audience) ||
          !policy.subjects.some((one) => one === grant.subject),
      ),
      'UseDenied',
    ],
    [perRoute === undefined, 'RouteUnknown'],
    [perRoute?.some((scope) => !held.includes(scope)) === true, 'ScopeMissing'],
    [token.policies.some(({ sources }) => !sources.some((source) => source === world.source)), 'SourceDenied'],
    [token.policies.some(({ closed }) => closed.length > 0), 'HoursDenied'],
  ];
  return failures.find(([fails]) => fails)?.[1] ?? 'Allowed';
}

/** Without what is left to others: to the doors, freshness and the rate limit; and an audience that is not declared. */
const REACHABLE = Object.keys(OUTCOMES).filter(
  (outcome) =>
    !/^(Needs|AudienceUnknown|Stale|TokenMissing|TokenAmbiguous|UpstreamMissing|RateLimited|Audit)/.test(outcome),
);

describe('a verdict', () => {
  it('is that of the reference', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(worlds, (world) => {
        const outcome = expected(world);
        met.add(outcome);
        expect(judged(world).outcome).toBe(outcome);
      }),
      { numRuns: 2000 },
    );
    // a reference that always says the same proves nothing
    expect([...met].sort()).toEqual([...REACHABLE].sort());
  });

  it('allows nothing that is past its time, beyond its grant, or beyond what spec and policies leave of it', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const verdict = judged(world);
        if (verdict.outcome !== 'Allowed') return;
        const { token, version, scopes: told } = verdict;
        expect(world.now).toBeLessThan(version.expirationTime);
        expect(world.now).toBeLessThan(version.acceptedUntilTime ?? Number.POSITIVE_INFINITY);
        for (const list of [version.grant.scopes, token.spec.scopes, ...token.policies.map((policy) => policy.scopes)])
          expect(list).toEqual(expect.arrayContaining([...told]));
        if (Array.isArray(world.needs.scopes)) expect(told).toEqual(expect.arrayContaining(world.needs.scopes));
      }),
      { numRuns: 1000 },
    );
  });

  it('never grows: no spec and no policy written after the mint lets a value do what its grant does not say', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const wide = structuredClone(world);
        for (const token of wide.tokens) {
          token.spec = { ...token.spec, audiences: AUDIENCES, scopes: SCOPES };
          token.policies = [];
        }
        const verdict = judged(wide);
        if (verdict.outcome !== 'Allowed') return;
        expect(verdict.version.grant.scopes).toEqual(expect.arrayContaining([...verdict.scopes]));
        expect(verdict.version.grant.audiences).toContain(world.needs.audience);
        expect(verdict.version.grant.environment).toBe(world.environment);
      }),
      { numRuns: 1000 },
    );
  });

  it('says no for good: what is refused for its time is refused at every later time', () => {
    fc.assert(
      fc.property(worlds, fc.nat(10), (world, seconds) => {
        const { outcome } = judged(world);
        if (outcome !== 'Expired' && outcome !== 'Retired') return;
        expect(judged({ ...world, now: world.now + seconds }).outcome).toMatch(/^(Expired|Retired)$/);
      }),
      { numRuns: 1000 },
    );
  });
});
