/** What the operator watches, and which ApiToken each change concerns. */
import { isDeepStrictEqual } from 'node:util';
import { API_TOKENS } from '../api/apitoken.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../api/names.ts';
import { NAMESPACES } from '../api/namespaces.ts';
import { TOKEN_POLICIES, type TokenPolicy } from '../api/token-policy.ts';
import {
  CLUSTER_TOKEN_REVOCATIONS,
  type ClusterTokenRevocation,
  TOKEN_REVOCATIONS,
  type TokenRevocation,
} from '../api/token-revocation.ts';
import type { Revocation } from '../domain/revocation.ts';
import { fired } from '../engine/pause.ts';
import type { Change } from '../kube/cache.ts';
import type { ListWatch } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import type { KubeObject, Logger, Metrics } from '../ports.ts';
import type { ApiTokenDeps } from '../reconcile/apitoken/deps.ts';
import { SECRETS, type Secret } from '../reconcile/apitoken/secret.ts';
import { type CachedWorkload, cached, WORKLOADS, WorkloadIndex } from '../reconcile/apitoken/workloads.ts';
import { PolicyBook } from '../reconcile/tokenpolicy/policy-book.ts';
import { type KnownToken, OrderBook } from '../reconcile/tokenrevocation/order-book.ts';
import type { Namespaces } from '../reconcile/tokenrevocation/proof.ts';
import { keyOf as keyOfRevocation } from '../reconcile/tokenrevocation/target.ts';
import { type CachedToken, cachedToken, held, keyOf, known, onlyLabels, onlyOwner } from './kept.ts';
import { Scoped } from './scoped.ts';

/** What all reflectors have in common, whatever they hold. */
export interface Watching {
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
  readonly orders: OrderBook;
  readonly policyBook: PolicyBook;
  readonly #tokens: Scoped<CachedToken>;
  readonly #secrets: Scoped<Secret>;
  readonly #revocations: Scoped<TokenRevocation>;
  readonly #clusterRevocations: Reflector<ClusterTokenRevocation>;
  readonly #policies: Reflector<TokenPolicy>;
  readonly #namespaces: Reflector<KubeObject>;
  readonly #all: readonly Watching[];
  readonly #bySecret = new Map<string, Set<string>>();
  #due: ((key: string) => void) | undefined;
  #revocationDue: ((key: string) => void) | undefined;
  #policyDue: ((name: string) => void) | undefined;

  constructor(options: WatchesOptions) {
    const { client, log, metrics, namespaces } = options;
    const common = { client, log, metrics };
    this.orders = new OrderBook({ tokens: () => this.#knownTokens(), namespaces: this.namespaces });
    this.policyBook = new PolicyBook({
      namespaces: this.namespaces,
      governed: namespaces,
      tokenKeys: () => this.tokenKeys(),
    });
    this.#tokens = new Scoped(namespaces, (scope) =>
      new Reflector({ ...common, ...scope, ...held(API_TOKENS, cachedToken) }).onChange((change, token, old) => {
        if (old) this.#unindex(old);
        if (change === 'deleted') this.#unindex(token);
        else this.#index(token);
        this.#tokenChanged(keyOf(token));
        this.#tell(keyOf(token));
      }),
    );
    const labelSelector = `${MANAGED_BY_LABEL}=${MANAGED_BY}`;
    this.#secrets = new Scoped(namespaces, (scope) =>
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
    const workloads = WORKLOADS.flatMap(
      (type) =>
        new Scoped(namespaces, (scope) =>
          new Reflector({ ...common, ...scope, ...held(type, (w) => cached(type.kind, w)) }).onChange(
            (change, workload, old) =>
              this.#workloadChanged(change === 'deleted' ? undefined : workload, old ?? workload),
          ),
        ).reflectors,
    );
    const revoked = (change: Change, revocation: Revocation) => this.#revocationChanged(change, revocation);
    this.#revocations = new Scoped(namespaces, (scope) =>
      new Reflector<TokenRevocation>({ ...common, ...scope, type: TOKEN_REVOCATIONS }).onChange(revoked),
    );
    this.#clusterRevocations = new Reflector<ClusterTokenRevocation>({
      ...common,
      type: CLUSTER_TOKEN_REVOCATIONS,
    }).onChange(revoked);
    this.#namespaces = new Reflector({
      ...common,
      type: NAMESPACES,
      metadataOnly: true,
      transform: onlyLabels,
    }).onChange((change, { metadata }, old) => {
      this.orders.namespaceChanged(metadata.name);
      const isAsBefore = change === 'updated' && isDeepStrictEqual(metadata.labels, old?.metadata.labels);
      if (!isAsBefore) this.policyBook.namespaceChanged(metadata.name);
    });
    this.#policies = new Reflector<TokenPolicy>({ ...common, type: TOKEN_POLICIES }).onChange((change, policy) => {
      if (change === 'deleted') this.policyBook.remove(policy);
      else this.policyBook.put(policy);
      this.#policyDue?.(policy.metadata.name);
    });
    this.#all = [
      ...this.#tokens.reflectors,
      ...this.#secrets.reflectors,
      ...workloads,
      ...this.#revocations.reflectors,
      this.#clusterRevocations,
      this.#policies,
      this.#namespaces,
    ];
  }

  /** Feeds the replies of our own writes, so that their echo is no news. */
  get tokens(): ApiTokenDeps['tokens'] {
    return {
      takeUnissued: (key) => {
        const cached = this.#tokens.get(key);
        const token = cached?.unissued;
        delete cached?.unissued;
        return token;
      },
      observe: (token) => {
        // the reflector trims what it is fed, as it trims what it receives
        this.#tokens.observe(token as unknown as CachedToken);
        this.#tokenChanged(keyOf(token));
      },
    };
  }

  get secrets(): { observe(secret: Secret): void } {
    return this.#secrets;
  }

  get revocations(): { get(key: string): Revocation | undefined; observe(revocation: Revocation): void } {
    return {
      get: (key) => (key.includes('/') ? this.#revocations : this.#clusterRevocations).get(key),
      observe: (revocation) => {
        if (isNamespaced(revocation)) this.#revocations.observe(revocation);
        else this.#clusterRevocations.observe(revocation);
        // where its deletion was told before the reply came, it is not held
        const held = this.revocations.get(keyOfRevocation(revocation));
        if (held) this.orders.put(held);
      },
    };
  }

  get policies(): { get(name: string): TokenPolicy | undefined; observe(policy: TokenPolicy): void } {
    return this.#policies;
  }

  get namespaces(): Namespaces {
    return {
      get: (name) => {
        const found = this.#namespaces.get(name);
        return found && (found.metadata.labels ?? {});
      },
      keys: () => [...this.#namespaces.list()].map(({ metadata }) => metadata.name),
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
    await Promise.race([fired(stop), Promise.all(this.#all.map((reflector) => reflector.whenSynced))]);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }

  *tokenKeys(): IterableIterator<string> {
    for (const token of this.#tokens.list()) yield keyOf(token);
  }

  *revocationKeys(): IterableIterator<string> {
    for (const revocation of this.#revocations.list()) yield keyOfRevocation(revocation);
    for (const revocation of this.#clusterRevocations.list()) yield keyOfRevocation(revocation);
  }

  *policyNames(): IterableIterator<string> {
    for (const { metadata } of this.#policies.list()) yield metadata.name;
  }

  /** Rollouts that status says are under way: a restarted operator counts those of its predecessor. */
  rollingOut(each: (key: string, workloads: readonly string[]) => void): void {
    for (const token of this.#tokens.list()) each(keyOf(token), token.rollingOut);
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

  /** One listener at a time. Returns how to end it. */
  onRevocationDue(listener: (key: string) => void): () => void {
    this.#revocationDue = listener;
    return () => {
      this.#revocationDue = undefined;
    };
  }

  /** One listener at a time. Returns how to end it. */
  onPolicyDue(listener: (name: string) => void): () => void {
    this.#policyDue = listener;
    return () => {
      this.#policyDue = undefined;
    };
  }

  /** Has every ApiToken of these namespaces looked at again. */
  tellNamespaces(isConcerned: (namespace: string) => boolean): void {
    for (const token of this.#tokens.list()) if (isConcerned(token.metadata.namespace ?? '')) this.#tell(keyOf(token));
  }

  #tell(key: string): void {
    this.#due?.(key);
  }

  *#knownTokens(): IterableIterator<KnownToken> {
    for (const token of this.#tokens.list()) yield known(token);
  }

  #tokenChanged(key: string): void {
    this.orders.tokenChanged(key, () => {
      const token = this.#tokens.get(key);
      return token && known(token);
    });
  }

  #revocationChanged(change: Change, revocation: Revocation): void {
    if (change === 'deleted') this.orders.remove(revocation);
    else this.orders.put(revocation);
    this.#revocationDue?.(keyOfRevocation(revocation));
  }

  #workloadChanged(workload: CachedWorkload | undefined, old: CachedWorkload): void {
    if (workload) this.workloads.changed(workload, old);
    else this.workloads.removed(old);
    const { namespace } = old.metadata;
    for (const secret of new Set([...old.reads.keys(), ...(workload?.reads.keys() ?? [])])) {
      for (const key of this.#bySecret.get(`${namespace}/${secret}`) ?? []) {
        if ((this.#tokens.get(key)?.pendingRestarts ?? 0) > 0) this.#tell(key);
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

function isNamespaced(revocation: Revocation): revocation is TokenRevocation {
  return revocation.metadata.namespace !== undefined;
}
