import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AdminClient } from './admin-client.ts';
import { resolveBinaries } from './binaries.ts';
import {
  apiServerArguments,
  controllerManagerArguments,
  etcdArguments,
  kwokArguments,
  writeSchedulerConfig,
} from './components.ts';
import { type Credentials, type TlsFiles, writeCredentials } from './credentials.ts';
import { freePort } from './free-port.ts';
import { ProcessEnded, ProcessGroup } from './process-group.ts';
import { type BinaryName, chooseVersions, type Versions } from './releases.ts';

/** A running Kubernetes API with its etcd, and by default with workloads (controllers, scheduler, fake nodes). */
export interface ControlPlane {
  /** Path of a kubeconfig with every right (group system:masters, so exempt from priority and fairness). */
  kubeconfig: string;
  server: string;
  caFile: string;
  /** The Kubernetes version, with `v`. */
  version: string;
  /** A directory with all binaries, fit to go first on a PATH. */
  binDirectory: string;
  /** Absolute path of one binary. */
  bin(name: BinaryName): string;
  /** What a raw dump needs; see etcd-dump.ts. */
  etcd: { endpoint: string } & TlsFiles;
  /** The log file of one process; it goes when the control plane stops. */
  logFile(name: BinaryName): string;
  /** Process id of one process, undefined while it does not run. For measurements. */
  pid(name: BinaryName): number | undefined;
  /** Kills the API server as a crash would (SIGKILL), and returns when it is gone. */
  stopApiServer(): Promise<void>;
  /** Starts it again on the same port and returns when it is ready. */
  startApiServer(): Promise<void>;
  /** Ends all processes and removes all their data. May be called more than once. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** A Kubernetes version; default TOKENWRIGHT_K8S_VERSION, else the one this project is built for. */
  version?: string;
  /** How many fake nodes; default 1, each with room for 100,000 pods. */
  nodes?: number;
  /** Scheduler, fake nodes and pods; default true. The controller manager always runs. */
  workloads?: boolean;
  /** Gets a line for each step; default: written to stderr. */
  log?: (line: string) => void;
}

const toStderr = (line: string) => void process.stderr.write(`${line}\n`);
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * Starts a control plane of real processes on loopback, gets their binaries first where need be (minutes, the first
 * time), and returns when it is ready: a node takes pods and ServiceAccounts are made. It ends with this process.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { log = toStderr, nodes = 1, workloads = true } = options;
  const versions = chooseVersions(options.version);
  const binaries = await resolveBinaries({ versions, log });
  const began = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    const plane = await Plane.create(versions, binaries, log);
    try {
      await plane.start({ nodes: workloads ? nodes : 0, workloads });
      log(`control plane ${versions.kubernetes} ready in ${seconds(began)}: ${plane.server}`);
      return plane;
    } catch (error) {
      await plane.stop();
      // between finding a free port and listening on it, another process may have taken it
      const lostPort = error instanceof ProcessEnded && error.logTail.includes('address already in use');
      if (!lostPort || attempt === 5) throw error;
      log(`${error.process} lost its port to another process; starting again`);
    }
  }
}

type Binaries = Awaited<ReturnType<typeof resolveBinaries>>;

class Plane implements ControlPlane {
  readonly server: string;
  readonly etcd: ControlPlane['etcd'];
  readonly #ports: { api: number; etcd: number; peer: number };
  readonly #credentials: Credentials;
  readonly #versions: Versions;
  readonly #binaries: Binaries;
  readonly #group: ProcessGroup;
  readonly #log: (line: string) => void;

  private constructor(
    ports: { api: number; etcd: number; peer: number },
    credentials: Credentials,
    versions: Versions,
    binaries: Binaries,
    group: ProcessGroup,
    log: (line: string) => void,
  ) {
    this.#ports = ports;
    this.#credentials = credentials;
    this.#versions = versions;
    this.#binaries = binaries;
    this.#group = group;
    this.#log = log;
    this.server = `https://127.0.0.1:${ports.api}`;
    this.etcd = { endpoint: `https://127.0.0.1:${ports.etcd}`, ...credentials.etcdClient };
  }

  static async create(versions: Versions, binaries: Binaries, log: (line: string) => void): Promise<Plane> {
    const group = await ProcessGroup.create();
    try {
      const ports = { api: await freePort(), etcd: await freePort(), peer: await freePort() };
      const credentials = await writeCredentials(join(group.directory, 'pki'), `https://127.0.0.1:${ports.api}`);
      return new Plane(ports, credentials, versions, binaries, group, log);
    } catch (error) {
      await group.stop(); // or this process could not end: the channel to the supervisor keeps it alive
      throw error;
    }
  }

  get kubeconfig(): string {
    return this.#credentials.kubeconfigs.admin;
  }

  get caFile(): string {
    return this.#credentials.apiServer.caFile;
  }

  get version(): string {
    return this.#versions.kubernetes;
  }

  get binDirectory(): string {
    return this.#binaries.directory;
  }

  bin(name: BinaryName): string {
    return join(this.#binaries.directory, name);
  }

  logFile(name: BinaryName): string {
    return this.#group.logFile(name);
  }

  pid(name: BinaryName): number | undefined {
    return this.#group.pid(name);
  }

  async start({ nodes, workloads }: { nodes: number; workloads: boolean }): Promise<void> {
    this.#group.onUnexpectedEnd((name, how) =>
      this.#log(`${name} ended by itself (${how}); its log: ${this.#group.logFile(name)}`),
    );
    await this.#startEtcd();
    await this.startApiServer();
    const { kubeconfigs } = this.#credentials;
    this.#run('kube-controller-manager', controllerManagerArguments(this.#credentials));
    if (workloads) {
      const config = await writeSchedulerConfig(this.#group.directory, kubeconfigs.scheduler);
      this.#run('kube-scheduler', [`--config=${config}`, '--secure-port=0']);
      const stages = fileURLToPath(new URL('stages.yaml', import.meta.url));
      this.#run('kwok', kwokArguments(kubeconfigs.kwok, stages));
    }
    await this.#withApi(async (api) => {
      for (let index = 0; index < nodes; index += 1) await createNode(api, `fake-${index}`);
      // the first ServiceAccount shows that the controller manager works, a Ready node that kwok does
      await this.#until('kube-controller-manager', async () => {
        return (await api.request('GET', '/api/v1/namespaces/default/serviceaccounts/default')).status === 200;
      });
      for (let index = 0; index < nodes; index += 1) {
        await this.#until('kwok', async () => isReady((await api.request('GET', `/api/v1/nodes/fake-${index}`)).body));
      }
    });
    if (workloads) await this.#group.check('kube-scheduler');
  }

  async startApiServer(): Promise<void> {
    const { api, etcd } = this.#ports;
    this.#run('kube-apiserver', apiServerArguments(this.#versions, api, etcd, this.#credentials));
    await this.#withApi((client) =>
      this.#until('kube-apiserver', async () => (await client.request('GET', '/readyz')).status === 200),
    );
  }

  async stopApiServer(): Promise<void> {
    await this.#group.kill('kube-apiserver');
  }

  async stop(): Promise<void> {
    await this.#group.stop();
  }

  async #startEtcd(): Promise<void> {
    const { etcd, peer } = this.#ports;
    this.#run('etcd', etcdArguments(join(this.#group.directory, 'etcd'), etcd, peer, this.#credentials.etcdServer));
    const client = await AdminClient.fromFiles(this.etcd.endpoint, this.#credentials.etcdClient);
    try {
      await this.#until('etcd', async () => (await client.request('GET', '/health')).status === 200);
    } finally {
      await client.close();
    }
  }

  #run(name: BinaryName, args: string[]): void {
    // half the collections of garbage: for what lives for minutes, memory is cheaper than processors
    this.#group.start(name, this.bin(name), args, { GOGC: '200' });
  }

  async #withApi<T>(use: (api: AdminClient) => Promise<T>): Promise<T> {
    const api = await AdminClient.fromKubeconfig(this.kubeconfig);
    try {
      return await use(api);
    } finally {
      await api.close();
    }
  }

  /** Asks until it is so; throws when that process has ended, or after a minute. */
  async #until(name: BinaryName, isSo: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 60_000;
    let last = 'not ready';
    while (performance.now() < deadline) {
      await this.#group.check(name);
      try {
        if (await isSo()) return;
      } catch (error) {
        last = error instanceof Error ? error.message : String(error); // not listening yet
      }
      await wait(25);
    }
    throw new Error(`${name} was not ready within 60 s (${last}); its log: ${this.#group.logFile(name)}`);
  }
}

async function createNode(api: AdminClient, name: string): Promise<void> {
  const labels = {
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/role': 'agent',
    'node-role.kubernetes.io/agent': '',
    type: 'kwok',
  };
  const annotations = { 'kwok.x-k8s.io/node': 'fake' };
  const answer = await api.request('POST', '/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, annotations },
  });
  if (answer.status !== 201) throw new Error(`node ${name} was refused: ${JSON.stringify(answer.body)}`);
}

interface NodeSeen {
  spec?: { taints?: unknown[] };
  status?: { conditions?: { type: string; status: string }[] };
}

function isReady(body: unknown): boolean {
  const { spec, status } = body as NodeSeen;
  const ready = status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  // the taint "not ready" goes a moment after the condition comes; until then nothing is scheduled
  return ready === true && (spec?.taints ?? []).length === 0;
}
