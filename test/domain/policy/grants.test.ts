import { describe, expect, it } from 'vitest';
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import { ALL_BY_DEFAULT, grantsOf, MAX_CHARACTERS, MAX_LINES, TOO_MANY } from '../../../src/domain/policy/grants.ts';
import { type CompiledPolicy, compilePolicy } from '../../../src/domain/policy/policy.ts';

const policy = (name: string, spec: object): CompiledPolicy =>
  compilePolicy({ metadata: { name }, spec: spec as TokenPolicySpec });

const matching = (selector: object) => policy('p', { match: { namespaces: selector } });

describe('a policy grants', () => {
  it.each<[string, CompiledPolicy, Record<string, string>]>([
    ['everything, without a condition', policy('p', { match: { everything: true } }), { p: '' }],
    ['what has its labels', matching({ matchLabels: { tier: 'prod', team: '' } }), { p: 'tier In prod\nteam In ' }],
    [
      'what its expressions say',
      matching({
        matchExpressions: [
          { key: 'a', operator: 'NotIn', values: ['x', 'y'] },
          { key: 'b', operator: 'Exists' },
          { key: 'c', operator: 'DoesNotExist' },
        ],
      }),
      { p: 'a NotIn x,y\nb Exists\nc DoesNotExist' },
    ],
    ['nothing by an empty selector', matching({}), {}],
    ['nothing in mode Audit', policy('p', { match: { everything: true }, mode: 'Audit' }), {}],
    [
      'what it matches while it is broken: it refuses by itself',
      policy('p', { match: { everything: true }, deny: { scopes: ['a*b'] } }),
      { p: '' },
    ],
    ['all where its match cannot be told: it refuses by itself', policy('p', { match: { planets: {} } }), { p: '' }],
  ])('%s', (_, one, expected) => {
    expect(grantsOf([one], 'Deny')).toEqual(expected);
  });
});

it('all is granted where that is the default', () => {
  expect(grantsOf([matching({ matchLabels: { a: 'b' } })], 'Allow')).toBe(ALL_BY_DEFAULT);
});

describe('too much to tell leaves the refusal to the evaluator', () => {
  const many = (count: number, value: string) =>
    Array.from({ length: count }, (_, index) =>
      policy(`p-${index}`, { match: { namespaces: { matchLabels: { team: value } } } }),
    );

  it('in conditions', () => {
    expect(Object.keys(grantsOf(many(MAX_LINES, 'x'), 'Deny'))).toHaveLength(MAX_LINES);
    expect(grantsOf(many(MAX_LINES + 1, 'x'), 'Deny')).toBe(TOO_MANY);
  });

  it('in characters', () => {
    const key = `${'k'.repeat(253)}/${'n'.repeat(63)}`;
    const values = Array.from({ length: 32 }, (_, index) => String(index).padStart(63, 'v'));
    const matchExpressions = [{ key, operator: 'In' as const, values }];
    const size = 'p-100'.length + `${key} In ${values}`.length;
    const long = Array.from({ length: Math.ceil(MAX_CHARACTERS / size) }, (_, index) =>
      policy(`p-${100 + index}`, { match: { namespaces: { matchExpressions } } }),
    );
    expect(grantsOf(long, 'Deny')).toBe(TOO_MANY);
    expect(grantsOf(long.slice(1), 'Deny')).not.toBe(TOO_MANY);
  });
});
