/** What the benches share: a control plane, the operator as a process of the chart's ServiceAccount, and a bare client. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { API_TOKENS, type ApiToken } from '../../src/api/apitoken.ts';
import { NAMESPACES } from '../../src/api/namespaces.ts';
import { ApiServerClient } from '../../src/kube/client.ts';
import { ClusterConnection } from '../../src/kube/connection.ts';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';
import { bundle } from '../build/bundle.ts';
import { startControlPlane } from '../controlplane/control-plane.ts';
import { chartNodeOptions } from './chart-node-options.ts';
import { cpuSecondsOf, OPERATOR_NAMESPACE, Operator } from './operator.ts';

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
  /** How long one measure takes. */
  seconds: number | undefined;
}

export const IN_FLIGHT = 16;
const SERVER_PROCESSES = ['etcd', 'kube-apiserver', 'kube-controller-manager'] as const;
const root = join(import.meta.dirname, '../..');

export const SECRETS: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
export interface Bench {
  /** Every right. */
  admin: ApiServerClient;
  /** The operator's ServiceAccount. */
  bare: ApiServerClient;
  /** CPU that the control plane has used. */
  serverCpuSeconds(): number;
  namespace(name: string, labels?: Record<string, string>): Promise<void>;
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
    kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s');
    kubectl('apply', '-f', join(root, 'deploy/examples/policies/baseline.yaml'));
    kubectl('apply', '-k', join(root, 'deploy/admission'));
    kubectl('apply', '-k', join(root, 'deploy/rbac'));
    const token = kubectl('create', 'token', 'tokenwright-operator', '-n', OPERATOR_NAMESPACE, '--duration=4h');
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
    const nodeOptions = chartNodeOptions('operator');
    const open = async (path: string) => {
      const connection = await ClusterConnection.open(loadKubeConfig({ kubeconfig: path }), 'bench');
      connections.push(connection);
      return new ApiServerClient({ connection });
    };
    const admin = await open(plane.kubeconfig);
    return await use({
      admin,
      bare: await open(kubeconfig),
      serverCpuSeconds: () => {
        const pids = SERVER_PROCESSES.map((name) => plane.pid(name)).filter((pid) => pid !== undefined);
        return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
      },
      namespace: async (name, labels = {}) => void (await admin.create(NAMESPACES, { metadata: { name, labels } })),
      operator: (namespace) => {
        const operator = new Operator(join(folder, 'tokenwright.js'), { kubeconfig, namespace, nodeOptions });
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
export async function follow(client: ApiServerClient, namespace: string, count: number) {
  const stop = new AbortController();
  const ready = new Set<string>();
  const first = new Map<string, ApiToken>();
  // what becomes Ready before this is not told by the watch
  const { resourceVersion } = await client.listPage(API_TOKENS, { namespace });
  const done = (async () => {
    let at = 0;
    const options = { namespace, resourceVersion, timeoutSeconds: 1800, silenceMs: 120_000 };
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
