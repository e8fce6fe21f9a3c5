/** The one evaluator: admission, the command line, the operator and the verifier ask it, and so say the same. */
import type { UseLimits } from '../verdict/judge.ts';
import { type CompiledPolicy, matches } from './policy.ts';
import type { JudgedToken, Namespace } from './rules.ts';

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

/** Whether the policies allow the ApiToken as it is declared now. By the names of policies, and for each in the order of its rules. */
export function evaluate({ token, namespace, policies, now, defaultPolicy }: Question): Evaluation {
  const violations: Violation[] = [];
  const audited: Violation[] = [];
  const governing = policies.filter((policy) => matches(policy, namespace) !== false).sort(byName);
  for (const policy of governing) {
    const found = policy.mode === 'Enforce' ? violations : audited;
    found.push(...judge(policy, token, namespace, now));
  }
  if (defaultPolicy === 'Deny' && !governing.some(({ mode }) => mode === 'Enforce'))
    violations.push({
      policy: undefined,
      rule: 'NoPolicy',
      message: `no TokenPolicy in mode Enforce matches namespace ${namespace.name}: ask those who run the cluster for one`,
    });
  return { violations, audited, governedBy: governing.map(({ name }) => name) };
}

/** What the policies in mode Enforce leave of the use of tokens of the namespace. One whose match cannot be told counts as matching. */
export function useLimits(policies: readonly CompiledPolicy[], namespace: Namespace): UseLimits[] {
  return policies
    .filter((policy) => policy.mode === 'Enforce' && matches(policy, namespace) !== false)
    .map(({ limits }) => limits);
}

function* judge(policy: CompiledPolicy, token: JudgedToken, namespace: Namespace, now: number): Generator<Violation> {
  const violation = (rule: string, sentence: string): Violation => ({
    policy: policy.name,
    rule,
    message: `TokenPolicy ${policy.name}, rule ${rule}: ${sentence}`,
  });
  if (policy.problem !== undefined)
    yield violation('Broken', `nothing is allowed until it is mended: ${policy.problem}`);
  else if (matches(policy, namespace) === undefined)
    yield violation('Broken', `whether it matches namespace ${namespace.name} cannot be told`);
  for (const { name, judge } of policy.rules) {
    const sentence = judge(token, now, namespace);
    if (sentence !== undefined) yield violation(name, sentence);
  }
}

function byName(a: CompiledPolicy, b: CompiledPolicy): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
