/** What the verifier watches, and what it makes of it: the index, the audiences, the limits of use, the orders to revoke. */

import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { PENDING_LABEL } from '../api/names.ts';
import { NAMESPACES } from '../api/namespaces.ts';
import {
  DEFAULT_STALENESS,
  TOKEN_AUDIENCES,
  type TokenAudience,
  UPSTREAM_KEY_REFERENCE,
} from '../api/token-audience.ts';
import { TOKEN_POLICIES, type TokenPolicy } from '../api/token-policy.ts';
import { CLUSTER_TOKEN_REVOCATIONS, TOKEN_REVOCATIONS } from '../api/token-revocation.ts';
import { parseDuration } from '../domain/duration.ts';
import type { Revocation } from '../domain/revocation.ts';
import type { TokenID } from '../domain/value.ts';
import type { ApiServerClient } from '../kube/client.ts';
import { Reflector } from '../kube/reflector.ts';
import { KubeError, type KubeObject, type Logger, type Metrics, type ResourceType } from '../ports.ts';
import { IndexedToken, type SealCheck, Share } from '../verifier/indexed-token.ts';
import { Orders } from '../verifier/orders.ts';
import { TokenIndex } from '../verifier/token-index.ts';
import { UsePolicies } from '../verifier/use-policies.ts';
import type { KnownAudience } from '../verifier/verifier.ts';
import { keyOf } from './kept.ts';
import type { Watching } from './watches.ts';

interface Secret extends KubeObject {
  data?: Record<string, string>;
}

const SECRETS: ResourceType<Secret> = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
export interface VerifierWatchesOptions {
  client: ApiServerClient;
  log: Logger;
  metrics: Pick<Metrics, 'watchRestarted'>;
  seals: SealCheck;
  upstreamNamespace: string;
  /** A revocation is in force here. */
  onForce(revocation: Revocation): void;
  onTokenPut(id: TokenID): void;
  onTokenGone(uid: string): void;
}

export class VerifierWatches {
  readonly index = new TokenIndex();
  readonly orders: Orders;
  readonly policies: UsePolicies;
  readonly #options: VerifierWatchesOptions;
  readonly #audiences = new Map<string, KnownAudience>();
  readonly #tokens: Reflector<IndexedToken>;
  readonly #namespaces: Reflector<KubeObject>;
  readonly #declared: Reflector<TokenAudience>;
  readonly #upstreams: Reflector<Secret>;
  readonly #all: readonly Watching[];

  constructor(options: VerifierWatchesOptions) {
    this.#options = options;
    const { index } = this;
    const { client, log, metrics, seals } = options;
    const common = { client, log, metrics };
    const share = new Share();
    const namespaceLabels = (namespace: string) => {
      const found = this.#namespaces.get(namespace);
      return found && (found.metadata.labels ?? {});
    };
    this.policies = new UsePolicies(namespaceLabels);
    this.orders = new Orders({
      index,
      namespaceLabels,
      refresh: (token) => this.refresh(token),
      onForce: options.onForce,
    });
    this.#tokens = new Reflector<IndexedToken>({
      ...common,
      type: API_TOKENS as unknown as ResourceType<IndexedToken>,
      // the reflector receives ApiTokens, and holds and hands out what is made of them
      transform: (received) => new IndexedToken(received as unknown as ApiToken, seals, share),
      onList: (state) => (state === 'begun' ? this.orders.indexing() : this.orders.indexed()),
    }).onChange((change, token) => {
      if (change === 'deleted') this.#gone(token);
      else this.#put(token);
    });
    this.#namespaces = new Reflector({ ...common, type: NAMESPACES, metadataOnly: true }).onChange(
      (_, { metadata: { name } }) => {
        this.policies.namespaceChanged(name);
        this.orders.namespaceChanged(name);
      },
    );
    const policies = new Reflector<TokenPolicy>({ ...common, type: TOKEN_POLICIES }).onChange((change, policy) => {
      const { name: declared } = policy.metadata;
      if (change === 'deleted') return this.policies.remove(declared);
      const problem = this.policies.put(policy);
      if (problem !== undefined)
        log.error({ policy: declared, problem }, 'policy cannot be evaluated: what stood before it holds');
    });
    this.#declared = new Reflector({ ...common, type: TOKEN_AUDIENCES }).onChange((change, { metadata }) => {
      if (change === 'deleted') this.#audiences.delete(metadata.name);
      else this.#declare(metadata.name);
    });
    this.#upstreams = new Reflector({ ...common, type: SECRETS, namespace: options.upstreamNamespace }).onChange(() => {
      for (const name of this.#audiences.keys()) this.#declare(name);
    });
    const revocations = [TOKEN_REVOCATIONS, CLUSTER_TOKEN_REVOCATIONS].map((type) =>
      new Reflector<Revocation>({ ...common, type: type as ResourceType<Revocation> }).onChange(
        (change, revocation) => {
          if (change === 'deleted') this.orders.remove(revocation.metadata.uid);
          else this.orders.put(revocation);
        },
      ),
    );
    this.#all = [this.#tokens, this.#namespaces, policies, this.#declared, this.#upstreams, ...revocations];
  }

  get synced(): boolean {
    return this.#all.every(({ synced }) => synced);
  }

  start(): void {
    for (const reflector of this.#all) reflector.start();
  }

  async whenSynced(): Promise<void> {
    await Promise.all(this.#all.map(({ whenSynced }) => whenSynced));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }

  audience(name: string): KnownAudience | undefined {
    return this.#audiences.get(name);
  }

  /** The least that an audience allows, in seconds. */
  strictest(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { stalenessSeconds } of this.#audiences.values()) least = Math.min(least, stalenessSeconds);
    return least;
  }

  /** What is pending now: a watch that says nothing proves nothing. */
  async listPending(signal: AbortSignal): Promise<void> {
    const labelSelector = `${PENDING_LABEL}=true`;
    const lists = await Promise.all(
      [TOKEN_REVOCATIONS, CLUSTER_TOKEN_REVOCATIONS].map((type) =>
        this.#options.client.listFromCache(type as ResourceType<Revocation>, { labelSelector, signal }),
      ),
    );
    for (const revocation of lists.flat()) this.orders.put(revocation);
  }

  /**
   * What each ApiToken says was carried out, whatever the watches say. Page by page: all of them at once would be too much to hold. The pages
   * are of one moment, and orders go on meanwhile: so what is not known yet is read by itself, and so is what no page shows.
   */
  async relist(signal: AbortSignal): Promise<void> {
    const shown = new Set<string>();
    let next: string | undefined;
    do {
      const page = await this.#options.client.listPage(API_TOKENS, { signal }, next);
      for (const token of page.items) {
        shown.add(token.metadata.uid);
        if (this.#tokens.get(keyOf(token))) this.#take(token);
        else await this.#read(token.metadata, signal);
      }
      next = page.next;
    } while (next !== undefined);
    for (const token of [...this.index.all()]) if (!shown.has(token.uid)) await this.refresh(token, signal);
  }

  /** Reads an ApiToken anew, whatever its watch says. */
  async refresh(token: IndexedToken, signal?: AbortSignal): Promise<void> {
    const read = await this.#read(token, signal);
    if (read?.metadata.uid !== token.uid) this.#gone(token);
  }

  async #read(
    { namespace, name }: Pick<ApiToken['metadata'], 'namespace' | 'name'>,
    signal?: AbortSignal,
  ): Promise<ApiToken | undefined> {
    signal?.throwIfAborted();
    try {
      const read = await this.#options.client.get(API_TOKENS, { namespace, name });
      this.#take(read);
      return read;
    } catch (error) {
      if (!(error instanceof KubeError && error.reason === 'NotFound')) throw error;
      return undefined;
    }
  }

  /** Reads the ApiTokens that have a token id. */
  async search(id: string, signal: AbortSignal): Promise<void> {
    const fieldSelector = `status.tokenID=${id}`;
    for (const token of await this.#options.client.list(API_TOKENS, { fieldSelector, signal })) this.#take(token);
  }

  /** By way of the reflector, which knows what is newer, and whose watch does not tell of it again. */
  #take(token: ApiToken): void {
    const key = keyOf(token);
    const before = this.#tokens.get(key);
    this.#tokens.observe(token as unknown as IndexedToken);
    const held = this.#tokens.get(key);
    // what is no newer was put already, and may be gone since
    if (held && held !== before) this.#put(held);
  }

  #put(token: IndexedToken): void {
    this.index.put(token);
    this.orders.tokenChanged(token);
    this.#options.onTokenPut(token.tokenID);
  }

  #gone(token: IndexedToken): void {
    this.index.remove(token);
    this.orders.tokenGone(token);
    this.#options.onTokenGone(token.uid);
  }

  #declare(name: string): void {
    const declared = this.#declared.get(name);
    if (declared === undefined) return;
    const { environments, routes = [], staleness, upstream } = declared.spec;
    this.#audiences.set(name, {
      environments,
      routes: routes.map(({ methods, path, scopes = [] }) => ({ methods, path, scopes })),
      stalenessSeconds: parseDuration(staleness?.max ?? DEFAULT_STALENESS) ?? 0,
      upstream: upstream && this.#credential(upstream),
    });
  }

  #credential(upstream: NonNullable<TokenAudience['spec']['upstream']>): KnownAudience['upstream'] {
    const { secretRef, header, value } = upstream;
    const secret = this.#upstreams.get(`${this.#options.upstreamNamespace}/${secretRef.name}`);
    const data = secret?.data?.[secretRef.key];
    const key = data === undefined ? '' : Buffer.from(data, 'base64').toString('utf8').trim();
    // what cannot stand in a header is no key
    if (!/^[!-~]+$/.test(key)) return 'missing';
    return { header: header.toLowerCase(), value: value.replace(UPSTREAM_KEY_REFERENCE, () => key) };
  }
}
