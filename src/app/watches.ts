/** What the operator watches, and which ApiToken each change concerns. */
import { API_TOKENS, type ApiToken, effectiveSecretName } from '../api/apitoken.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../api/names.ts';
import type { ListWatch } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import type { KubeObject, Logger, Metrics, ObjectMeta, ResourceType } from '../ports.ts';
import { SECRETS, type Secret } from '../reconcile/apitoken/secret.ts';
import { type CachedWorkload, cached, WORKLOADS, WorkloadIndex } from '../reconcile/apitoken/workloads.ts';

/** An ApiToken is read live where it matters; what is kept here only says whom a change concerns. */
interface CachedToken extends KubeObject {
  secretName: string;
  pendingRestarts: number;
  rollingOut: readonly string[];
}

const NAMESPACES: ResourceType = {
  group: '',
  version: 'v1',
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
};

/** What all reflectors have in common, whatever they hold. */
interface Watching {
  readonly synced: boolean;
  readonly whenSynced: Promise<void>;
  start(): unknown;
  stop(): Promise<void>;
}

export interface WatchesOptions {
  client: ListWatch;
  log: Logger;
  metrics: Pick<Metrics, 'watchRestarted'>;
  /** Empty: all. */
  namespaces: readonly string[];
}

export class Watches {
  readonly workloads = new WorkloadIndex();
  readonly #tokens: Reflector<CachedToken>[];
  readonly #secrets: Reflector<Secret>[];
  readonly #namespaces: Reflector<KubeObject>;
  readonly #all: readonly Watching[];
  readonly #bySecret = new Map<string, Set<string>>();
  #due: ((key: string) => void) | undefined;

  constructor(options: WatchesOptions) {
    const { client, log, metrics } = options;
    const scopes = options.namespaces.length > 0 ? options.namespaces.map((namespace) => ({ namespace })) : [{}];
    const common = { client, log, metrics };
    this.#tokens = scopes.map((scope) =>
      new Reflector({ ...common, ...scope, ...held(API_TOKENS, cachedToken) }).onChange((change, token, old) => {
        if (old) this.#unindex(old);
        if (change === 'deleted') this.#unindex(token);
        else this.#index(token);
        this.#tell(keyOf(token));
      }),
    );
    const labelSelector = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
    this.#secrets = scopes.map((scope) =>
      new Reflector({
        ...common,
        ...scope,
        type: SECRETS,
        labelSelector,
        metadataOnly: true,
        transform: onlyOwner,
      }).onChange((_change, secret) => {
        const owner = secret.metadata.ownerReferences?.find((o) => o.controller === true);
        if (owner?.kind === 'ApiToken') this.#tell(`${secret.metadata.namespace}/${owner.name}`);
      }),
    );
    const workloads = scopes.flatMap((scope) =>
      WORKLOADS.map((type) =>
        new Reflector({ ...common, ...scope, ...held(type, (w) => cached(type.kind, w)) }).onChange(
          (change, workload, old) =>
            this.#workloadChanged(change === 'deleted' ? undefined : workload, old ?? workload),
        ),
      ),
    );
    this.#namespaces = new Reflector({ ...common, type: NAMESPACES, metadataOnly: true, transform: onlyName });
    this.#all = [...this.#tokens, ...this.#secrets, ...workloads, this.#namespaces];
  }

  /** Feeds the replies of our own writes, so that their echo is no news. */
  get tokens(): { observe(token: ApiToken): void } {
    return {
      observe: (token) => {
        // the reflector trims what it is fed, as it trims what it receives
        for (const reflector of this.#tokens) reflector.observe(token as unknown as CachedToken);
      },
    };
  }

  get secrets(): { observe(secret: Secret): void } {
    return {
      observe: (secret) => {
        for (const reflector of this.#secrets) reflector.observe(secret);
      },
    };
  }

  get synced(): boolean {
    return this.#all.every((reflector) => reflector.synced);
  }

  start(): void {
    for (const reflector of this.#all) reflector.start();
  }

  /** Resolves also when `stop` fires first. */
  async whenSynced(stop: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
    if (!stop.aborted) await Promise.race([stopped, Promise.all(this.#all.map((reflector) => reflector.whenSynced))]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }

  *tokenKeys(): IterableIterator<string> {
    for (const reflector of this.#tokens) for (const token of reflector.list()) yield keyOf(token);
  }

  /** Rollouts that status says are under way: a restarted operator counts those of its predecessor. */
  rollingOut(each: (key: string, workloads: readonly string[]) => void): void {
    for (const reflector of this.#tokens) for (const token of reflector.list()) each(keyOf(token), token.rollingOut);
  }

  isNamespaceTerminating(namespace: string): boolean {
    return this.#namespaces.get(namespace)?.metadata.deletionTimestamp !== undefined;
  }

  /** One listener at a time. Returns how to end it. */
  onTokenDue(listener: (key: string) => void): () => void {
    this.#due = listener;
    return () => {
      this.#due = undefined;
    };
  }

  #tell(key: string): void {
    this.#due?.(key);
  }

  #workloadChanged(workload: CachedWorkload | undefined, old: CachedWorkload): void {
    if (workload) this.workloads.changed(workload, old);
    else this.workloads.removed(old);
    const { namespace } = old.metadata;
    for (const secret of new Set([...old.reads.keys(), ...(workload?.reads.keys() ?? [])])) {
      for (const key of this.#bySecret.get(`${namespace}/${secret}`) ?? []) {
        if (this.#tokens.some((reflector) => (reflector.get(key)?.pendingRestarts ?? 0) > 0)) this.#tell(key);
      }
    }
  }

  #index(token: CachedToken): void {
    const place = `${token.metadata.namespace}/${token.secretName}`;
    this.#bySecret.set(place, (this.#bySecret.get(place) ?? new Set()).add(keyOf(token)));
  }

  #unindex(token: CachedToken): void {
    const place = `${token.metadata.namespace}/${token.secretName}`;
    const keys = this.#bySecret.get(place);
    keys?.delete(keyOf(token));
    if (keys?.size === 0) this.#bySecret.delete(place);
  }
}

function keyOf({ metadata }: KubeObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}

/** The reflector receives Raw, and holds and hands out Kept from the transform on. */
function held<Raw extends KubeObject, Kept extends KubeObject>(type: ResourceType<Raw>, trim: (raw: Raw) => Kept) {
  return {
    type: type as unknown as ResourceType<Kept>,
    transform: (received: Kept) => trim(received as unknown as Raw),
  };
}

function cachedToken(token: ApiToken): CachedToken {
  const { restarts } = token.status ?? {};
  const rollingOut = (restarts?.workloads ?? []).filter((w) => w.state === 'RollingOut').map((w) => w.uid);
  return {
    metadata: identity(token.metadata),
    secretName: effectiveSecretName(token),
    pendingRestarts: restarts?.pending ?? 0,
    rollingOut,
  };
}

function identity({ name, namespace, uid, resourceVersion }: ObjectMeta): ObjectMeta {
  return { name, ...(namespace && { namespace }), ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) };
}

function onlyOwner(secret: Secret): Secret {
  const { ownerReferences } = secret.metadata;
  return { metadata: { ...identity(secret.metadata), ...(ownerReferences && { ownerReferences }) } };
}

function onlyName(object: KubeObject): KubeObject {
  const { deletionTimestamp } = object.metadata;
  return { metadata: { ...identity(object.metadata), ...(deletionTimestamp && { deletionTimestamp }) } };
}
