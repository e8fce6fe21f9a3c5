/** A TokenPolicy, compiled once: where it holds, what it asks of an ApiToken, and what it leaves of the use of a token. */
import {
  DEFAULT_POLICY_MODE,
  type TokenPolicyManifest,
  type TokenPolicyMode,
  type TokenPolicySpec,
} from '../../api/token-policy.ts';
import { networks } from '../address.ts';
import { selects } from '../label-selector.ts';
import { remembered } from '../remembered.ts';
import type { UseLimits } from '../verdict/judge.ts';
import type { Namespace } from './asked.ts';
import { hours } from './hours.ts';
import { patterns } from './pattern.ts';
import { exactly, type Judge, RULES } from './rules.ts';
import { stated } from './stated-rule.ts';

export type { Namespace };

export interface CompiledPolicy {
  name: string;
  mode: TokenPolicyMode;
  match: TokenPolicySpec['match'];
  /** Why it is broken, and so allows no mint; undefined where it is whole. */
  problem: string | undefined;
  /** Those that it states and that compile, in a fixed order. */
  rules: readonly { name: string; judge: Judge }[];
  /** Refuses all use where what it says of use cannot be read: keep the last that could. */
  limits: UseLimits;
}

/** Never throws: what cannot be read is the policy's problem, in one sentence. */
export function compilePolicy({ metadata, spec }: Pick<TokenPolicyManifest, 'metadata' | 'spec'>): CompiledPolicy {
  const problems: string[] = [];
  const attempt = <T>(what: string, compile: () => T): T | undefined => {
    try {
      return compile();
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      problems.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const rules = [...RULES, ...(spec.rules ?? []).map(stated)].flatMap(({ name, compile }) => {
    const judge = attempt(`rule ${name}`, () => compile(spec));
    return judge ? [{ name, judge }] : [];
  });
  const limits = attempt('conditions of use', () => limitsOf(spec)) ?? REFUSES_ALL;
  const { mode = DEFAULT_POLICY_MODE, match } = spec;
  return { name: metadata.name, mode, match, problem: problems[0], rules, limits };
}

/** Whether it holds in the namespace; undefined where that cannot be told, which must not open anything. */
export function matches({ match }: Pick<CompiledPolicy, 'match'>, { labels }: Namespace): boolean | undefined {
  const { namespaces, everything, ...unknown } = match;
  if (Object.keys(unknown).length > 0) return undefined;
  if (everything === true) return true;
  if (namespaces === undefined || labels === undefined) return undefined;
  return selects(namespaces, labels);
}

const REFUSES_ALL: UseLimits = {
  allowsUse: () => false,
  allowsScope: () => false,
  allowsSource: () => false,
  allowsTime: () => false,
};

function limitsOf({ allow = {}, deny, conditionsOfUse = {} }: TokenPolicySpec): UseLimits {
  const allowsEnvironment = allow.environments ? exactly(allow.environments) : anything;
  const allowsAudience = allow.audiences ? exactly(allow.audiences) : anything;
  const allowsSubject = allow.subjects ? patterns(allow.subjects) : anything;
  const allowsScope = allow.scopes ? patterns(allow.scopes) : anything;
  const deniesScope = deny ? patterns(deny.scopes) : () => false;
  const has = conditionsOfUse.sourceCIDRs && remembered(networks(conditionsOfUse.sourceCIDRs));
  return {
    allowsUse: ({ environment, audience, subject }) =>
      allowsEnvironment(environment) && allowsAudience(audience) && allowsSubject(subject),
    allowsScope: (scope) => allowsScope(scope) && !deniesScope(scope),
    allowsSource: has ? (address) => address !== undefined && has(address) : anything,
    allowsTime: conditionsOfUse.hours ? hours(conditionsOfUse.hours) : anything,
  };
}

function anything(): boolean {
  return true;
}
