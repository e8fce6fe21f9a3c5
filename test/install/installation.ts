/** One cluster on which all steps of an installation follow each other, and how they speak to it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { bundle } from '../../tools/build/bundle.ts';
import { type ControlPlane, startControlPlane } from '../../tools/controlplane/control-plane.ts';
import { freePort } from '../../tools/controlplane/free-port.ts';
import { root } from './binaries.ts';
import { command, type Outcome, tryCommand } from './command.ts';
import type { Deployment, Manifest } from './manifests.ts';
import { type PodOptions, PodProcess } from './pod-process.ts';

export const OWN = 'tokenwright-system';
export const examples = join(root, 'deploy/examples');

export let plane: ControlPlane;
export let folder: string;
export let operator: PodProcess | undefined;
export let verifier: PodProcess | undefined;
/** Of the chart, for all that comes. */
export const settings: string[] = [];

export async function open(): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'tokenwright-install-'));
  plane = await startControlPlane({ log: () => {} });
  await bundle(folder);
  settings.push('--set', `operator.metricsPort=${await freePort()}`);
}

export async function close(): Promise<void> {
  await verifier?.stop();
  await operator?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
}

export const kubectl = (...args: string[]) =>
  command(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, ...args]);
export const tryKubectl = (kubeconfig: string, ...args: string[]) =>
  tryCommand(plane.bin('kubectl'), ['--kubeconfig', kubeconfig, ...args]);

export function tryHelm(...args: string[]): Promise<Outcome> {
  return tryCommand(plane.bin('helm'), [...args, '--kubeconfig', plane.kubeconfig, '--namespace', OWN]);
}

export async function helm(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryHelm(...args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

export const waited = ['--wait', '--timeout=120s'];

export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline)
      throw new Error(`not so within 60 s: ${what}\n${operator?.stderr}\n${verifier?.stderr}`);
    await wait(100);
  }
}

export async function get<T extends Manifest>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl('get', ...args, '-o', 'json'));
}

export const apply = (object: object) =>
  command(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, 'apply', '-f', '-'], { input: stringify(object) });

export const exists = async (...args: string[]) => (await tryKubectl(plane.kubeconfig, 'get', ...args)).code === 0;

export const may = async (user: string, ...args: string[]) =>
  (await tryKubectl(plane.kubeconfig, 'auth', 'can-i', ...args, '--as', user)).stdout.trim() === 'yes';

/** Where `accountKubeconfig` puts it. */
export const kubeconfigOf = (account: string) => join(folder, `${account}.kubeconfig`);

/** A kubeconfig with a token of the ServiceAccount, as TokenRequest gives it. `bound` is what kubectl takes. */
export async function accountKubeconfig(account: string, ...bound: string[]): Promise<string> {
  const token = await kubectl('create', 'token', account, '-n', OWN, ...bound);
  const config = parse(await readFile(plane.kubeconfig, 'utf8'));
  config.users = [{ name: config.users[0].name, user: { token: token.trim() } }];
  const path = kubeconfigOf(account);
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

export async function startOperator(): Promise<PodProcess> {
  const deployment = await get<Deployment>('deployment/tokenwright-operator', '-n', OWN);
  operator = new PodProcess(deployment, {
    script: join(folder, 'tokenwright.js'),
    kubeconfig: await accountKubeconfig('tokenwright-operator'),
    pod: 'tokenwright-operator-0',
  });
  await operator.ready();
  return operator;
}

export interface ApiToken extends Manifest {
  status: {
    lastVersion: number;
    conditions: { type: string; status: string; reason: string }[];
    versions: { state: string; version: number }[];
  };
}

export interface Revocation extends Manifest {
  status?: { sealed?: boolean; matched?: number; receipts?: { verifier: string; environment: string }[] };
}

export const isReady = ({ status }: ApiToken) =>
  status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

export async function startVerifier(deployment: string, options: Omit<PodOptions, 'script'>): Promise<void> {
  verifier = new PodProcess(await get<Deployment>(deployment, '-n', OWN), {
    script: join(folder, 'tokenwright.js'),
    ...options,
  });
  await verifier.ready();
}
