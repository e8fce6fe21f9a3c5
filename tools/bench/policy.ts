/** What TokenPolicies cost: evaluations a second, one that changes, and how long the API server takes to admit an ApiToken under them. */
import { API_TOKENS, type ApiToken } from '../../src/api/apitoken.ts';
import { TOKEN_POLICIES, type TokenPolicy, type TokenPolicySpec } from '../../src/api/token-policy.ts';
import { evaluate } from '../../src/domain/policy/evaluate.ts';
import { compilePolicy } from '../../src/domain/policy/policy.ts';
import { KubeError } from '../../src/ports.ts';
import { type Bench, type BenchOptions, type Result, withCluster } from './cluster.ts';
import { median } from './median.ts';
import { policyChange } from './policy-change.ts';
import { operatorChange } from './policy-operator.ts';

const MANY = 100;
const LABELS = { 'bench.tokenwright.dev/governed': 'true' };
const EVALUATION_MS = 400;

/** What the policy of that number forbids besides. */
const probeOf = (index: number) => `chat:probe-${index}`;

/** Namespaces that the policies match, and that they do not. */
type Place = 'governed' | 'free';

/** How many policies there are, and where the ApiTokens are created. */
const SETTINGS: readonly (readonly [name: string, policies: number, place: Place])[] = [
  ['0-policies', 0, 'free'],
  ['1-matching', 1, 'governed'],
  [`${MANY}-none-matching`, MANY, 'free'],
  [`${MANY}-matching`, MANY, 'governed'],
];

/** In each setting. */
const MAX_CREATES = 200;

/** A usual one, which the ApiTokens here satisfy. */
const SPEC: TokenPolicySpec = {
  match: { namespaces: { matchLabels: LABELS } },
  allow: {
    environments: ['staging', 'production'],
    audiences: ['ai-gateway'],
    subjects: ['agent:*'],
    scopes: ['models:*', 'chat:*'],
  },
  deny: { scopes: ['*:admin'] },
  require: ['Owner', 'RateLimits', 'AutomaticRotation'],
  bounds: { ttl: { max: '24h' }, maxOverlap: '8h', maxRequests: { requests: 1000, per: '1m' }, purposeMinLength: 5 },
};

const TOKEN: ApiToken['spec'] = {
  subject: 'agent:bench',
  purpose: 'Measure',
  environment: 'production',
  audiences: ['ai-gateway'],
  scopes: ['chat:write', 'models:gpt-4o'],
  owner: 'team@example.com',
  ttl: '24h',
  rateLimits: [{ requests: 600, per: '1m' }],
};

export function policyBench(options: BenchOptions): Promise<Result[]> {
  const { tokens = 200, pairs = 5 } = options;
  const changes = policyChange(SPEC, TOKEN, options.tokens);
  return withCluster(async (bench) => {
    for (const place of ['governed', 'free'] as const)
      await bench.namespace(place, place === 'governed' ? LABELS : undefined);
    for (const { metadata } of await bench.admin.list(TOKEN_POLICIES))
      await bench.admin.delete(TOKEN_POLICIES, metadata);
    const creates = Math.min(tokens, MAX_CREATES);
    await admissions(bench, 'warm-up', creates);
    const runs: { evaluations: [one: number, many: number]; admission: Admission[] }[] = [];
    for (let pair = 0; pair < pairs; pair += 1) {
      const admission = await admissions(bench, `pair-${pair}`, creates);
      runs.push({ evaluations: [evaluationsPerSecond(1), evaluationsPerSecond(MANY)], admission });
      console.error(`pair ${pair + 1}: p50 ${admission.map(({ p50 }) => p50.toFixed(1)).join(', ')} ms`);
    }
    const evaluations = ([one, many]: [number, number]): Result[] => [
      { name: 'policy.evaluations.1', value: one, unit: 'tokens/s', ratio: null, against: null },
      { name: `policy.evaluations.${MANY}`, value: many, unit: 'tokens/s', ratio: many / one, against: '1 policy' },
    ];
    const rows = middle(runs.map((run) => [...evaluations(run.evaluations), ...run.admission.flatMap(shown)]));
    return [...changes, ...(await operatorChange(bench, tokens)), ...rows];

    function shown(admission: Admission, index: number, [none = admission]: Admission[]): Result[] {
      return (['p50', 'p99', 'cpu'] as const).map((figure) => ({
        name: `policy.admission.${admission.name}.${figure}`,
        value: admission[figure],
        unit: 'ms',
        ratio: index === 0 ? null : admission[figure] / none[figure],
        against: index === 0 ? null : '0 policies',
      }));
    }
  });
}

/** Of each row its median over the runs, and that of its ratios, which are of one run each. */
function middle(runs: readonly Result[][]): Result[] {
  const [first = []] = runs;
  return first.map((row, index) => {
    const same = runs.flatMap((results) => results[index] ?? []);
    const ratios = same.flatMap(({ ratio }) => ratio ?? []);
    const ratio = ratios.length > 0 ? median(ratios) : null;
    return { ...row, value: median(same.map(({ value }) => value)), ratio };
  });
}

function evaluationsPerSecond(count: number): number {
  const policies = Array.from({ length: count }, (_, index) =>
    compilePolicy({ metadata: { name: `policy-${index}` }, spec: SPEC }),
  );
  const token = { metadata: { name: 'token', namespace: 'governed' }, spec: TOKEN };
  const namespace = { name: 'governed', labels: LABELS };
  const started = performance.now();
  let done = 0;
  for (; performance.now() - started < EVALUATION_MS; done += 1) {
    const { violations } = evaluate({ token, namespace, policies, now: 0, defaultPolicy: 'Deny' });
    if (violations.length > 0) throw new Error(`the policies forbid what is measured: ${violations[0]?.message}`);
  }
  return (done / (performance.now() - started)) * 1000;
}

interface Admission {
  name: string;
  p50: number;
  p99: number;
  /** Of the control plane, for each create. */
  cpu: number;
}

/** Milliseconds of creates one after the other, in each setting. */
async function admissions(bench: Bench, run: string, creates: number): Promise<Admission[]> {
  const found: Admission[] = [];
  for (const [name, policies, place] of SETTINGS) {
    await havePolicies(bench, policies);
    const times: number[] = [];
    const used = bench.serverCpuSeconds();
    for (let index = 0; index < creates; index += 1) {
      const metadata = { name: `${run}-${name}-${index}`, namespace: place };
      const started = performance.now();
      await bench.admin.create(API_TOKENS, { metadata, spec: TOKEN } as ApiToken);
      times.push(performance.now() - started);
    }
    const cpu = ((bench.serverCpuSeconds() - used) / creates) * 1000;
    times.sort((a, b) => a - b);
    const quantile = (share: number) => times[Math.min(creates - 1, Math.floor(creates * share))] ?? 0;
    found.push({ name, p50: quantile(0.5), p99: quantile(0.99), cpu });
  }
  return found;
}

/** Until the API server judges by so many: it learns of them in the order in which they are written, and the last is asked. */
async function havePolicies({ admin }: Bench, count: number): Promise<void> {
  const there = (await admin.list(TOKEN_POLICIES)).length;
  for (let index = there; index > count; index -= 1) await admin.delete(TOKEN_POLICIES, { name: `policy-${index}` });
  for (let index = there + 1; index <= count; index += 1) {
    const spec = { ...SPEC, deny: { scopes: [...(SPEC.deny?.scopes ?? []), probeOf(index)] } };
    await admin.create(TOKEN_POLICIES, { metadata: { name: `policy-${index}` }, spec } as TokenPolicy);
  }
  const deadline = performance.now() + 30_000;
  while (!((count === 0 || (await isRefused(probeOf(count)))) && !(await isRefused(probeOf(count + 1))))) {
    if (performance.now() > deadline) throw new Error(`the API server does not judge by ${count} policies`);
  }

  async function isRefused(scope: string): Promise<boolean> {
    const key = { name: 'probe', namespace: 'governed' };
    try {
      await admin.create(API_TOKENS, { metadata: key, spec: { ...TOKEN, scopes: [scope] } } as ApiToken);
    } catch (error) {
      if (error instanceof KubeError && error.status === 403) return true;
      throw error;
    }
    await admin.delete(API_TOKENS, key);
    return false;
  }
}
