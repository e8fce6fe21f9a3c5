/** `tokenwright policy check`, offline. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { tokenwright } from '../built.ts';
import { documents, folder, namespace, policy, token } from './manifests.ts';

const check = (args: readonly string[], input?: string) =>
  tokenwright(['policy', 'check', ...args], input === undefined ? {} : { input });

const PROD = policy('prod', {
  match: { namespaces: { matchLabels: { tier: 'prod' } } },
  bounds: { ttl: { max: '24h' } },
});
const ANY = policy('any', { mode: 'Audit', require: ['Owner'] });
const SUPPORT = namespace('support', { tier: 'prod' });
const [FINE, LONG] = [token('fine', { owner: 'a' }), token('long', { ttl: '48h', owner: 'a' })];

const TOO_LONG = 'TokenPolicy prod, rule TTL: asked for a ttl of 48h; allowed: at most 24h';
const NO_POLICY = 'no TokenPolicy in mode Enforce matches namespace support: ask those who run the cluster for one';

describe('tokenwright policy check', () => {
  it('says nothing of what complies', async () => {
    const { code, stdout, stderr } = await check(['-f', '-'], documents(SUPPORT, PROD, FINE, FINE));
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: '',
      stderr: '2 ApiTokens checked: the policies allow all.\n',
    });
  });

  it('tells each violation in the sentence of the policy, and where the ApiToken is', async () => {
    const path = folder({
      'manifests/long.yaml': documents(FINE, LONG),
      'policies.yaml': documents(PROD, ANY),
      'ns.json': JSON.stringify(SUPPORT),
    });
    const [manifests, policies, namespaces] = ['manifests', 'policies.yaml', 'ns.json'].map((name) => join(path, name));
    const bare = token('bare', { ttl: '48h' });
    const args = ['-f', `${manifests}`, '-f', '-', `--policies=${policies}`, `--namespaces=${namespaces}`];
    const { code, stdout, stderr } = await check(
      args,
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [bare] }),
    );
    expect(stdout).toBe(`\
${manifests}/long.yaml:4: ApiToken support/long
  error    ${TOO_LONG}
stdin:1: ApiToken support/bare
  error    ${TOO_LONG}
  warning  TokenPolicy any, rule Owner: asked without an owner; allowed: with spec.owner
`);
    expect({ code, stderr }).toEqual({ code: 4, stderr: '2 of 3 ApiTokens may not be minted.\n' });
  });

  it.each([
    ['no label', [], 4],
    ['the label of its name', ['support'], 0],
  ])('of a namespace that is not given knows %s', async (_, names, expected) => {
    const by = {
      matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In' as const, values: [...names, 'x'] }],
    };
    const { code, stderr } = await check(
      ['-f', '-'],
      documents(policy('named', { match: { namespaces: by } }), FINE, FINE),
    );
    expect(code).toBe(expected);
    expect(stderr.split('\n')[0]).toBe(
      'No labels are known of the namespace support, but kubernetes.io/metadata.name. Give the manifest by --namespaces.',
    );
  });

  it.each([
    ['Deny', 4, `stdin:2: ApiToken support/fine\n  error    ${NO_POLICY}\n`],
    ['Allow', 0, ''],
  ])('without a policy that matches it does as told: %s', async (choice, code, stdout) => {
    expect(await check(['-f-', '--default-policy', choice], documents(FINE, PROD))).toMatchObject({ code, stdout });
  });

  it('takes the namespace that is given for ApiTokens that name none, and default else', async () => {
    const homeless = documents(token('fine', {}, {}), policy('any'));
    const names = async (...args: string[]) => {
      const { stdout } = await check(['-f', '-', '-o', 'yaml', ...args], homeless);
      return parse(stdout).tokens.map((one: { namespace: string }) => one.namespace);
    };
    expect(await names()).toEqual(['default']);
    expect(await names('-n', 'support')).toEqual(['support']);
  });

  it('passes over ApiTokens beside the policies, and what is none of its business', async () => {
    const path = folder({ 'a.yaml': documents(ANY, LONG), 'b.yaml': '- just\n- a list\n---\n"text"\n---\n' });
    const others = documents(
      { kind: 'Deployment' },
      { apiVersion: 'other.dev/v1', kind: 'ApiToken' },
      { kind: 'List', items: [1] },
    );
    const { code, stderr } = await check(['-f', '-', '--policies', path], others);
    expect({ code, stderr }).toEqual({ code: 0, stderr: 'There are no ApiTokens to check.\n' });
  });
});

describe('what cannot be judged', () => {
  it('is told with its line, beside what is found of the others', async () => {
    const broken =
      '\nkind: ApiToken\napiVersion: tokenwright.dev/v1alpha1\nmetadata: {name: broken, namespace: support}\nspec:\n  environment: 7\n  subject: a\n  purpose: b\n  audiences: [c]\n';
    const { code, stdout, stderr } = await check(['-f', '-'], `${broken}${documents(SUPPORT, PROD, LONG)}`);
    expect(stdout).toBe(`\
stdin:2: ApiToken support/broken
  error    line 5: spec.ttl is missing
  error    line 6: spec.environment must be string
stdin:15: ApiToken support/long
  error    ${TOO_LONG}
`);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '1 of 2 ApiTokens cannot be judged: mend the manifest.\n' });
  });

  it.each<[string, string, string]>([
    ['a policy that is none', documents({ ...PROD, spec: {} }), 'stdin:2: TokenPolicy prod: spec.match is missing.\n'],
    [
      'a mode that is none',
      documents(policy('a', { mode: 'Warn' as 'Audit' })),
      'stdin:2: TokenPolicy a: spec.mode must be one of Enforce, Audit.\n',
    ],
    [
      'two policies of one name',
      documents(PROD, policy('prod')),
      'stdin:4: TokenPolicy prod is another one at stdin:2: keep one.\n',
    ],
    [
      'labels that are no text',
      documents(namespace('a', { b: true })),
      'stdin:2: Namespace a: metadata.labels must have strings only: write "true" and not true.\n',
    ],
    [
      'bad YAML',
      'a: [',
      'stdin:1: not YAML or JSON as it should be: Flow sequence in block collection must be sufficiently indented and end with a ].\n',
    ],
  ])('%s fails', async (_, input, stderr) => {
    expect(await check(['-f', '-'], input)).toEqual({ code: 1, stdout: '', stderr });
  });

  it.each<[string[], number, RegExp]>([
    [[], 2, /^--filename is missing: name a file or a folder, or - for stdin\.\n/],
    [['-f', '/nowhere'], 1, /^\/nowhere cannot be read \(ENOENT\)\.\n$/],
    [['-f', '-', '-o', 'table'], 2, /^--output must be one of json, yaml, sarif, not "table"\.\n/],
    [['-f', '-', '--default-policy=Maybe'], 2, /^--default-policy must be one of Deny, Allow, not "Maybe"\.\n/],
    [['-f', '-', '--policies', '/dev/null'], 1, /^There is no TokenPolicy in \/dev\/null\.\n$/],
    [['-f', '-', '--kubeconfig=/nowhere'], 1, /^kubeconfig \/nowhere cannot be read/],
  ])('%j ends with %i', async (args, code, says) => {
    expect(await check(args, documents(FINE))).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
  });
});

describe('for machines', () => {
  const broken = token('broken', { ttl: undefined });
  const path = folder({
    'a b.yaml': documents(SUPPORT, PROD, ANY, FINE, LONG, token('bare', { owner: undefined }), broken),
  });
  const file = join(path, 'a b.yaml');

  it('are objects', async () => {
    const { stdout } = await check(['-f', path, '-o', 'json']);
    const violations = [{ policy: 'prod', rule: 'TTL', message: TOO_LONG }];
    const fine = {
      namespace: 'support',
      complies: true,
      problems: [],
      violations: [],
      audited: [],
      governedBy: ['any', 'prod'],
      file,
    };
    expect(JSON.parse(stdout)).toEqual({
      tokens: [
        { ...fine, name: 'fine', document: 4, line: 8 },
        { ...fine, name: 'long', document: 5, line: 10, complies: false, violations },
        {
          ...fine,
          name: 'bare',
          document: 6,
          line: 12,
          audited: [expect.objectContaining({ policy: 'any', rule: 'Owner' })],
        },
        {
          ...fine,
          name: 'broken',
          document: 7,
          line: 14,
          complies: false,
          governedBy: [],
          problems: [{ line: 14, message: 'spec.ttl is missing' }],
        },
      ],
    });
    expect(parse((await check(['-f', path, '-o', 'yaml'])).stdout)).toEqual(JSON.parse(stdout));
  });

  it('are findings in SARIF, by its published schema', async () => {
    const { code, stdout } = await check(['-f', path, '-o', 'sarif']);
    expect(code).toBe(1);
    const log = JSON.parse(stdout);
    expect(sarifProblems(log)).toBeNull();
    expect(sarifProblems({ ...log, runs: [{}] })).not.toBeNull();
    const [{ tool, results }] = log.runs;
    expect(tool.driver.rules.map(({ id }: { id: string }) => id)).toEqual(['prod/TTL', 'any/Owner', 'Manifest']);
    const places = results.map(({ ruleId, level, locations: [{ physicalLocation: at }] }: SarifResult) => [
      ruleId,
      level,
      at.artifactLocation.uri,
      at.region.startLine,
    ]);
    const { href } = pathToFileURL(file);
    expect(places).toEqual([
      ['prod/TTL', 'error', href, 10],
      ['any/Owner', 'warning', href, 12],
      ['Manifest', 'error', href, 14],
    ]);
    expect(results[0].message).toEqual({ text: TOO_LONG });
  });

  it('stand at the line of the field that a rule is about, or of the next around it', async () => {
    const manifest = `kind: ApiToken
apiVersion: tokenwright.dev/v1alpha1
metadata:
  name: long
  namespace: support
spec:
  subject: agent:a
  purpose: a
  environment: production
  audiences: [b]
  ttl: 48h
`;
    const stated = policy('own', { rules: [{ name: 'mine', expression: 'false', message: 'never' }] });
    const { stdout } = await check(['-f', '-', '-o', 'sarif'], `${manifest}${documents(SUPPORT, PROD, ANY, stated)}`);
    const [{ results }] = JSON.parse(stdout).runs;
    const lines = results.map(({ ruleId, locations: [{ physicalLocation: at }] }: SarifResult) => [
      ruleId,
      at.region.startLine,
    ]);
    expect(lines).toEqual([
      ['own/mine', 1],
      ['prod/TTL', 11],
      ['any/Owner', 6],
    ]);
  });

  it('have a place from the working directory', async () => {
    const { stdout } = await check(['-f', 'deploy/examples/agent-token.yaml', '--policies', path, '-o', 'sarif']);
    const [{ results }] = JSON.parse(stdout).runs;
    expect(sarifProblems(JSON.parse(stdout))).toBeNull();
    expect(results[0].locations[0].physicalLocation.artifactLocation).toEqual({
      uri: 'deploy/examples/agent-token.yaml',
    });
  });

  it('are no findings, where there are none', async () => {
    const { code, stdout } = await check(['-f', '-', '-o', 'sarif'], documents(SUPPORT, PROD, FINE));
    expect({ code, problems: sarifProblems(JSON.parse(stdout)) }).toEqual({ code: 0, problems: null });
    expect(JSON.parse(stdout).runs[0].results).toEqual([]);
  });
});

interface SarifResult {
  ruleId: string;
  level: string;
  locations: [{ physicalLocation: { artifactLocation: { uri: string }; region: { startLine: number } } }];
}

/** By the schema that OASIS published, as that package carries it, and by the validator that it comes with. */
function sarifProblems(log: unknown): unknown {
  const load = createRequire(createRequire(import.meta.url).resolve('@microsoft/jest-sarif/package.json'));
  const ajv = new (load('ajv'))({ schemaId: 'auto', unknownFormats: 'ignore' });
  ajv.addMetaSchema(load('ajv/lib/refs/json-schema-draft-04.json'));
  const validate = ajv.compile(load('./lib/schemas/sarif-2.1.0-rtm.5.json'));
  validate(log);
  return validate.errors;
}
