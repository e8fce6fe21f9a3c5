/** `tokenwright policy test`. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { tokenwright } from '../built.ts';
import { documents, folder, policy, SPEC } from './manifests.ts';

const TABLE = {
  policies: [
    'policies',
    { metadata: { name: 'inline' }, spec: { match: { everything: true }, mode: 'Audit', require: ['Owner'] } },
  ],
  namespaces: { shop: { tier: 'prod' }, lab: {} },
  cases: [] as object[],
};

const SHORT = policy('short', {
  match: { namespaces: { matchLabels: { tier: 'prod' } } },
  bounds: { ttl: { max: '1h' }, maxGrantLifetime: '2h' },
});
const NOT_AFTER = { notAfter: '2027-01-01T02:00:00Z', ttl: '1h' };
const FINE = {
  name: 'fine',
  namespace: 'shop',
  token: { spec: { ...SPEC, ...NOT_AFTER } },
  now: '2027-01-01T00:00:00Z',
  expect: 'allowed',
};

async function tried(table: object | string, ...args: string[]) {
  const text = typeof table === 'string' ? table : stringify(table, { aliasDuplicateObjects: false });
  const path = folder({ 'policies/short.yaml': documents(SHORT), 'table.yaml': text });
  const outcome = await tokenwright(['policy', 'test', join(path, 'table.yaml'), ...args]);
  // where they are is known
  return {
    ...outcome,
    stdout: outcome.stdout.replaceAll(`${path}/`, ''),
    stderr: outcome.stderr.replaceAll(`${path}/`, ''),
  };
}

describe('tokenwright policy test', () => {
  it('says nothing of what is as expected', async () => {
    const cases = [
      FINE,
      { ...FINE, now: '2026-12-31T23:59:59Z', expect: [{ policy: 'short', rule: 'MaxGrantLifetime' }] },
      { ...FINE, audited: [{ policy: 'inline', rule: 'Owner' }] },
      { ...FINE, namespace: 'lab', expect: [{ rule: 'NoPolicy' }] },
    ];
    expect(await tried({ ...TABLE, cases })).toEqual({ code: 0, stdout: '', stderr: '4 cases passed.\n' });
    const open = { ...TABLE, defaultPolicy: 'Allow', cases: [{ ...FINE, namespace: 'lab' }] };
    expect(await tried(open)).toMatchObject({ code: 0, stderr: '1 case passed.\n' });
  });

  const WRONG = [
    FINE,
    { ...FINE, name: 'too\nlong', token: { spec: { ...SPEC, ...NOT_AFTER, ttl: '2h' } } },
    { ...FINE, name: 'less than that', expect: [{ policy: 'short', rule: 'TTL' }] },
    { ...FINE, name: 'owned', audited: [] },
  ];

  it('shows of each case that failed what was expected and what was found', async () => {
    const { code, stdout, stderr } = await tried({ ...TABLE, cases: WRONG });
    expect(stdout.replaceAll(/:\d+:/g, ':LINE:')).toBe(`\
failed  table.yaml:LINE: too long
  expected  allowed
  found     short/TTL
            TokenPolicy short, rule TTL: asked for a ttl of 2h; allowed: at most 1h
failed  table.yaml:LINE: less than that
  expected  short/TTL
  found     allowed
failed  table.yaml:LINE: owned
  expected  allowed
  found     inline/Owner (audited)
            TokenPolicy inline, rule Owner: asked without an owner; allowed: with spec.owner
`);
    expect({ code, stderr }).toEqual({ code: 4, stderr: '3 of 4 cases failed.\n' });
  });

  it('gives objects', async () => {
    const { code, stdout } = await tried({ ...TABLE, cases: WRONG }, '-o', 'json');
    const [first, second] = JSON.parse(stdout).cases;
    expect(code).toBe(4);
    expect(first).toEqual({
      name: 'fine',
      passed: true,
      file: 'table.yaml',
      document: 1,
      line: expect.any(Number),
      expected: [],
      found: [],
      messages: [],
    });
    expect(second).toMatchObject({ passed: false, expected: [], found: ['short/TTL'], messages: [expect.any(String)] });
    expect(parse((await tried({ ...TABLE, cases: WRONG }, '-o', 'yaml')).stdout)).toEqual(JSON.parse(stdout));
  });

  it('reads whole folders, and stdin', async () => {
    const path = folder({
      'policies/a.yaml': documents(SHORT),
      'tests/a.yaml': stringify({ ...TABLE, policies: ['../policies'], cases: [FINE] }),
    });
    expect(await tokenwright(['policy', 'test', join(path, 'tests')])).toMatchObject({ code: 0 });
    const input = stringify({ ...TABLE, policies: [join(path, 'policies')], cases: [FINE] });
    expect(await tokenwright(['policy', 'test', '-'], { input })).toMatchObject({
      code: 0,
      stderr: '1 case passed.\n',
    });
  });
});

describe('a table that cannot be read', () => {
  const one = (change: object) => ({ ...TABLE, cases: [{ ...FINE, ...change }] });
  it.each<[string, object | string, RegExp]>([
    ['a misspelt word', { ...TABLE, casses: [] }, /^table\.yaml:\d+: casses is not known: there are policies, /],
    ['a misspelt word of a case', one({ expects: 'allowed' }), /: cases\.0\.expects is not known/],
    ['no cases', TABLE, /: cases must be a list with at least one item\.$/m],
    [
      'no expectation',
      one({ expect: undefined }),
      /: cases\.0\.expect must be "allowed", or a list of \{policy, rule\}\.$/m,
    ],
    ['no name', one({ name: undefined }), /: cases\.0\.name must be text\.$/m],
    [
      'a namespace that it does not have',
      one({ namespace: 'x' }),
      /: cases\.0\.namespace is none of the namespaces of the table\.$/m,
    ],
    [
      'a token that is none',
      one({ token: { spec: { ...SPEC, ttl: null } } }),
      /: cases\.0\.token\.spec\.ttl is missing\.$/m,
    ],
    ['a time that is none', one({ now: 'noon' }), /: cases\.0\.now must be a time such as /],
    [
      'labels that are no text',
      { ...TABLE, namespaces: { a: { b: 1 } } },
      /: namespaces\.a must be labels with their values\.$/m,
    ],
    [
      'a policy that is none',
      { ...TABLE, policies: [{ metadata: { name: 'a' }, spec: {} }] },
      /: policies\.0\.spec\.match is missing\.$/m,
    ],
    [
      'a policy that is there twice',
      { ...TABLE, policies: ['policies', 'policies/short.yaml'] },
      /: policies\.1 has TokenPolicy short again\.$/m,
    ],
    ['a file without policies', { ...TABLE, policies: ['table.yaml'] }, /: policies\.0 holds no TokenPolicy\.$/m],
    ['a default that is none', { ...TABLE, defaultPolicy: 'Maybe' }, /: defaultPolicy must be one of Deny, Allow\.$/m],
    ['a list', '- a', /^table\.yaml:1: must be a map\.$/m],
    ['bad YAML', 'a: [', /^table\.yaml:1: not YAML/],
  ])('for %s says where', async (_, table, says) => {
    expect(await tried(table)).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(says) });
  });
});
