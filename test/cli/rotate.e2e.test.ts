/** `tokenwright rotate` and `verify`, with the operator at work. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API, expectOk } from '../crds/api-server.ts';
import { kubeconfig } from '../e2e/harness/kubeconfig.ts';
import { tokenPolicy } from '../e2e/harness/manifests.ts';
import { SCRATCH } from '../e2e/harness/operator.ts';
import { keyOfSecret, type Stage, Theatre } from '../e2e/harness/stage.ts';
import { type Outcome, Running, tokenwright } from './built.ts';
import { kubeconfigOf } from './people.ts';

let theatre: Theatre;
let stage: Stage;
let env: { KUBECONFIG: string };

beforeAll(async () => {
  theatre = await Theatre.open('cli-rotate');
  stage = await theatre.stage();
  await stage.start();
  env = { KUBECONFIG: await kubeconfig(stage.namespace, { namespace: stage.namespace }) };
});

afterAll(async () => {
  await theatre?.close();
});

const idOf = (name: string) => stage.token(name)?.status?.tokenID;

describe('tokenwright rotate', () => {
  it('asks for a rotation, and goes', async () => {
    await stage.issue('asked');
    await stage.untilDelivered('asked', 1);
    const { code, stdout, stderr } = await tokenwright(['rotate', 'asked'], { env });
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'apitoken.tokenwright.dev/asked rotation requested\n',
      stderr: '',
    });
    await stage.untilDelivered('asked', 2);
  });

  it('waits until the workloads have rolled, and tells how far it is', async () => {
    await stage.issue('awaited');
    await stage.untilDelivered('awaited', 1);
    // so long that it is seen on its way
    const annotations = { 'controlplane.tokenwright.dev/ready-after': '3s' };
    await stage.deploy('reader', { secret: 'awaited', annotations });
    const { code, stdout, stderr } = await tokenwright(['rotate', 'awaited', '--wait'], { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'apitoken.tokenwright.dev/awaited rotated to version 2\n' });
    expect(stderr).toContain('1 workloads have yet to run with version 2: Deployment/reader\n');
    expect(stage.token('awaited')?.status?.restarts).toMatchObject({ version: 2, pending: 0 });
    expect(stage.restarts('deployments', 'reader', 'awaited')).toEqual(['2']);
  });

  it.each<[string, string, object, (namespace: string) => string]>([
    [
      'suspended',
      'idle',
      { state: 'Suspended' },
      (namespace) =>
        `Nothing was asked for: ${namespace}/idle is suspended, and nothing is minted for it. Set spec.state to Active first.\n`,
    ],
    [
      'in conflict over its Secret',
      'foreign',
      {},
      (namespace) =>
        `Nothing was asked for: ${namespace}/foreign is stalled: the Secret belongs to someone else and is left alone.\n`,
    ],
  ])('asks for nothing while it is %s', async (_, name, spec, sentence) => {
    if (name === 'foreign') await stage.server.create(stage.path('secrets'), { metadata: { name }, data: {} });
    await stage.issue(name, spec);
    await stage.until(`${name} stands still`, () => stage.condition(name, 'Ready')?.status === 'False');
    const { code, stdout, stderr } = await tokenwright(['rotate', name, '--wait'], { env });
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: sentence(stage.namespace) });
    expect(Object.keys(stage.token(name)?.metadata.annotations ?? {})).not.toContain(
      'tokenwright.dev/rotate-requested-at',
    );
  });

  it('asks for nothing that the policies forbid, and says what they say', async () => {
    await stage.issue('forbidden', { scopes: ['forbidden:write'] });
    await stage.untilDelivered('forbidden', 1);
    const policy = tokenPolicy(`${stage.namespace}-narrow`, {
      match: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } } },
      deny: { scopes: ['forbidden:*'] },
    });
    const path = `${API}/tokenpolicies/${policy.metadata.name}`;
    expectOk(await stage.server.apply(path, policy));
    await stage.until('it is judged', () => stage.condition('forbidden', 'Compliant')?.status === 'False');
    const { code, stdout, stderr } = await tokenwright(['rotate', 'forbidden'], { env });
    expectOk(await stage.server.delete(path));
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: '',
      stderr: `Nothing was asked for: nothing may be minted for ${stage.namespace}/forbidden: TokenPolicy ${policy.metadata.name}, rule DeniedScopes: asked for forbidden:write; denied: forbidden:*.\n`,
    });
  });

  it('says so when it becomes impossible meanwhile', async () => {
    const deserted = await theatre.stage();
    await deserted.issue('left');
    const wait = await Running.start(['rotate', 'left', '--wait', '-n', deserted.namespace], { env });
    await wait.says('the request waits for the operator');
    await deserted.patchSpec('left', { state: 'Suspended' });
    const { code, stderr } = await wait.end();
    expect(code).toBe(1);
    expect(stderr).toContain(`${deserted.namespace}/left is suspended`);
  });

  it('gives up in time, and goes at Ctrl-C: what was asked for stands', async () => {
    const deserted = await theatre.stage();
    const { namespace } = deserted;
    await deserted.issue('left');
    expect(await tokenwright(['rotate', 'left', '--wait', '--timeout=5s', '-n', namespace], { env })).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'the request waits for the operator\n' +
        `Not rotated in time: the request waits for the operator. Does an operator run that watches ${namespace}/left?\n`,
    });
    const wait = await Running.start(['rotate', 'left', '--wait', '-n', namespace], { env });
    await wait.says('the request waits for the operator');
    wait.signal('SIGINT');
    const { code, stderr } = await wait.end();
    expect(code).toBe(130);
    expect(stderr).toContain(`Not waited for. The rotation of ${namespace}/left was asked for and goes on.\n`);
    expect(deserted.token('left')?.metadata.annotations).toHaveProperty(['tokenwright.dev/rotate-requested-at']);
  });

  it('says what is missing: the ApiToken, or the right', async () => {
    const { namespace } = stage;
    const missing = await tokenwright(['rotate', 'nobody'], { env });
    expect(missing).toEqual({
      code: 1,
      stdout: '',
      stderr: `There is no ApiToken ${namespace}/nobody. "tokenwright get -n ${namespace}" lists those that there are.\n`,
    });
    await stage.issue('watched');
    const KUBECONFIG = await kubeconfigOf(stage, 'viewer', 'tokenwright-test-viewer');
    const role = { rules: [{ apiGroups: ['tokenwright.dev'], resources: ['apitokens'], verbs: ['get', 'list'] }] };
    const path = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
    await stage.server.create(path, { metadata: { name: 'tokenwright-test-viewer' }, ...role });
    await stage.untilAsked('the viewer may look', async () => {
      const { code } = await tokenwright(['get', 'watched'], { env: { KUBECONFIG } });
      return code === 0;
    });
    const forbidden = await tokenwright(['rotate', 'watched'], { env: { KUBECONFIG } });
    expect(forbidden).toMatchObject({ code: 1, stdout: '' });
    expect(forbidden.stderr).toContain('cannot patch resource "apitokens"');
    expect(forbidden.stderr).toContain(
      `Ask for a RoleBinding to the ClusterRole "edit" in the namespace ${namespace}.`,
    );
  });
});

describe('tokenwright verify', () => {
  let value: string;
  const about = (text: string) => text.replaceAll(/\(in [^)]*\)|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME');
  /** Whatever is said, the value is not. */
  async function verify(args: string[], input?: string): Promise<Outcome> {
    const outcome = await tokenwright(['verify', ...args], { env, ...(input !== undefined && { input }) });
    for (const part of [value, value.slice(-50)]) expect(outcome.stdout + outcome.stderr).not.toContain(part);
    return outcome;
  }

  beforeAll(async () => {
    await stage.issue('known');
    await stage.untilDelivered('known', 1);
    value = keyOfSecret(stage.secret('known'), 'token') ?? '';
    expect(value).toMatch(/^twk_e2e_/);
  });

  it('tells whose it is', async () => {
    const { code, stdout, stderr } = await verify([], `${value}\n`);
    expect(about(stdout)).toBe(`\
Token ID:    ${idOf('known')}
Environment: e2e
ApiToken:    ${stage.namespace}/known
Version:     1
State:       Current
Until:       TIME TIME
Accepted:    yes
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('reads a file, and answers in JSON', async () => {
    const file = join(SCRATCH, 'value');
    await writeFile(file, value);
    const { code, stdout } = await verify(['--value-file', file, '-o', 'json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      tokenID: idOf('known'),
      environment: 'e2e',
      outcome: 'Allowed',
      apiToken: { namespace: stage.namespace, name: 'known', uid: stage.token('known')?.metadata.uid },
      version: 1,
      state: 'Current',
      expirationTime: stage.token('known')?.status?.versions?.[0]?.expirationTime,
    });
  });

  it('needs no cluster for the form', async () => {
    const lines = `Token ID:    ${idOf('known')}\nEnvironment: e2e\n`;
    expect(await verify(['--offline', '--kubeconfig=/nowhere'], value)).toEqual({ code: 0, stdout: lines, stderr: '' });
  });

  it.each<[string, (value: string) => string, string, string]>([
    [
      'a typo',
      (text) => text.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
      'ChecksumWrong',
      'A typo, or not a token of ours.',
    ],
    ['something else', () => 'ghp_0123456789', 'Malformed', 'Not the shape of a token.'],
    ['nothing', () => '', 'Malformed', 'Not the shape of a token.'],
  ])('refuses %s by itself', async (_, change, outcome, sentence) => {
    expect(await verify(['--kubeconfig=/nowhere'], change(value))).toEqual({
      code: 1,
      stdout: `Accepted:    no: ${outcome}\n`,
      stderr: `${sentence}\n`,
    });
  });

  it('tells one that is retired, suspended, or of nobody', async () => {
    await stage.issue('passing', { rotation: { overlap: '1s' } });
    await stage.untilDelivered('passing', 1);
    const first = keyOfSecret(stage.secret('passing'), 'token') ?? '';
    await stage.requestRotation('passing');
    await stage.untilSettled('passing', 2);
    const second = keyOfSecret(stage.secret('passing'), 'token') ?? '';
    const retired = await verify([], first);
    expect(retired.stdout).toContain(`ApiToken:    ${stage.namespace}/passing\nAccepted:    no: ValueUnknown\n`);
    await stage.patchSpec('passing', { state: 'Suspended' });
    const suspended = await verify([], second);
    expect(suspended).toMatchObject({ code: 1, stderr: 'The ApiToken is suspended.\n' });
    expect(suspended.stdout).toContain('Version:     2\n');
    await stage.remove('apitokens', 'passing');
    await stage.until('it is gone', () => stage.token('passing') === undefined);
    expect(await verify([], second)).toMatchObject({ code: 1, stderr: 'No ApiToken has this token id.\n' });
  });

  it('takes no value from the command line, and repeats none', async () => {
    expect(await verify([value])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'Unexpected argument "[redacted]".\nRun "tokenwright verify --help" for all flags.\n',
    });
  });

  it('says what it cannot read', async () => {
    expect(await verify(['--value-file=/nowhere'])).toEqual({
      code: 1,
      stdout: '',
      stderr: '/nowhere cannot be read (ENOENT).\n',
    });
    const long = await verify([], 'x'.repeat(2000));
    expect(long).toEqual({ code: 1, stdout: '', stderr: 'More than 1024 characters: not the value of a token.\n' });
  });
});
