/** What it costs, without a cluster, that one of many TokenPolicies changes: to judge every ApiToken that it concerns, and to refuse by it. */
import type { ApiToken } from '../../src/api/apitoken.ts';
import type { TokenPolicy, TokenPolicySpec } from '../../src/api/token-policy.ts';
import { PolicyBook } from '../../src/reconcile/tokenpolicy/policy-book.ts';
import { UsePolicies } from '../../src/verifier/use-policies.ts';
import type { Result } from './cluster.ts';

const POLICIES = 100;
const NAMESPACES = 100;
const CHANGES = 3;
/** As many namespaces as 100,000 ApiTokens may well have. */
const NAMESPACES_OF_VERIFIER = 10_000;

const namespaceOf = (index: number) => `namespace-${index % NAMESPACES}`;
const labelsOf = (namespace: string) => ({ 'kubernetes.io/metadata.name': namespace });

interface Setting {
  name: string;
  /** Of the policy of that number. */
  match(index: number): TokenPolicySpec['match'];
  rules?: TokenPolicySpec['rules'];
}

const everything = () => ({ everything: true as const });
const EXPRESSION = 'token.spec.scopes.all(scope, scope.startsWith("chat:") || scope.startsWith("models:"))';

const SETTINGS: readonly Setting[] = [
  { name: 'all-matching', match: everything },
  { name: 'one-namespace', match: (index) => ({ namespaces: { matchLabels: labelsOf(namespaceOf(index)) } }) },
  {
    name: 'all-matching-expressions',
    match: everything,
    rules: [{ name: 'scopes', expression: EXPRESSION, message: 'ask for chat and models only' }],
  },
];

/** `spec` is what all policies say, and `token` what all ApiTokens ask for. */
export function policyChange(spec: TokenPolicySpec, token: ApiToken['spec'], count = 10_000): Result[] {
  const alone = { ratio: null, against: null };
  return [
    ...SETTINGS.map((setting) => ({
      name: `policy.change.${setting.name}.cpu`,
      value: secondsToJudge(setting, spec, token, count),
      unit: 's',
      ...alone,
    })),
    { name: 'policy.change.verifier.longest', value: longestOfVerifier(spec), unit: 'ms', ...alone },
  ];
}

/** CPU of the operator's judgements and counts, of the slowest of some changes. What it reads and writes besides is not in it. */
function secondsToJudge({ match, rules }: Setting, spec: TokenPolicySpec, token: ApiToken['spec'], count: number) {
  const labels = new Map(Array.from({ length: NAMESPACES }, (_, i) => [namespaceOf(i), labelsOf(namespaceOf(i))]));
  const tokens = Array.from({ length: count }, (_, index) => ({
    metadata: { name: `token-${index}`, namespace: namespaceOf(index) } as ApiToken['metadata'],
    // a copy each, as read from the API server
    spec: structuredClone(token),
  }));
  const book = new PolicyBook({ namespaces: labels, governed: [], tokenKeys: () => [] });
  const judge = (one: (typeof tokens)[number]) => book.judge(one, { now: 0, defaultPolicy: 'Allow' });
  const put = (index: number, generation: number, more: Partial<TokenPolicySpec> = {}) =>
    book.put(policy(index, generation, { ...spec, match: match(index), ...(rules && { rules }), ...more }));
  for (let index = 0; index < POLICIES; index += 1) put(index, 1);
  let violating = tokens.filter((one) => !judge(one).allows).length;
  if (violating > 0) throw new Error('the policies forbid what is measured');
  book.listen({
    countsChanged: () => {},
    tokensDue: (isConcerned) => {
      const due = tokens.filter(({ metadata }) => isConcerned(metadata.namespace));
      violating = due.filter((one) => !judge(one).allows).length;
      if (violating !== due.length) throw new Error('a policy that is narrowed is not judged by');
    },
  });
  const times = Array.from({ length: CHANGES }, (_, change) => {
    const before = process.cpuUsage();
    put(POLICIES / 2, 2 + change, { bounds: { ttl: { max: `${1 + change}m` } } });
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  });
  return Math.max(...times);
}

/** The longest time for which a verifier can do nothing else, at the change and in the first call of each namespace after it. */
function longestOfVerifier(spec: TokenPolicySpec): number {
  const policies = new UsePolicies(labelsOf);
  let longest = 0;
  for (let round = 0; round < CHANGES; round += 1) {
    for (let index = 0; index < POLICIES; index += 1) {
      const changed = policy(index, 1 + round, { ...spec, match: { everything: true } });
      longest = Math.max(
        longest,
        timed(() => policies.put(changed)),
      );
    }
    for (let index = 0; index < NAMESPACES_OF_VERIFIER; index += 1)
      longest = Math.max(
        longest,
        timed(() => policies.limitsOf(`namespace-${index}`)),
      );
  }
  return longest;
}

/** In milliseconds of this thread, which other processes do not add to. */
function timed(run: () => unknown): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

function policy(index: number, generation: number, spec: TokenPolicySpec): TokenPolicy {
  return { metadata: { name: `policy-${index}`, uid: `policy-${index}`, generation }, spec } as TokenPolicy;
}
