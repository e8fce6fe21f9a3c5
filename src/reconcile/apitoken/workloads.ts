/** The workloads that read a Secret: from the cache, by index, or listed live. */
import { versionAnnotation } from '../../api/names.ts';
import {
  isLive,
  isRolledOut,
  isStale,
  type PodSeen,
  type PodSpec,
  type Reads,
  replacesNoPod,
  secretsRead,
  startedBefore,
  type WorkloadStatus,
} from '../../domain/consumers.ts';
import type { Consumer, ConsumersSeen, WorkloadKind } from '../../domain/lifecycle/seen.ts';
import type { TokenID } from '../../domain/value.ts';
import type { KubeClient, KubeObject, ResourceType } from '../../ports.ts';

interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

export interface Workload extends KubeObject {
  spec?: WorkloadStatus['spec'] & {
    selector?: LabelSelector;
    template?: { metadata?: { annotations?: Record<string, string> }; spec?: PodSpec };
  };
  status?: WorkloadStatus['status'];
}

type Pod = KubeObject & PodSeen & { spec?: PodSpec };

type WorkloadType = ResourceType<Workload> & { readonly kind: WorkloadKind };

const apps = (plural: string, kind: WorkloadKind): WorkloadType => ({
  group: 'apps',
  version: 'v1',
  plural,
  kind,
  namespaced: true,
});

export const WORKLOADS: readonly WorkloadType[] = [
  apps('deployments', 'Deployment'),
  apps('statefulsets', 'StatefulSet'),
  apps('daemonsets', 'DaemonSet'),
];

const PODS: ResourceType<Pod> = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };

/** What is kept of a workload, so that the cache of a large cluster stays small. */
export interface CachedWorkload extends KubeObject {
  kind: WorkloadKind;
  reads: ReadonlyMap<string, Reads>;
  rolledOut: boolean;
  inert: boolean;
  selector: LabelSelector;
  /** The version annotations of the pod template. */
  versions: Record<string, string>;
}

const VERSION_PREFIX = versionAnnotation('');

export function cached(kind: WorkloadKind, workload: Workload): CachedWorkload {
  const { uid, name, namespace, resourceVersion } = workload.metadata;
  const spec = workload.spec ?? {};
  const status: WorkloadStatus = {
    kind,
    generation: workload.metadata.generation ?? 0,
    spec,
    status: workload.status ?? {},
  };
  const annotations = Object.entries(spec.template?.metadata?.annotations ?? {});
  return {
    kind,
    metadata: {
      name,
      ...(uid && { uid }),
      ...(namespace && { namespace }),
      ...(resourceVersion && { resourceVersion }),
    },
    reads: secretsRead(spec.template?.spec ?? {}),
    rolledOut: isRolledOut(status),
    inert: replacesNoPod(status),
    selector: spec.selector ?? {},
    versions: Object.fromEntries(annotations.filter(([key]) => key.startsWith(VERSION_PREFIX))),
  };
}

/** Cached workloads by the Secrets that they read. Fed by the reflectors' handlers. */
export class WorkloadIndex {
  readonly #bySecret = new Map<string, Map<string, CachedWorkload>>();

  changed(workload: CachedWorkload, before: CachedWorkload | undefined): void {
    if (before) this.removed(before);
    for (const name of workload.reads.keys()) {
      const key = secretKey(workload, name);
      const readers = this.#bySecret.get(key) ?? new Map<string, CachedWorkload>();
      readers.set(workload.metadata.uid ?? '', workload);
      this.#bySecret.set(key, readers);
    }
  }

  removed(workload: CachedWorkload): void {
    for (const name of workload.reads.keys()) {
      const key = secretKey(workload, name);
      const readers = this.#bySecret.get(key);
      readers?.delete(workload.metadata.uid ?? '');
      if (readers?.size === 0) this.#bySecret.delete(key);
    }
  }

  readersOf(namespace: string, secret: string): CachedWorkload[] {
    return [...(this.#bySecret.get(`${namespace}/${secret}`)?.values() ?? [])];
  }
}

function secretKey(workload: CachedWorkload, secret: string): string {
  return `${workload.metadata.namespace}/${secret}`;
}

export interface ConsumerQuery {
  namespace: string;
  secret: string;
  tokenID: TokenID;
  /** Pods created in this second or before are stale; undefined: pods do not matter. */
  since: number | undefined;
}

/** From the cache; pods, where they matter, are listed live by the workload's selector. */
export async function consumersFromCache(
  client: KubeClient,
  index: WorkloadIndex,
  query: ConsumerQuery,
): Promise<ConsumersSeen> {
  const readers = sorted(index.readersOf(query.namespace, query.secret));
  const workloads = await Promise.all(
    readers.map(async (reader) => {
      if (query.since === undefined) return consumerOf(reader, query, undefined);
      const labelSelector = selectorText(reader.selector);
      return consumerOf(reader, query, await client.list(PODS, { namespace: query.namespace, labelSelector }));
    }),
  );
  return { live: false, workloads, loosePods: { total: 0, stale: 0 } };
}

/** Everything that reads the Secret now: a consumer missing from a lagging cache would lose its value at retirement. */
export async function consumersLive(client: KubeClient, query: ConsumerQuery): Promise<ConsumersSeen> {
  const { namespace, secret, since = 0 } = query;
  const listed = await Promise.all(
    WORKLOADS.map(async (type) => (await client.list(type, { namespace })).map((w) => cached(type.kind, w))),
  );
  const readers = sorted(listed.flat().filter((w) => w.reads.has(secret)));
  const pods = await client.list(PODS, { namespace });
  const loose = pods.filter(
    (pod) =>
      isLive(pod) &&
      secretsRead(pod.spec ?? {}).has(secret) &&
      !readers.some((r) => selects(r.selector, pod.metadata.labels ?? {})),
  );
  return {
    live: true,
    workloads: readers.map((reader) =>
      consumerOf(
        reader,
        query,
        pods.filter((pod) => selects(reader.selector, pod.metadata.labels ?? {})),
      ),
    ),
    loosePods: { total: loose.length, stale: loose.filter((pod) => isStale(pod, since)).length },
  };
}

function sorted(workloads: CachedWorkload[]): CachedWorkload[] {
  const place = (w: CachedWorkload) => `${w.kind}/${w.metadata.name}`;
  return workloads.sort((a, b) => place(a).localeCompare(place(b)));
}

function consumerOf(workload: CachedWorkload, query: ConsumerQuery, pods: Pod[] | undefined): Consumer {
  const consumer: Consumer = {
    kind: workload.kind,
    name: workload.metadata.name,
    uid: workload.metadata.uid ?? '',
    reads: workload.reads.get(query.secret) ?? 'refreshing',
    rolledOut: workload.rolledOut,
    inert: workload.inert,
  };
  const annotated = Number(workload.versions[versionAnnotation(query.tokenID)]);
  if (Number.isSafeInteger(annotated)) consumer.annotated = annotated;
  const { since } = query;
  if (pods && since !== undefined) {
    const stale = pods.filter((pod) => isLive(pod) && isStale(pod, since));
    consumer.pods = { stale: stale.length, startedBefore: stale.some((pod) => startedBefore(pod, since)) };
  }
  return consumer;
}

function selectorText(selector: LabelSelector): string {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...equal, ...expressions].join(',');
}

/** metav1.LabelSelector semantics. An empty selector of a workload selects nothing. */
function selects(selector: LabelSelector, labels: Record<string, string>): boolean {
  const equal = Object.entries(selector.matchLabels ?? {});
  const expressions = selector.matchExpressions ?? [];
  if (equal.length + expressions.length === 0) return false;
  return (
    equal.every(([key, value]) => labels[key] === value) &&
    expressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      const listed = value !== undefined && values.includes(value);
      return operator === 'In' ? listed : !listed;
    })
  );
}
