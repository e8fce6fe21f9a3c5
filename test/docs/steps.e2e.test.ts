/** Does what the documentation says, page by page, on a real API server with an operator at work. */
import { execFile } from 'node:child_process';
import { chmodSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { script } from '../e2e/harness/operator.ts';
import { Theatre } from '../e2e/harness/stage.ts';
import { ELSEWHERE, TRIED, VARIABLES } from './commands.ts';
import { pages, root, type Step, stepsOf } from './markdown.ts';

/** The namespace of all that the documentation declares. */
const NAMESPACE = 'support';

let theatre: Theatre;
let bin: string;

beforeAll(async () => {
  bin = mkdtempSync(join(tmpdir(), 'tokenwright-docs-'));
  const tokenwright = join(bin, 'tokenwright');
  writeFileSync(tokenwright, `#!/bin/sh\nexec '${process.execPath}' '${await script()}' "$@"\n`);
  chmodSync(tokenwright, 0o755);
  theatre = await Theatre.open('docs');
  const stage = await theatre.stage();
  const operator = await stage.start({ 'watch-namespace': NAMESPACE, 'lease-name': 'tokenwright-operator' });
  await stage.untilAsked('the operator leads', () => operator.isLeading());
});

afterAll(async () => {
  await theatre?.server.delete(`/api/v1/namespaces/${NAMESPACE}`);
  await theatre?.close();
  rmSync(bin, { recursive: true, force: true });
});

/** In a shell, as a reader would. Rejects with what it printed where it fails. */
function run(command: string, stdin = ''): Promise<string> {
  const { kubeconfig, binDirectory } = cluster();
  const env = {
    ...process.env,
    ...VARIABLES,
    KUBECONFIG: kubeconfig,
    PATH: `${bin}:${binDirectory}:${process.env.PATH}`,
  };
  return new Promise((resolve, reject) => {
    const child = execFile(
      'bash',
      ['-euo', 'pipefail', '-c', command],
      { cwd: root, env, timeout: 180_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${command}\n${stdout}${stderr}`));
        else resolve(stdout);
      },
    );
    child.stdin?.end(stdin);
  });
}

const [readme, ...others] = pages()
  .map((page) => ({ file: page.file, steps: stepsOf(page).filter(({ command }) => !(command in ELSEWHERE)) }))
  .filter(({ steps }) => steps.length > 0);

function follow({ steps }: { steps: Step[] }): void {
  it.each(steps)('line $line: $command', async ({ command, manifest }) => {
    await run(command in TRIED ? `${command} --dry-run=server` : command, manifest);
  });
}

describe('README.md', () => follow(readme ?? { steps: [] }));

describe('what the README promises of its example', () => {
  const get = (what: string, path: string) => run(`kubectl get -n ${NAMESPACE} ${what} -o jsonpath='${path}'`);

  it('is so: a Secret with these keys', async () => {
    await run(`kubectl wait -n ${NAMESPACE} --for=condition=Ready apitoken/summarizer --timeout=120s`);
    const keys = await get('secret/summarizer-token', '{.data}');
    expect(Object.keys(JSON.parse(keys)).sort()).toEqual(['expiration-time', 'token', 'token-id', 'version']);
  });

  it('is so: the Deployment is restarted with what takes the place of the revoked version', async () => {
    await run(`kubectl wait -n ${NAMESPACE} --for=condition=Ready tokenrevocation/summarizer-leaked --timeout=120s`);
    await run(`kubectl wait -n ${NAMESPACE} --for=condition=Ready apitoken/summarizer --timeout=120s`);
    const version = Buffer.from(await get('secret/summarizer-token', '{.data.version}'), 'base64').toString();
    expect(Number(version)).toBeGreaterThan(1);
    const key = `version\\.tokenwright\\.dev/${await get('apitoken/summarizer', '{.status.tokenID}')}`;
    const path = `{.spec.template.metadata.annotations.${key}}`;
    await run(`kubectl wait -n ${NAMESPACE} --for=jsonpath='${path}'=${version} deployment/summarizer --timeout=120s`);
  });
});

describe.each(others)('$file', follow);

describe('the examples', () => {
  it.each(globSync('deploy/examples/{*,policies/*,revocations/*}.yaml', { cwd: root }).sort())(
    '%s is taken by the API server',
    async (file) => {
      expect(await run(`kubectl apply -n ${NAMESPACE} --dry-run=server -f ${file}`)).toMatch(/\.tokenwright\.dev\//);
    },
  );
});
