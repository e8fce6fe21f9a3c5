/** What the benches share: a control plane, the operator as a process of the chart's ServiceAccount, and a bare client. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { API_TOKENS, type ApiToken } from '../../src/api/apitoken.ts';
import { ApiServerClient } from '../../src/kube/client.ts';
import { ClusterConnection } from '../../src/kube/connection.ts';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';
import { bundle } from '../build/bundle.ts';
import { startControlPlane } from '../controlplane/control-plane.ts';

export interface Result {
  name: string;
  value: number;
  unit: string;
  ratio: number | null;
  against: string | null;
}

export interface BenchOptions {
  tokens: number | undefined;
  pairs: number | undefined;
}

export const IN_FLIGHT = 16;
const OWN = 'tokenwright-system';
const root = join(import.meta.dirname, '../..');

export const SECRETS: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const NAMESPACES: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

export interface Bench {
  /** Every right. */
  admin: ApiServerClient;
  /** The operator's ServiceAccount. */
  bare: ApiServerClient;
  namespace(name: string): Promise<void>;
  operator(namespace: string | undefined): Operator;
}

export async function withCluster<T>(use: (bench: Bench) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'tokenwright-bench-'));
  const running: Operator[] = [];
  // cut short: the control plane ends by itself with this process, an operator does not
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      for (const { pid } of running) if (pid > 0) process.kill(pid, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
      process.exit(130);
    });
  }
  const connections: ClusterConnection[] = [];
  const plane = await startControlPlane({ workloads: false });
  try {
    const kubectl = (...args: string[]) =>
      execFileSync('kubectl', ['--kubeconfig', plane.kubeconfig, ...args], { encoding: 'utf8' }).trim();
    kubectl('apply', '-f', join(root, 'deploy/namespace.yaml'));
    kubectl('apply', '-k', join(root, 'crds'));
    kubectl('wait', '--for=condition=Established', 'crd/apitokens.tokenwright.dev', '--timeout=30s');
    kubectl('apply', '-k', join(root, 'deploy/admission'));
    kubectl('apply', '-k', join(root, 'deploy/rbac'));
    const token = kubectl('create', 'token', 'tokenwright-operator', '-n', OWN, '--duration=4h');
    const kubeconfig = join(folder, 'kubeconfig');
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: plane.server, 'certificate-authority': plane.caFile } }],
      users: [{ name: 'u', user: { token } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    };
    writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    await bundle(folder);
    const open = async (path: string) => {
      const connection = await ClusterConnection.open(loadKubeConfig({ kubeconfig: path }), 'bench');
      connections.push(connection);
      return new ApiServerClient({ connection });
    };
    const admin = await open(plane.kubeconfig);
    return await use({
      admin,
      bare: await open(kubeconfig),
      namespace: async (name) => void (await admin.create(NAMESPACES, { metadata: { name } })),
      operator: (namespace) => {
        const operator = new Operator(join(folder, 'tokenwright.js'), kubeconfig, namespace);
        running.push(operator);
        return operator;
      },
    });
  } finally {
    for (const operator of running) await operator.stop();
    for (const connection of connections) await connection.close();
    await plane.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export class Operator {
  readonly #child;
  readonly #exited: Promise<unknown>;
  #head = '';
  #port: string | undefined;
  #leadingAt: number | undefined;

  constructor(script: string, kubeconfig: string, namespace: string | undefined) {
    const flags = ['--metrics-bind-address=127.0.0.1:0', `--namespace=${OWN}`, `--kubeconfig=${kubeconfig}`];
    if (namespace !== undefined) flags.push(`--watch-namespace=${namespace}`);
    this.#child = spawn(process.execPath, [script, 'operator', ...flags], {
      env: { PATH: process.env.PATH, NODE_OPTIONS: '--max-semi-space-size=4' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#leadingAt !== undefined) return;
      this.#head += text;
      this.#port ??= /"port":(\d+).*serving metrics/.exec(this.#head)?.[1];
      if (/"leading"/.test(this.#head)) this.#leadingAt = performance.now();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** When it began to lead, by performance.now(). */
  async leading(): Promise<number> {
    const deadline = performance.now() + 60_000;
    while (this.#leadingAt === undefined) {
      this.check();
      if (performance.now() > deadline) throw new Error(`the operator does not lead: ${this.#head.slice(-2000)}`);
      await wait(5);
    }
    return this.#leadingAt;
  }

  check(): void {
    if (this.#child.exitCode !== null) throw new Error(`the operator ended: ${this.#head.slice(-2000)}`);
  }

  /** Successful writes by resource; throws on refused ones. */
  async writes(): Promise<Record<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    const counts: Record<string, number> = {};
    for (const line of text.split('\n').filter((one) => one.startsWith('tokenwright_api_calls_total{'))) {
      const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(line)?.[1] ?? '';
      if (!['create', 'update', 'apply', 'patch', 'delete'].includes(label('verb'))) continue;
      const resource = label('resource');
      if (/leases|configmaps/.test(resource)) continue;
      if (!label('code').startsWith('2')) throw new Error(`unexpected answer to the operator: ${line}`);
      counts[resource] = (counts[resource] ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return counts;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.#exited;
  }

  rssMB(): number {
    const kB = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kB) / 1024;
  }

  /** CPU used so far; a tick is 10 ms on Linux. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

export async function inParallel(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

export async function createTokens(client: ApiServerClient, namespace: string, count: number): Promise<ApiToken[]> {
  const made: ApiToken[] = [];
  await inParallel(count, async (index) => {
    const manifest = {
      metadata: { name: `token-${index}`, namespace },
      spec: {
        subject: `agent:bench-${index}`,
        purpose: 'Measure',
        environment: 'production',
        audiences: ['ai-gateway'],
        scopes: ['chat:write'],
        owner: 'team@example.com',
        ttl: '24h',
        rotation: { renewBefore: '8h', overlap: '30m' },
      },
    };
    made.push(await client.create(API_TOKENS, manifest as unknown as ApiToken));
  });
  return made;
}

export const isReady = (token: ApiToken) =>
  token.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** Follows ApiTokens until `count` are Ready; `at` is when the last became so. `first` are statuses as first written. */
export function follow(client: ApiServerClient, namespace: string, count: number) {
  const stop = new AbortController();
  const ready = new Set<string>();
  const first = new Map<string, ApiToken>();
  const done = (async () => {
    const page = await client.listPage(API_TOKENS, { namespace });
    let at = 0;
    const options = { namespace, resourceVersion: page.resourceVersion, timeoutSeconds: 1800, silenceMs: 120_000 };
    await client
      .watch(API_TOKENS, { ...options, signal: stop.signal }, (event) => {
        if (event.type === 'BOOKMARK') return;
        const token: ApiToken = event.object;
        if (token.status && !first.has(token.metadata.name)) first.set(token.metadata.name, token);
        if (isReady(token)) ready.add(token.metadata.name);
        if (ready.size < count) return;
        at ||= performance.now();
        stop.abort();
      })
      .catch((error: unknown) => {
        if (at === 0) throw error;
      });
    if (at === 0) throw new Error(`the watch ended with ${ready.size} of ${count} Ready`);
    return at;
  })();
  done.catch(() => {});
  return { done, first, stop: () => stop.abort() };
}

export type AnyObject = KubeObject & Record<string, unknown>;
