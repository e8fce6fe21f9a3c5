/**
 * Every revision of every object of a test's namespaces, by watch. Conditions are awaited here, and invariants are judged
 * over the whole history afterwards. Revisions of all kinds are in one order, that of etcd.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import type { TokenRevocation } from '../../../src/api/token-revocation.ts';
import type { PodSpec } from '../../../src/domain/consumers.ts';
import { ClusterConnection } from '../../../src/kube/connection.ts';
import type { KubeObject } from '../../../src/ports.ts';
import type { Workload } from '../../../src/reconcile/apitoken/workloads.ts';

export interface SecretObject extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

export interface PodObject extends KubeObject {
  spec: PodSpec;
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

export interface EventObject extends KubeObject {
  reason: string;
  type: string;
  note?: string;
  action?: string;
  series?: { count: number };
  regarding?: { kind?: string; name?: string };
}

export interface Kinds {
  apitokens: ApiToken;
  tokenrevocations: TokenRevocation;
  secrets: SecretObject;
  pods: PodObject;
  events: EventObject;
  deployments: Workload;
  statefulsets: Workload;
  daemonsets: Workload;
  namespaces: KubeObject;
}

export type Kind = keyof Kinds;

const GROUPS: Record<Kind, string> = {
  apitokens: '/apis/tokenwright.dev/v1alpha1',
  tokenrevocations: '/apis/tokenwright.dev/v1alpha1',
  secrets: '/api/v1',
  pods: '/api/v1',
  namespaces: '/api/v1',
  events: '/apis/events.k8s.io/v1',
  deployments: '/apis/apps/v1',
  statefulsets: '/apis/apps/v1',
  daemonsets: '/apis/apps/v1',
};

export function pathOf(kind: Kind | 'resourcequotas', namespace: string, name?: string): string {
  const group = kind === 'resourcequotas' ? '/api/v1' : GROUPS[kind];
  return `${group}/namespaces/${namespace}/${kind}${name === undefined ? '' : `/${name}`}`;
}

export interface Revision<T> {
  /** etcd's revision. */
  at: number;
  /** performance.now() at which it was seen. */
  seenAt: number;
  object: T;
  isDeleted: boolean;
}

/** How long a wait is given, in seconds, unless it says: it only tells when to give up, and a slow machine may pause. */
export const PATIENCE = 60;

export class Timeline {
  readonly #connection: ClusterConnection;
  readonly #stop = new AbortController();
  /** By kind, then namespace and name. */
  readonly #histories = new Map<string, Revision<KubeObject>[]>();
  readonly #followed = new Set<string>();
  readonly #waiting = new Set<() => void>();

  private constructor(connection: ClusterConnection) {
    this.#connection = connection;
  }

  static async open(kubeconfig: string): Promise<Timeline> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const timeline = new Timeline(await ClusterConnection.open(config, 'test'));
    await Promise.all((Object.keys(GROUPS) as Kind[]).map((kind) => timeline.#begin(kind)));
    return timeline;
  }

  /** The way to the API server with every right. */
  get connection(): ClusterConnection {
    return this.#connection;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#connection.close();
  }

  /** Objects of other namespaces are not kept. */
  follow(namespace: string): void {
    this.#followed.add(namespace);
  }

  /** All revisions of one object, or of all of the kind in the namespace, in their order. */
  history<K extends Kind>(kind: K, namespace: string, name?: string): Revision<Kinds[K]>[] {
    const prefix = `${kind}\n${namespace}\n`;
    const histories = [...this.#histories]
      .filter(([key]) => (name === undefined ? key.startsWith(prefix) : key === prefix + name))
      .map(([, revisions]) => revisions as unknown as Revision<Kinds[K]>[]);
    return histories.flat().sort((a, b) => a.at - b.at);
  }

  get<K extends Kind>(kind: K, namespace: string, name: string): Kinds[K] | undefined {
    const last = this.#histories.get(`${kind}\n${namespace}\n${name}`)?.at(-1);
    return last && !last.isDeleted ? (last.object as unknown as Kinds[K]) : undefined;
  }

  list<K extends Kind>(kind: K, namespace: string): Kinds[K][] {
    const prefix = `${kind}\n${namespace}\n`;
    return [...this.#histories]
      .filter(([key]) => key.startsWith(prefix))
      .map(([, revisions]) => revisions.at(-1))
      .filter((last) => last !== undefined && !last.isDeleted)
      .map((last) => last?.object as unknown as Kinds[K]);
  }

  /** Looks again whenever anything changes; resolves with what `look` finds. */
  async until<T>(what: string, look: () => T | undefined | false, seconds = PATIENCE): Promise<T> {
    const found = look();
    if (found) return found;
    return new Promise((resolve, reject) => {
      const again = () => {
        try {
          const found = look();
          if (!found) return;
          end();
          resolve(found);
        } catch (error) {
          end();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`not so within ${seconds} s: ${what}`));
      }, seconds * 1000);
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(again);
      };
      this.#waiting.add(again);
    });
  }

  /**
   * Resolves when all that stood in the namespace at the call is known here. Each kind has a watch of its own, and what one of
   * them has told says nothing of what the others have yet to tell.
   */
  async caughtUp(namespace: string): Promise<void> {
    await Promise.all((Object.keys(GROUPS) as Kind[]).map((kind) => this.#knowsAll(kind, namespace)));
  }

  async #knowsAll(kind: Kind, namespace: string): Promise<void> {
    const query = kind === 'namespaces' ? `?fieldSelector=metadata.name%3D${namespace}` : '';
    const path = kind === 'namespaces' ? `${GROUPS[kind]}/namespaces` : pathOf(kind, namespace);
    const { metadata, items } = await this.#list(path + query);
    const standing = new Map(items.map((item) => [item.metadata.name, Number(item.metadata.resourceVersion)]));
    const isKnown = () =>
      [...standing].every(([name, at]) => (this.history(kind, namespace, name).at(-1)?.at ?? 0) >= at) &&
      this.list(kind, namespace).every(
        ({ metadata: { name, resourceVersion } }) =>
          standing.has(name) || Number(resourceVersion) > Number(metadata.resourceVersion),
      );
    await this.until(`all ${kind} of ${namespace} are known here`, isKnown);
  }

  /** For those who wait for what is not in the API. */
  poke(): void {
    for (const again of [...this.#waiting]) again();
  }

  async #begin(kind: Kind): Promise<void> {
    const path = `${GROUPS[kind]}/${kind}`;
    const { metadata } = await this.#list(path);
    this.#follow(kind, path, metadata.resourceVersion).catch((error: unknown) => {
      if (!this.#stop.signal.aborted) process.stderr.write(`the watch of ${kind} ended: ${String(error)}\n`);
    });
  }

  async #list(path: string): Promise<{ metadata: { resourceVersion: string }; items: KubeObject[] }> {
    const answer = await this.#request(path, this.#connection.requests);
    const list = (await answer.body.json()) as { metadata: { resourceVersion: string }; items: KubeObject[] };
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`);
    return list;
  }

  async #follow(kind: Kind, path: string, from: string): Promise<void> {
    let revision = from;
    while (!this.#stop.signal.aborted) {
      const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=3600&resourceVersion=${revision}`;
      const answer = await this.#request(`${path}?${query}`, this.#connection.watches);
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode}`);
      let rest = '';
      answer.body.setEncoding('utf8');
      for await (const chunk of answer.body) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) revision = this.#take(kind, line) ?? revision;
      }
      await wait(50);
    }
  }

  #take(kind: Kind, line: string): string | undefined {
    const { type, object } = JSON.parse(line) as { type: string; object: KubeObject };
    if (type === 'ERROR') throw new Error(line);
    const { resourceVersion = '', namespace, name } = object.metadata;
    const place = kind === 'namespaces' ? name : namespace;
    if (type !== 'BOOKMARK' && place !== undefined && this.#followed.has(place)) {
      const key = `${kind}\n${place}\n${name}`;
      const revisions = this.#histories.get(key) ?? [];
      this.#histories.set(key, revisions);
      revisions.push({
        at: Number(resourceVersion),
        seenAt: performance.now(),
        object,
        isDeleted: type === 'DELETED',
      });
      this.poke();
    }
    return resourceVersion;
  }

  async #request(path: string, dispatcher: ClusterConnection['requests']) {
    return dispatcher.request({
      origin: this.#connection.origin,
      path: this.#connection.basePath + path,
      method: 'GET',
      headers: { ...(await this.#connection.authorize()), accept: 'application/json' },
      signal: this.#stop.signal,
    });
  }
}
