/** `tokenwright policy explain`: which policies govern an ApiToken, and what they leave of it. */
import type { TokenPolicyHours, TokenPolicySpec } from '../../api/token-policy.ts';
import { DEFAULT_TIME_ZONE } from '../../api/token-policy.ts';
import type { LabelSelector } from '../../api/token-revocation.ts';
import type { JudgedToken } from '../../domain/policy/asked.ts';
import { evaluate, useLimits, type Violation } from '../../domain/policy/evaluate.ts';
import { matches } from '../../domain/policy/policy.ts';
import type { UseLimits } from '../../domain/verdict/judge.ts';
import { formatValue } from '../output.ts';
import { plain, type Terminal } from '../terminal.ts';
import { type Ground, noteUnknown, type StatedPolicy } from './ground.ts';
import type { JudgeOptions } from './judge.ts';

export interface ExplainOptions extends JudgeOptions {
  readonly output: 'json' | 'yaml' | undefined;
  readonly terminal: Terminal;
}

interface Explanation {
  namespace: string;
  name: string;
  mayBeMinted: boolean;
  /** Why not. */
  violations: readonly Violation[];
  /** Those that match. */
  policies: readonly PolicyView[];
  doNotMatch: readonly string[];
  /** Of what is asked, by all policies in mode Enforce together, for living tokens too. */
  left: Left;
}

interface PolicyView {
  name: string;
  mode: string;
  matches: string;
  allows: Granted;
  /** Of the ApiToken: which rule, what was asked, what is allowed. */
  forbids: readonly Violation[];
  sources: readonly string[] | undefined;
  hours: readonly string[] | undefined;
}

interface Granted {
  environments: readonly string[];
  audiences: readonly string[];
  scopes: readonly string[];
}

interface Left extends Granted {
  /** All that are listed must hold. Empty: from anywhere. */
  sources: readonly { policy: string; anyOf: readonly string[] }[];
  /** All that are listed must hold. Empty: at any time. */
  hours: readonly { policy: string; anyOf: readonly string[] }[];
  /** Whether the hours allow a use now. */
  now: boolean;
}

export async function explain(token: JudgedToken, ground: Ground, options: ExplainOptions): Promise<void> {
  const { terminal, output } = options;
  const explanation = await explanationOf(token, ground, options);
  noteUnknown(ground, options);
  terminal.print(output === undefined ? textOf(explanation, terminal) : formatValue(explanation, output));
}

async function explanationOf(asked: JudgedToken, ground: Ground, options: JudgeOptions): Promise<Explanation> {
  const { name, namespace: where = ground.defaultNamespace } = asked.metadata;
  const token = { ...asked, metadata: { ...asked.metadata, namespace: where } };
  const namespace = await ground.namespace(where);
  const compiled = ground.policies.map((policy) => policy.compiled);
  const now = Math.floor(options.now);
  const { violations, audited, governedBy } = evaluate({ ...options, token, namespace, policies: compiled, now });
  const governing = ground.policies.filter((one) => matches(one.compiled, namespace) !== false).sort(byName);
  const policies = governing.map((one) => policyView(one, token, [...violations, ...audited]));
  const limits = useLimits(compiled, namespace);
  const enforced = policies.filter(({ mode }) => mode === 'Enforce');
  return {
    namespace: where,
    name,
    mayBeMinted: violations.length === 0,
    violations,
    policies,
    doNotMatch: compiled.map((one) => one.name).filter((one) => !governedBy.includes(one)),
    left: {
      ...granted(token, limits),
      sources: enforced.flatMap(({ name: policy, sources }) => (sources ? [{ policy, anyOf: sources }] : [])),
      hours: enforced.flatMap(({ name: policy, hours }) => (hours ? [{ policy, anyOf: hours }] : [])),
      now: limits.every(({ allowsTime }) => allowsTime(now)),
    },
  };
}

function policyView(
  { compiled, spec }: StatedPolicy,
  token: JudgedToken,
  violations: readonly Violation[],
): PolicyView {
  return {
    name: compiled.name,
    mode: compiled.mode,
    matches: matchText(spec.match),
    allows: granted(token, [compiled.limits]),
    forbids: violations.filter(({ policy }) => policy === compiled.name),
    sources: spec.conditionsOfUse?.sourceCIDRs,
    hours: spec.conditionsOfUse?.hours?.map(hoursText),
  };
}

/** As a verifier has it: an audience that is left is left in the environment and for the subject of the token. */
function granted(
  { spec: { environment, audiences, subject, scopes = [] } }: JudgedToken,
  limits: readonly UseLimits[],
): Granted {
  const left = audiences.filter((audience) => limits.every((one) => one.allowsUse({ environment, audience, subject })));
  return {
    environments: left.length > 0 ? [environment] : [],
    audiences: left,
    scopes: left.length > 0 ? scopes.filter((scope) => limits.every((one) => one.allowsScope(scope))) : [],
  };
}

function matchText({ namespaces }: TokenPolicySpec['match']): string {
  return namespaces === undefined ? 'every namespace' : `namespaces with ${selectorText(namespaces)}`;
}

/** As kubectl takes it by --selector. */
function selectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const others = matchExpressions.map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...equal, ...others].join(',');
}

function hoursText({ days, from, to, timeZone = DEFAULT_TIME_ZONE }: TokenPolicyHours): string {
  return `${days.join(' ')} ${from} to ${to} ${timeZone}`;
}

function textOf(
  { namespace, name, mayBeMinted, violations, policies, doNotMatch, left }: Explanation,
  terminal: Terminal,
): string {
  const verdict = mayBeMinted ? terminal.paint('green', 'may be minted') : terminal.paint('red', 'may not be minted');
  const lines = [
    `ApiToken ${plain(namespace)}/${plain(name)} ${verdict}`,
    // the others stand beside their policies
    ...violations.filter(({ policy }) => policy === undefined).map(({ message }) => row('', message)),
    ...policies.flatMap(policyLines),
    ...(doNotMatch.length > 0 ? ['', `Does not match: ${doNotMatch.map(plain).join(', ')}`] : []),
    '',
    'What is left of it for use, of living tokens too',
    ...grantedRows(left),
    ...conditionRows('sources', left.sources, 'anywhere'),
    ...conditionRows('hours', left.hours, 'any time'),
  ];
  if (!left.now) lines.push(row('', 'not now'));
  return `${lines.join('\n')}\n`;
}

function policyLines({ name, mode, matches, allows, forbids, sources, hours }: PolicyView): string[] {
  const given = Object.entries(allows).filter(([, names]) => names.length > 0);
  return [
    '',
    `TokenPolicy ${plain(name)}, ${mode}, matches ${plain(matches)}`,
    row('allows', given.map(([what, names]) => `${what} ${names.join(', ')}`).join('; ') || 'nothing of it'),
    ...forbids.map(({ message }, at) => row(at === 0 ? 'forbids' : '', message)),
    ...(sources ? [row('only from', sources.join(', '))] : []),
    ...(hours ?? []).map((one, at) => row(at === 0 ? 'only at' : '', one)),
  ];
}

function grantedRows({ environments, audiences, scopes }: Granted): string[] {
  return Object.entries({ environments, audiences, scopes }).map(([what, names]) =>
    row(what, names.join(', ') || 'none'),
  );
}

function conditionRows(what: string, conditions: Left['sources'], otherwise: string): string[] {
  if (conditions.length === 0) return [row(what, otherwise)];
  return conditions.map(({ policy, anyOf }, at) => row(at === 0 ? what : 'and', `${anyOf.join(', ')} (${policy})`));
}

function row(title: string, text: string): string {
  return `  ${title.padEnd(12)}  ${plain(text)}`.trimEnd();
}

function byName(a: StatedPolicy, b: StatedPolicy): number {
  return a.compiled.name < b.compiled.name ? -1 : 1;
}
