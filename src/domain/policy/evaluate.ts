/** The one evaluator: admission, the command line, the operator and the verifier ask it, and so say the same. */
import type { UseLimits } from '../verdict/judge.ts';
import { Asked, type JudgedToken, type Namespace } from './asked.ts';
import { type CompiledPolicy, matches } from './policy.ts';

export interface Violation {
  /** The name of the TokenPolicy; undefined where there is none that allows anything. */
  policy: string | undefined;
  /** Of RULES, or the name of a rule of spec.rules, or Broken, or NoPolicy. */
  rule: string;
  /** Which policy, which rule, what was asked, what is allowed. */
  message: string;
}

export interface Evaluation {
  /** Nothing is minted while there are any. */
  violations: readonly Violation[];
  /** Of policies in mode Audit: told, never enforced. */
  audited: readonly Violation[];
  /** The names of the policies that match, in either mode. */
  governedBy: readonly string[];
}

export interface Question {
  token: JudgedToken;
  /** Of the ApiToken. */
  namespace: Namespace;
  /** All that there are: those that do not match are left out here. */
  policies: readonly CompiledPolicy[];
  /** Whole seconds since the epoch. */
  now: number;
  /** What holds in a namespace that no policy in mode Enforce matches. */
  defaultPolicy: 'Allow' | 'Deny';
}

/** The policies that match a namespace, by their names: worked out once for all its ApiTokens. */
export interface Governing {
  namespace: Namespace;
  policies: readonly { policy: CompiledPolicy; broken: string | undefined }[];
  names: readonly string[];
}

/** One whose match cannot be told counts as matching. */
export function governing(policies: readonly CompiledPolicy[], namespace: Namespace): Governing {
  const found = policies
    .map((policy) => ({ policy, match: matches(policy, namespace) }))
    .filter(({ match }) => match !== false)
    .sort((a, b) => (a.policy.name < b.policy.name ? -1 : 1));
  return {
    namespace,
    policies: found.map(({ policy, match }) => ({ policy, broken: brokenBy(policy, match, namespace) })),
    names: found.map(({ policy }) => policy.name),
  };
}

/** Whether the policies allow the ApiToken as it is declared now. By the names of policies, and for each in the order of its rules. */
export function evaluate({ namespace, policies, ...asked }: Question): Evaluation {
  return evaluateBy(governing(policies, namespace), asked);
}

export function evaluateBy(
  { namespace, policies, names }: Governing,
  { token, now, defaultPolicy }: Omit<Question, 'namespace' | 'policies'>,
): Evaluation {
  const asked = new Asked(token, namespace, now);
  const violations: Violation[] = [];
  const audited: Violation[] = [];
  let isGranted = defaultPolicy === 'Allow';
  for (const { policy, broken } of policies) {
    const found = policy.mode === 'Enforce' ? violations : audited;
    isGranted ||= policy.mode === 'Enforce';
    if (broken !== undefined) found.push(violation(policy, 'Broken', broken));
    for (const { name, judge } of policy.rules) {
      const sentence = judge(asked);
      if (sentence !== undefined) found.push(violation(policy, name, sentence));
    }
  }
  if (!isGranted)
    violations.push({
      policy: undefined,
      rule: 'NoPolicy',
      message: `no TokenPolicy in mode Enforce matches namespace ${namespace.name}: ask those who run the cluster for one`,
    });
  return { violations, audited, governedBy: names };
}

/** What the policies in mode Enforce leave of the use of tokens of the namespace. One whose match cannot be told counts as matching. */
export function useLimits(policies: readonly CompiledPolicy[], namespace: Namespace): UseLimits[] {
  return policies
    .filter((policy) => policy.mode === 'Enforce' && matches(policy, namespace) !== false)
    .map(({ limits }) => limits);
}

function brokenBy({ problem }: CompiledPolicy, match: boolean | undefined, { name }: Namespace): string | undefined {
  if (problem !== undefined) return `nothing is allowed until it is mended: ${problem}`;
  return match === undefined ? `whether it matches namespace ${name} cannot be told` : undefined;
}

function violation(policy: CompiledPolicy, rule: string, sentence: string): Violation {
  return { policy: policy.name, rule, message: `TokenPolicy ${policy.name}, rule ${rule}: ${sentence}` };
}
