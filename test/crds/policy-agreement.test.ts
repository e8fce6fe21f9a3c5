import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenPolicySpec } from '../../src/api/token-policy.ts';
import type { JudgedToken } from '../../src/domain/policy/asked.ts';
import { evaluate, type Violation } from '../../src/domain/policy/evaluate.ts';
import { grantsOf } from '../../src/domain/policy/grants.ts';
import { compilePolicy, type Namespace } from '../../src/domain/policy/policy.ts';
import { RULES } from '../../src/domain/policy/rules.ts';
import { sentences } from './api-server.ts';
import { LEAST } from './apitoken-tables.ts';
import { GrantsByTest } from './grants.ts';
import { Policies, warned } from './policies.ts';
import { NAMESPACES, type Round, rounds } from './policy-corpus.ts';
import { domain253, many } from './rows.ts';

const CASES = process.env.TOKENWRIGHT_LONG === '1' ? 2000 : 400;

/** What admission cannot know, and so leaves to the reconcile, by the rule of the violation. Of all others it tells the first. */
const LEFT_TO_RECONCILE: Readonly<Record<string, string>> = {
  Broken: 'an expression or a time zone that cannot be read is text like any other',
  team: 'expressions of spec.rules are text',
};

const MARKER = `agreement-${process.pid}`;
let policies: Policies;
let grants: GrantsByTest;
let namespaces: Namespace[];
let largest: Policies;
let namespace: Namespace;

beforeAll(async () => {
  policies = await Policies.open('agreement');
  grants = await GrantsByTest.open(policies);
  namespaces = await Promise.all(
    NAMESPACES.map((labels, index) => policies.namespace(String(index), { ...labels, ...grants.labels })),
  );
  largest = await Policies.open('largest');
  namespace = await largest.namespace('largest');
});
afterAll(async () => {
  await largest?.close();
  await grants?.close();
  await policies?.close();
});

/** Of each policy the first violation that admission can know. */
function firsts(violations: readonly Violation[]): string[] {
  const known = violations.filter(({ rule }) => !(rule in LEFT_TO_RECONCILE));
  const first = known.filter(({ policy }, index) => known.findIndex((other) => other.policy === policy) === index);
  return first.map(({ message }) => message).sort();
}

function ruleOf(sentence: string): string {
  return sentence.startsWith('no TokenPolicy ') ? 'NoPolicy' : (/, rule (\w+): /.exec(sentence)?.[1] ?? sentence);
}

describe('the API server and the evaluator', () => {
  const told = new Set<string>();
  const leftOut = new Set<string>();
  let admitted = 0;

  it(`agree on ${CASES} ApiTokens, in verdict and words`, async () => {
    const all = rounds(CASES, { match: policies.match(), marker: MARKER });
    const differences: unknown[] = [];
    for (const round of all) differences.push(...(await judge(round)));
    expect(differences).toEqual([]);
  }, 900_000);

  async function judge({ policies: specs, cases }: Round): Promise<unknown[]> {
    const manifests = specs.map((spec, index) => policies.manifest(`policy-${index}`, spec));
    const compiled = manifests.map(compilePolicy);
    await policies.enforce(...manifests);
    await grants.write(grantsOf(compiled, 'Deny'));
    const found = cases.map(async ({ token: spec, labels, namespace: index }) => {
      const namespace = namespaces[index] as Namespace;
      const metadata = { name: 'token', ...(labels && { labels }) };
      const token: JudgedToken = { metadata: { ...metadata, namespace: namespace.name }, spec };
      const now = Math.floor(Date.now() / 1000);
      const expected = evaluate({ token, namespace, policies: compiled, now, defaultPolicy: 'Deny' });
      for (const { rule } of [...expected.violations, ...expected.audited])
        if (rule in LEFT_TO_RECONCILE) leftOut.add(rule);
      const refusals = firsts(expected.violations);
      const answer = await policies.tryToken(String(index), spec, metadata);
      const says = sentences(answer);
      for (const sentence of [...says, ...warned(answer)]) told.add(ruleOf(sentence));
      if (says.length === 0) admitted += 1;
      const agrees =
        (says.length === 0 ? refusals.length === 0 : says.length === 1 && refusals.includes(says[0] ?? '')) &&
        JSON.stringify(warned(answer)) === JSON.stringify(firsts(expected.audited));
      return agrees
        ? []
        : [{ spec, specs, labels: namespace.labels, answer, refusals, audited: firsts(expected.audited) }];
    });
    return (await Promise.all(found)).flat();
  }

  it('have told every rule, and only those, and admitted some', () => {
    expect([...told].sort()).toEqual([...RULES.map(({ name }) => name), 'NoPolicy'].sort());
    expect(admitted).toBeGreaterThan(0);
  });

  const digits = (index: number) => String(index).padStart(2, '0');
  const scopes = many(64, (index) => `${'a:'.repeat(31)}${digits(index)}`);
  const scopePatterns = many(64, (index) => `${'*:'.repeat(31)}${String.fromCharCode(65 + (index % 26))}${index % 10}`);
  const dotted = (index: number) => `${digits(index)}${domain253.slice(2)}`;
  it.each<[string, Partial<TokenPolicySpec>, Record<string, unknown>]>([
    ['64 scopes against 64 patterns, each of the longest', { allow: { scopes: scopePatterns } }, { scopes }],
    [
      '64 scopes of which the last pattern allows all',
      { allow: { scopes: [...scopePatterns.slice(1), `${'*:'.repeat(31)}*`] }, deny: { scopes: scopePatterns } },
      { scopes },
    ],
    [
      'subjects against 64 patterns of the longest',
      { allow: { subjects: many(64, (index) => `agent:${'n'.repeat(119)}${digits(index)}*`) } },
      { subject: `agent:${'n'.repeat(122)}` },
    ],
    [
      '32 audiences against 64',
      { allow: { audiences: many(64, dotted) } },
      { audiences: many(32, (i) => dotted(i + 48)) },
    ],
  ])('agree on %s', async (_, spec, asked) => {
    const manifest = largest.manifest('largest', spec);
    await largest.enforce(manifest);
    const token = { metadata: { name: 'token' }, spec: { ...LEAST, ...asked } };
    const { violations } = evaluate({
      token,
      namespace,
      policies: [compilePolicy(manifest)],
      now: 0,
      defaultPolicy: 'Deny',
    });
    expect(sentences(await largest.tryToken('largest', asked))).toEqual(violations.map(({ message }) => message));
  });

  it.each(Object.entries(LEFT_TO_RECONCILE))('leave %s to the reconcile, since %s', (rule) => {
    expect([...leftOut]).toContain(rule);
  });
});
