/** ApiTokens, TokenPolicies and labels of namespaces, as chance has it but the same in each run: every field of both kinds is in some. */
import { type Arbitrary, array, constant, constantFrom, oneof, option, record, sample, subarray } from 'fast-check';
import type { ApiTokenManifest } from '../../src/api/apitoken.ts';
import type {
  TokenPolicyHours,
  TokenPolicyMatch,
  TokenPolicyRule,
  TokenPolicySpec,
} from '../../src/api/token-policy.ts';
import { parseDuration } from '../../src/domain/duration.ts';
import { effectiveTimes } from '../../src/domain/lifecycle/effective.ts';

type Require = NonNullable<TokenPolicySpec['require']>;

const SEED = 20_261_123;
const POLICIES_PER_ROUND = 6;
const TOKENS_PER_ROUND = 16;

export interface Round {
  policies: Partial<TokenPolicySpec>[];
  cases: { token: ApiTokenManifest['spec']; labels: Record<string, string> | undefined; namespace: number }[];
}

/** @param run what the policies' own namespaces are found by, and what nobody else asks for */
export function rounds(cases: number, run: { match: TokenPolicyMatch; marker: string }): Round[] {
  const round = record({
    policies: array(policy(run), { minLength: POLICIES_PER_ROUND, maxLength: POLICIES_PER_ROUND }),
    cases: array(
      record({
        token: token(run.marker),
        labels: option(constant({ team: 'support', tier: 'prod' }), { nil: undefined }),
        namespace: constantFrom(...NAMESPACES.keys()),
      }),
      { minLength: TOKENS_PER_ROUND, maxLength: TOKENS_PER_ROUND },
    ),
  });
  return sample(round, { seed: SEED, numRuns: cases / TOKENS_PER_ROUND });
}

/** The labels of the namespaces that ApiTokens are created in. A label may be called `constructor`. */
export const NAMESPACES: readonly Record<string, string>[] = [
  {},
  { tier: 'prod' },
  { tier: 'test', team: 'support' },
  { tier: 'prod', team: '', 'example.com/constructor': 'x', constructor: 'y' },
];

/** Each key in one of `share` values. */
function partly<T>(fields: { [K in keyof T]: Arbitrary<T[K]> }, share = 2): Arbitrary<Partial<T>> {
  const all = Object.entries(fields) as [string, Arbitrary<unknown>][];
  const absent = { arbitrary: constant(undefined), weight: share - 1 };
  const each = all.map(([key, arbitrary]) => [key, oneof(absent, { arbitrary, weight: 1 })]);
  return record(Object.fromEntries(each)).map((value) => JSON.parse(JSON.stringify(value)));
}

/** The same with at least one. */
function some<T>(fields: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<Partial<T>> {
  return partly(fields).filter((value) => Object.keys(value).length > 0);
}

const ENVIRONMENTS = ['production', 'staging', 'dev-1'];
const AUDIENCES = ['ai-gateway', 'billing.example.com', 'search'];
const SUBJECTS = ['agent:summarizer', 'agent:summarizer.v2_eu', 'service:billing-eu', 'service:billing0eu', 'a:b'];
const SUBJECT_PATTERNS = ['agent:*', '*:billing-*', 'service:billing.eu', 'agent:summarizer', 'ag*:*', 'a:*', '*:*'];
const SCOPES = [
  'chat:write',
  'chat',
  'chat:write:all',
  'models:gpt-4o',
  'models:ft:gpt-4o::x',
  'models:ft::x',
  'a.b',
  'aXb',
  'x/y@1',
];
const SCOPE_PATTERNS = [
  'chat:*',
  '*',
  '*:*',
  'chat:w*:*',
  'models:gpt-4*',
  'models:ft:*:*',
  'models:*:*:*:*',
  'a.b',
  'x/*',
  'chat',
];
const TTLS = ['31m1s', '1h', '90m', '24h0m', '8760h'];
const PERS = ['1s', '7s', '1m', '90s', '1h', '24h'];
const PURPOSES = [
  'x',
  ' padded ',
  'twelve chars',
  '\u0085 twelve chars\u3000',
  '\ufeff x \u200b',
  '👩‍💻 \u{1F600}',
  'two\nlines "quoted" \\',
];
const HOUR = 3_600_000;

function several(values: readonly string[], minLength = 1): Arbitrary<string[]> {
  return subarray([...values], { minLength, maxLength: 3 });
}

const duration = (values: readonly string[]) => constantFrom(...values);

/** At an hour that is far from every bound below: the clocks of test and API server differ. */
const notAfter = constantFrom(0.5, 24, 24 * 100, 24 * 365 * 90).chain((hours) => {
  const iso = new Date(Date.now() + hours * HOUR).toISOString();
  return constantFrom(iso, iso.replace(/\..*Z/, 'z').replace('T', 't'), iso.replace('Z', '+00:00'));
});

function token(marker: string): Arbitrary<ApiTokenManifest['spec']> {
  const optional = partly({
    scopes: oneof(several(SCOPES, 0), constant<string[]>([`${marker}:x`])),
    owner: constantFrom('team@example.com', 'Support <support@example.com>'),
    notAfter,
    rotation: partly({
      mode: constantFrom('Automatic' as const, 'Manual' as const, 'Manual' as const),
      renewBefore: duration(['1s', '10m', '10m20s', '30m']),
      overlap: duration(['1s', '10m', '10m20s']),
      schedule: constant('0 3 * * *'),
      timeZone: constant('Europe/Berlin'),
    }),
    secret: constant({ name: 'secret', includePrevious: true, template: { data: { A: '$(token)' } } }),
    restart: constantFrom('Auto' as const, 'Always' as const, 'Never' as const),
    rateLimits: several(PERS, 0).map((pers) => pers.map((per, i) => ({ requests: [1, 60, 1_000_000][i] ?? 1, per }))),
    state: constantFrom('Active' as const, 'Suspended' as const),
  });
  const required = record({
    subject: constantFrom(...SUBJECTS),
    purpose: constantFrom(...PURPOSES),
    environment: constantFrom(...ENVIRONMENTS),
    audiences: several(AUDIENCES),
    ttl: duration(TTLS),
  });
  return record({ required, optional })
    .map(({ required, optional }): ApiTokenManifest['spec'] => ({ ...required, ...optional }))
    .filter(isValid);
}

/** What the schema says of times that depend on each other. */
function isValid({ ttl, rotation: { renewBefore, overlap } = {} }: ApiTokenManifest['spec']): boolean {
  const seconds = (text: string | undefined) => (text === undefined ? undefined : parseDuration(text));
  const longest = effectiveTimes({ ttl: parseDuration(ttl) ?? 0, renewBefore: seconds(renewBefore) }).overlap;
  return (seconds(overlap) ?? 0) <= longest;
}

function policy({ match, marker }: { match: TokenPolicyMatch; marker: string }): Arbitrary<Partial<TokenPolicySpec>> {
  const ours = partly(
    {
      allow: some({
        environments: several(ENVIRONMENTS),
        audiences: several(AUDIENCES),
        subjects: several(SUBJECT_PATTERNS),
        scopes: several(SCOPE_PATTERNS),
      }),
      deny: record({ scopes: several(SCOPE_PATTERNS) }),
      require: constantFrom<Require[]>(
        ['Owner'],
        ['RateLimits'],
        ['AutomaticRotation'],
        ['AutomaticRotation', 'Owner', 'RateLimits'],
      ),
      bounds: some({
        ttl: some({ min: duration(['1m', '31m1s']), max: duration(['90m', '1h30m', '8760h']) }),
        maxOverlap: duration(['10m19s', '10m20s', '8h']),
        maxGrantLifetime: duration(['1h', '2160h', '87600h']),
        maxRequests: record({ requests: constantFrom(1, 60, 3600, 1_000_000_000), per: duration(PERS) }),
        purposeMinLength: constantFrom(1, 3, 12, 13, 1024),
      }),
      conditionsOfUse: some({
        sourceCIDRs: constant<string[]>(['10.0.0.0/8', '2001:db8::/32']),
        hours: constant<TokenPolicyHours[]>([{ days: ['Mon'], from: '06:00', to: '20:00', timeZone: 'Europe/Berlin' }]),
      }),
      rules: constantFrom<TokenPolicyRule[][]>(
        [{ name: 'team', expression: 'has(token.metadata.labels.team)', message: 'label it' }],
        [{ name: 'broken', expression: 'nonsense(', message: 'never shown' }],
      ),
    },
    3,
  );
  const selecting = record({ match: selector(match), mode, ours }).map(
    ({ match, mode, ours }): Partial<TokenPolicySpec> => ({
      match,
      ...mode,
      ...ours,
    }),
  );
  // of the whole cluster, so that it may forbid only what nobody else asks for
  const everything = mode.map(
    (mode): Partial<TokenPolicySpec> => ({ match: { everything: true }, ...mode, deny: { scopes: [`${marker}:*`] } }),
  );
  return oneof({ arbitrary: selecting, weight: 9 }, { arbitrary: everything, weight: 1 });
}

const mode = constantFrom({}, { mode: 'Enforce' as const }, { mode: 'Audit' as const }, { mode: 'Audit' as const });

function selector({ namespaces }: TokenPolicyMatch): Arbitrary<TokenPolicyMatch> {
  const own = namespaces?.matchLabels ?? {};
  const [[key = '', value = ''] = []] = Object.entries(own);
  const labels = constantFrom<Record<string, string>[]>(
    {},
    { tier: 'prod' },
    { team: '' },
    { constructor: 'y' },
    { tier: 'test', team: 'support' },
  );
  const condition = record({
    key: constantFrom('tier', 'team', 'constructor', 'example.com/constructor', 'toString'),
    operator: constantFrom('In' as const, 'NotIn' as const, 'Exists' as const, 'DoesNotExist' as const),
    values: constantFrom<string[][]>(['prod'], ['prod', 'support', 'y'], ['']),
  }).map(({ values, ...rest }) => (rest.operator.endsWith('In') ? { ...rest, values } : rest));
  const conditions = array(condition, { minLength: 1, maxLength: 2 });
  return oneof(
    labels.map((more): TokenPolicyMatch => ({ namespaces: { matchLabels: { ...own, ...more } } })),
    record({ labels, conditions }).map(
      ({ labels, conditions }): TokenPolicyMatch => ({
        namespaces: { matchLabels: { ...own, ...labels }, matchExpressions: conditions },
      }),
    ),
    conditions.map(
      (more): TokenPolicyMatch => ({
        namespaces: { matchExpressions: [{ key, operator: 'In' as const, values: [value] }, ...more] },
      }),
    ),
  );
}
