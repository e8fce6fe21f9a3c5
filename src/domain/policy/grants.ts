/** The namespaces that policies in mode Enforce match, in words that deploy/admission/granted-namespaces.yaml reads. Pure. */
import { type CompiledPolicy, matches } from './policy.ts';

/**
 * By name: a requirement on the labels of a namespace in each line, as in `tier In prod,test` or `team Exists`. All lines must hold, and of
 * one name is enough. No line at all holds everywhere.
 */
export type Grants = Readonly<Record<string, string>>;

const ANYWHERE = '';
/** The API server spends only so much on one question, for lines, and for the values in them: a test asks one of as many of both. */
export const MAX_LINES = 5000;
export const MAX_CHARACTERS = 256 << 10;

/** Where all is granted in any case, or there is too much to tell: the evaluator then is the only one to refuse. */
export const ALL_BY_DEFAULT: Grants = { 'default-policy-allow': ANYWHERE };
export const TOO_MANY: Grants = { 'too-many-policies': ANYWHERE };

export function grantsOf(policies: readonly CompiledPolicy[], defaultPolicy: 'Allow' | 'Deny'): Grants {
  if (defaultPolicy === 'Allow') return ALL_BY_DEFAULT;
  let [lines, characters] = [0, 0];
  const grants = policies.flatMap((policy) => {
    const selector = policy.mode === 'Enforce' ? selectorOf(policy) : undefined;
    if (selector === undefined) return [];
    lines += selector.length;
    const text = selector.join('\n');
    characters += policy.name.length + text.length;
    return [[policy.name, text]];
  });
  return lines > MAX_LINES || characters > MAX_CHARACTERS ? TOO_MANY : Object.fromEntries(grants);
}

/** Undefined where it matches nothing. */
function selectorOf(policy: CompiledPolicy): string[] | undefined {
  const { namespaces } = policy.match;
  // where the match cannot be told, the policy itself lets nothing be minted, and says so
  if (namespaces === undefined || matches(policy, { name: '', labels: {} }) === undefined) return [ANYWHERE];
  const { matchLabels = {}, matchExpressions = [] } = namespaces;
  const lines = [
    ...Object.entries(matchLabels).map(([key, value]) => `${key} In ${value}`),
    ...matchExpressions.map(({ key, operator, values }) =>
      [key, operator, ...(values ? [values.join(',')] : [])].join(' '),
    ),
  ];
  return lines.length > 0 ? lines : undefined;
}
