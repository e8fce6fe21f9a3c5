/** `tokenwright get`, completion, and what is said when the cluster is not as it should be. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cluster } from '../e2e/cluster.ts';
import { kubeconfig } from '../e2e/harness/kubeconfig.ts';
import { type Stage, Theatre } from '../e2e/harness/stage.ts';
import { programs, tokenwright } from './built.ts';
import { kubeconfigOf } from './people.ts';

let theatre: Theatre;
let stage: Stage;
let env: { KUBECONFIG: string };

beforeAll(async () => {
  theatre = await Theatre.open('cli-get');
  stage = await theatre.stage();
  await stage.start();
  await stage.issue('first', { owner: 'team-a@example.com' });
  await stage.issue('second', { rotation: { mode: 'Manual' }, ttl: '24h' });
  await stage.issue('third', { state: 'Suspended' });
  await stage.untilDelivered('first', 1);
  await stage.untilDelivered('second', 1);
  await stage.until('third is known to be suspended', () => stage.condition('third', 'Ready')?.reason === 'Suspended');
  env = { KUBECONFIG: await kubeconfig(stage.namespace, { namespace: stage.namespace }) };
});

afterAll(async () => {
  await theatre?.close();
});

/** Ages are what they are. */
const ageless = (text: string) => text.replaceAll(/ (?:[0-9]+[smh])+(?=\n| )/g, ' AGE').replaceAll(/ +/g, ' ');
const idOf = (name: string) => stage.token(name)?.status?.tokenID;

describe('tokenwright get', () => {
  it('shows what matters of all in the namespace', async () => {
    const { code, stdout, stderr } = await tokenwright(['get'], { env });
    expect(ageless(stdout)).toBe(`\
NAME READY VERSION EXPIRES NEXT ROTATION RESTARTS PENDING REASON AGE
first True 1 in AGE in AGE 0 Issued AGE
second True 1 in AGE <none> 0 Issued AGE
third False <none> <none> <none> 0 Suspended AGE
`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [titles = '', ...rows] = stdout.trimEnd().split('\n');
    for (const title of ['READY', 'VERSION', 'REASON', 'AGE']) {
      const at = titles.indexOf(title);
      for (const row of rows) expect(row.slice(at - 3, at + 1)).toMatch(/^ {3}\S$/);
    }
  });

  it('shows more when asked, and never a digest', async () => {
    const { stdout } = await tokenwright(['get', 'first', '-o', 'wide', '-n', stage.namespace], { env });
    expect(ageless(stdout)).toBe(`\
NAME READY VERSION EXPIRES NEXT ROTATION RESTARTS PENDING REASON AGE TOKEN ID SUBJECT ENVIRONMENT AUDIENCES SECRET PREVIOUS ENDS OWNER
first True 1 in AGE in AGE 0 Issued AGE ${idOf('first')} agent:first e2e gateway first <none> <none> team-a@example.com
`);
    expect(stdout).not.toMatch(/[0-9a-f]{64}/);
  });

  it('gives objects as kubectl does', async () => {
    const args = ['get', 'second', 'first'];
    const names = await tokenwright([...args, '-o', 'name'], { env });
    expect(names.stdout).toBe('apitoken.tokenwright.dev/second\napitoken.tokenwright.dev/first\n');
    const again = await tokenwright(['get', ...names.stdout.trim().split('\n'), '--output=json'], { env });
    const list = JSON.parse(again.stdout);
    expect(list).toMatchObject({ kind: 'List', apiVersion: 'v1', items: [{ kind: 'ApiToken' }, { kind: 'ApiToken' }] });
    const one = await tokenwright(['get', 'first', '-o', 'yaml'], { env });
    expect(parse(one.stdout)).toEqual(list.items[1]);
    expect(one.stdout).not.toContain('managedFields');
  });

  it('shows all namespaces', async () => {
    const { stdout } = await tokenwright(['get', '-A'], { env });
    const ours = stdout
      .split('\n')
      .filter((row) => row.startsWith('NAMESPACE ') || row.startsWith(`${stage.namespace} `));
    expect(ours).toHaveLength(4);
    expect(stdout.slice(0, stdout.indexOf('\n')).split(/ {3,}/)[0]).toBe('NAMESPACE');
  });

  it('shows those that there are, and says which are not', async () => {
    const { code, stdout, stderr } = await tokenwright(['get', 'none', 'first', '-o', 'name'], { env });
    const { namespace } = stage;
    expect({ code, stdout }).toEqual({ code: 1, stdout: 'apitoken.tokenwright.dev/first\n' });
    expect(stderr).toBe(
      `There is no ApiToken ${namespace}/none. "tokenwright get -n ${namespace}" lists those that there are.\n`,
    );
  });

  it('says that there are none', async () => {
    const empty = await theatre.stage();
    const { code, stdout, stderr } = await tokenwright(['get', '-n', empty.namespace], { env });
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe(`No ApiTokens found in the namespace ${empty.namespace}.\n`);
  });
});

describe('what is not as it should be', () => {
  it.each<[string, string[], string, number]>([
    [
      'a kubeconfig that is not there',
      ['--kubeconfig=/nowhere'],
      'kubeconfig /nowhere cannot be read (ENOENT). Name a kubeconfig by --kubeconfig or KUBECONFIG, and one of its contexts by --context.\n',
      1,
    ],
    [
      'a context that is not there',
      ['--context=moon'],
      'the kubeconfig has no context moon. Name a kubeconfig by --kubeconfig or KUBECONFIG, and one of its contexts by --context.\n',
      1,
    ],
    [
      'names in all namespaces',
      ['-A', 'first'],
      'Name ApiTokens of one namespace: leave out --all-namespaces, or the names.\nRun "tokenwright get --help" for all flags.\n',
      2,
    ],
    [
      'an output that is not known',
      ['-o', 'table'],
      '--output must be one of json, yaml, name, wide, not "table".\nRun "tokenwright get --help" for all flags.\n',
      2,
    ],
    [
      'a name that cannot be one',
      ['Über'],
      'NAME must be the name of an ApiToken: at most 63 of a-z, 0-9 and -, not "Über".\nRun "tokenwright get --help" for all flags.\n',
      2,
    ],
  ])('%s is told', async (_, args, stderr, code) => {
    expect(await tokenwright(['get', ...args], { env })).toEqual({ code, stdout: '', stderr });
  });

  it('a cluster that does not answer is told', async () => {
    const KUBECONFIG = await kubeconfig('nobody-there', { address: 'https://127.0.0.1:1' });
    const { code, stderr } = await tokenwright(['get'], { env: { KUBECONFIG } });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'https://127.0.0.1:1 does not answer (list apitokens: no answer (ECONNREFUSED)). Is the cluster up? Choose another by --context or --kubeconfig.\n',
    });
  });

  it('credentials that the cluster does not know are told', async () => {
    const KUBECONFIG = await kubeconfig('stranger', { user: { token: 'stranger' } });
    const { code, stderr } = await tokenwright(['get'], { env: { KUBECONFIG } });
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^https:\/\/\S+ does not accept your credentials \(.*\)\. Log in again, or choose others by --context\.\n$/,
    );
  });

  it('rights that are missing are told, and whom to ask for', async () => {
    const KUBECONFIG = await kubeconfigOf(stage, 'guest');
    const { code, stdout, stderr } = await tokenwright(['get'], { env: { KUBECONFIG } });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('cannot list resource "apitokens"');
    expect(stderr).toContain(`Ask for a RoleBinding to the ClusterRole "view" in the namespace ${stage.namespace}.`);
  });
});

describe('completion', () => {
  const complete = async (...words: string[]) => (await tokenwright(['__complete', ...words], { env })).stdout;

  it('knows the ApiTokens of the namespace', async () => {
    const purpose = 'Prove what the operator promises';
    expect(await complete('get', '')).toBe(`first\t${purpose}\nsecond\t${purpose}\nthird\t${purpose}\n:4\n`);
    expect(await complete('rotate', 's')).toBe(`second\t${purpose}\n:4\n`);
    expect(await complete('get', 'first', '-n', stage.namespace, 'f')).toBe(':4\n');
  });

  it('is silent where the cluster is', async () => {
    expect(await complete('get', '--kubeconfig', '/nowhere', '')).toBe(':4\n');
  });

  it('works in bash', async () => {
    const at = (words: string) =>
      `COMP_WORDS=(tokenwright ${words}); COMP_CWORD=2; __tokenwright_complete; declare -p COMPREPLY`;
    const script = ['source <(tokenwright completion bash)', at('rotate --w'), at('get t'), at('get ""')];
    const PATH = `${await programs()}:${join(process.execPath, '..')}:${process.env.PATH}`;
    const bash = promisify(execFile)('bash', ['--norc', '-c', script.join('\n')], { env: { ...env, PATH } });
    expect((await bash).stdout).toBe(
      [
        'declare -a COMPREPLY=([0]="--wait")',
        'declare -a COMPREPLY=([0]="third")',
        'declare -a COMPREPLY=([0]="first" [1]="second" [2]="third")',
        '',
      ].join('\n'),
    );
  });

  it.each(['bash', 'zsh', 'fish'])('has a script for %s', async (shell) => {
    const { code, stdout } = await tokenwright(['completion', shell]);
    expect(code).toBe(0);
    expect(stdout).toContain(`tokenwright completion ${shell}`);
    expect(stdout).toContain('tokenwright __complete');
  });
});

describe('as a plugin of kubectl', () => {
  const kubectl = async (...args: string[]) => {
    const PATH = `${await programs()}:${join(process.execPath, '..')}:${process.env.PATH}`;
    return promisify(execFile)(join(cluster().binDirectory, 'kubectl'), args, { env: { ...env, PATH } });
  };

  it('does the same', async () => {
    const { stdout } = await kubectl('tokenwright', 'get', 'first', '-o', 'name');
    expect(stdout).toBe('apitoken.tokenwright.dev/first\n');
  });

  it('calls itself by that name', async () => {
    await expect(kubectl('tokenwright', 'gat')).rejects.toMatchObject({
      code: 2,
      stderr: 'There is no command "gat". Did you mean get?\nRun "kubectl tokenwright --help" for all flags.\n',
    });
  });

  it('completes', async () => {
    const { stdout } = await kubectl('__complete', 'tokenwright', 'rotate', 't');
    expect(stdout.split('\n')[0]).toBe('third\tProve what the operator promises');
  });
});
