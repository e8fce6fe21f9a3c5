import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Cache, isExecutable } from './cache.ts';
import { thisPlatform } from './releases.ts';

const help = `Runs the end-to-end tests on a kind cluster, made for the run and deleted after it. Needs a Docker engine.

Usage: npm run test:kind [-- <arguments for vitest>]

Environment:
  KIND_IMAGE   node image, such as kindest/node:v1.36.1 (default: the one that kind itself chooses)

Exit codes: those of the tests; 2 without a Docker engine; 1 when kind fails.
`;

/** The kind to build where none is on the PATH. */
const kindVersion = 'v0.33.0';

const run = promisify(execFile);
const log = (line: string) => void process.stderr.write(`${line}\n`);

/** Why there is no Docker engine to use, or undefined when there is one. */
async function dockerMissing(): Promise<string | undefined> {
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 15_000 });
    return undefined;
  } catch (error) {
    const { code, killed, stderr = '' } = error as { code?: unknown; killed?: boolean; stderr?: string };
    if (code === 'ENOENT') return 'no `docker` on the PATH';
    if (killed === true) return '`docker version` did not answer within 15 s';
    return stderr.trim().split('\n').at(-1) || `\`docker version\` failed (${String(code)})`;
  }
}

/** Runs a command on this terminal and returns its exit code. */
function show(file: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 2, 2], env });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

async function findKind(): Promise<string> {
  const onPath = await run('kind', ['version']).then(
    () => true,
    () => false,
  );
  if (onPath) return 'kind';
  const directory = join(new Cache(process.env, thisPlatform()).root, 'kind', kindVersion);
  const path = join(directory, 'kind');
  if (await isExecutable(path)) return path;
  log(`kind is not on the PATH; building ${kindVersion} (about a minute)`);
  await mkdir(directory, { recursive: true });
  const env = { ...process.env, GOBIN: directory, CGO_ENABLED: '0', GOWORK: 'off' };
  if ((await show('go', ['install', `sigs.k8s.io/kind@${kindVersion}`], env)) !== 0)
    throw new Error('kind was not built');
  return path;
}

async function main(args: string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(help);
    return 0;
  }
  const missing = await dockerMissing();
  if (missing !== undefined) {
    log(`test:kind needs a Docker engine, and there is none here: ${missing}.`);
    log('`npm test` runs the same tests on a control plane of plain processes, without Docker.');
    return 2;
  }
  const kind = await findKind();
  const cluster = `tokenwright-${process.pid}`;
  const directory = await mkdtemp(join(tmpdir(), 'tokenwright-kind-'));
  const kubeconfig = join(directory, 'kubeconfig');
  // A Ctrl-C reaches the children by the terminal; this process stays to delete the cluster.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  try {
    const image = process.env.KIND_IMAGE ? ['--image', process.env.KIND_IMAGE] : [];
    const create = ['create', 'cluster', '--name', cluster, '--kubeconfig', kubeconfig, '--wait', '180s', ...image];
    if ((await show(kind, create)) !== 0) throw new Error('kind made no cluster; its reason is above');
    const env = { ...process.env, TOKENWRIGHT_TEST_KUBECONFIG: kubeconfig };
    return await show('npm', ['exec', '--', 'vitest', 'run', '--project', 'cluster', ...args], env);
  } finally {
    await show(kind, ['delete', 'cluster', '--name', cluster, '--kubeconfig', kubeconfig]).catch(() => {});
    await rm(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
