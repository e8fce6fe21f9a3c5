import { setTimeout as sleep } from 'node:timers/promises';
import {
  KubeError,
  type KubeObject,
  type Logger,
  type Metrics,
  type ObjectMeta,
  type ResourceType,
  type Store,
} from '../ports.ts';
import { Cache, type Change } from './cache.ts';
import type { ListWatch, WatchEvent } from './client.ts';

/** Told in the order of the changes. Must not change the objects, and is not waited for. */
export type ChangeHandler<T> = (change: Change, object: T, old?: T) => void;

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: ListWatch;
  readonly type: ResourceType<T>;
  readonly log: Logger;
  readonly metrics?: Pick<Metrics, 'watchRestarted'>;
  /** All namespaces unless given. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Hold metadata alone; also of what `observe` is fed. */
  readonly metadataOnly?: boolean;
  /** Trims an object on receipt. Must keep name, namespace, uid and resourceVersion. managedFields are gone already. */
  readonly transform?: (object: T) => T;
  /** A list has begun; or is whole, and told. One that fails is begun again. */
  readonly onList?: (state: 'begun' | 'whole') => void;
  /** List anew this often, to find what a watch never told. Not unless given. */
  readonly relistMs?: number;
  readonly random?: () => number;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ReflectorTiming {
  /** Silence after which a watch is taken for dead. Bookmarks come about once a minute. */
  readonly silenceMs: number;
  /** A watch lasts once to twice this long, by the server's clock. */
  readonly watchSeconds: number;
  /** Back-off: full jitter under a bound that doubles from the first to the second. */
  readonly firstRetryMs: number;
  readonly lastRetryMs: number;
}

const defaultTiming: ReflectorTiming = { silenceMs: 90_000, watchSeconds: 300, firstRetryMs: 500, lastRetryMs: 30_000 };

/** A watch that lasts this long without an event counts as a good one. */
const settledMs = 5000;
/** A watch that ends sooner, without an event, counts as a failure, or a broken proxy would have us spin. */
const briefMs = 500;
const doubtsBeforeRelist = 2;

/**
 * Keeps a local copy of one kind by list and watch, as client-go's Reflector and shared informer do. Survives resets,
 * silence, expired positions and handlers that throw; the copy is never older than the last list, and after every
 * fault it comes to equal the server's state.
 */
export class Reflector<T extends KubeObject> implements Store<T> {
  /** Resolves after the first whole list. Rejects when stopped before. */
  readonly whenSynced: Promise<void>;
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #random: () => number;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #cache: Cache<T>;
  readonly #stopping = new AbortController();
  readonly #firstSync = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;
  #listedAt = 0;
  /** In a row; the back-off grows with them. */
  #failures = 0;
  /** In a row; watches that failed as one from a position that is none does. */
  #doubts = 0;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#random = options.random ?? Math.random;
    this.#cache = new Cache(this.#notify.bind(this), this.#receive.bind(this));
    this.whenSynced = this.#firstSync.promise;
    // Nobody need wait for it.
    this.whenSynced.catch(() => {});
  }

  get(key: string): T | undefined {
    return this.#cache.get(key);
  }

  list(): IterableIterator<T> {
    return this.#cache.list();
  }

  get size(): number {
    return this.#cache.size;
  }

  get synced(): boolean {
    return this.#cache.synced;
  }

  /** See Cache.observe. */
  observe(object: T): void {
    if (!this.#stopping.signal.aborted) this.#cache.observe(object);
  }

  /** Before `start`, so that no change goes untold. */
  onChange(handler: ChangeHandler<T>): this {
    this.#handlers.push(handler);
    return this;
  }

  start(): this {
    this.#running ??= this.#run();
    return this;
  }

  /** No handler is called after this returns; resolves once the connection is given back. At any instant. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#firstSync.reject(new Error('the reflector was stopped before its first list was whole'));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let listDue = true;
    while (!signal.aborted) {
      try {
        if (listDue || this.#untilRelistMs() <= 0) await this.#list();
        listDue = false;
        await this.#watch();
        this.#failures = 0;
        this.#restarted('ended');
      } catch (error) {
        if (signal.aborted) return;
        listDue ||= isGone(error) || this.#doubts >= doubtsBeforeRelist;
        this.#report(error);
        await this.#pause(error);
      }
    }
  }

  async #list(): Promise<void> {
    const { client, type, onList } = this.#options;
    const scope = this.#scope();
    onList?.('begun');
    let page = await client.listPage(type, scope);
    const relist = this.#cache.relist(page.resourceVersion);
    scope.signal.throwIfAborted();
    relist.page(page.items);
    while (page.next !== undefined) {
      page = await client.listPage(type, scope, page.next);
      scope.signal.throwIfAborted();
      relist.page(page.items);
    }
    relist.finish();
    onList?.('whole');
    this.#listedAt = performance.now();
    this.#doubts = 0;
    this.#firstSync.resolve();
  }

  async #watch(): Promise<void> {
    const { client, type } = this.#options;
    const { silenceMs, watchSeconds } = this.#timing;
    const wanted = Math.min(watchSeconds * (1 + this.#random()), this.#untilRelistMs() / 1000);
    const timeoutSeconds = Math.max(1, Math.ceil(wanted));
    const begun = performance.now();
    let events = 0;
    const take = (event: WatchEvent<T>) => {
      events += 1;
      this.#doubts = 0;
      this.#take(event);
    };
    const options = { ...this.#scope(), resourceVersion: this.#cache.position, timeoutSeconds, silenceMs };
    try {
      await client.watch(type, options, take);
    } catch (error) {
      // It worked until now, so this is the first failure in a row.
      if (performance.now() - begun >= settledMs || (events > 0 && !isGone(error))) this.#failures = 0;
      if (events === 0 && doubtsPosition(error)) this.#doubts += 1;
      throw error;
    }
    if (events === 0 && performance.now() - begun < briefMs) throw new Error('the watch ended as soon as it was open');
  }

  #take(event: WatchEvent<T>): void {
    switch (event.type) {
      case 'ADDED':
      case 'MODIFIED':
        this.#cache.put(event.object);
        break;
      case 'DELETED':
        this.#cache.remove(event.object);
        break;
      case 'BOOKMARK':
        this.#cache.mark(event.resourceVersion);
        break;
      default:
        event satisfies never;
    }
  }

  #scope() {
    const { namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const given = Object.entries({ namespace, labelSelector, fieldSelector }).filter(
      ([, value]) => value !== undefined,
    );
    return { ...Object.fromEntries(given), metadataOnly, signal: this.#stopping.signal };
  }

  #untilRelistMs(): number {
    const { relistMs = Number.POSITIVE_INFINITY } = this.#options;
    return this.#listedAt + relistMs - performance.now();
  }

  async #pause(error: unknown): Promise<void> {
    const { firstRetryMs, lastRetryMs } = this.#timing;
    const bound = Math.min(lastRetryMs, firstRetryMs * 2 ** this.#failures);
    this.#failures += 1;
    const asked = error instanceof KubeError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
    const ms = Math.min(asked, lastRetryMs) + bound * this.#random();
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  #report(error: unknown): void {
    this.#restarted(error instanceof KubeError ? error.reason : 'Unknown');
    const fields = { resource: this.#options.type.plural, error: describeError(error) };
    if (isGone(error)) this.#options.log.info(fields, 'watch position expired, listing anew');
    else this.#options.log.warn(fields, 'list or watch failed, trying again');
  }

  #restarted(reason: string): void {
    this.#options.metrics?.watchRestarted(this.#options.type.plural, reason);
  }

  #notify(change: Change, object: T, old?: T): void {
    for (const handler of this.#handlers) {
      if (this.#stopping.signal.aborted) return;
      try {
        // An async function passes for a handler; its rejection would end the process.
        const result: unknown = handler(change, object, old);
        if (result instanceof Promise) result.catch((error) => this.#blame(error));
      } catch (error) {
        this.#blame(error);
      }
    }
  }

  #blame(error: unknown): void {
    const { log, type } = this.#options;
    log.error({ resource: type.plural, error: describeError(error) }, 'change handler failed');
  }

  #receive(object: T): T {
    const { apiVersion, kind } = object;
    const metadata: ObjectMeta & { managedFields?: unknown } = { ...object.metadata };
    delete metadata.managedFields;
    // Of a write's reply too: a Secret observed by a metadata-only reflector leaves no value here.
    const bare = { apiVersion, kind, metadata } as T;
    if (this.#options.metadataOnly === true) return this.#transform(bare, bare);
    return this.#transform({ ...object, metadata }, bare);
  }

  #transform(object: T, bare: T): T {
    try {
      return this.#options.transform?.(object) ?? object;
    } catch (error) {
      // What it would have cut off must not be kept.
      this.#blame(error);
      return bare;
    }
  }
}

function isGone(error: unknown): boolean {
  return error instanceof KubeError && error.reason === 'Gone';
}

/**
 * Not about who we are, how busy the server is, or a lost connection. A position from the future (etcd restored from a
 * backup) gets a 504 from some servers, and from others (1.36, tried) a watch without even a bookmark: silence.
 */
function doubtsPosition(error: unknown): boolean {
  if (!(error instanceof KubeError)) return false;
  if (error.status === 0) return error.reason === 'Timeout';
  return !['TooManyRequests', 'Unavailable', 'Unauthorized', 'Forbidden'].includes(error.reason);
}

/** Text of unknown origin stays out of the log. */
function describeError(error: unknown): string {
  if (error instanceof KubeError) return error.message;
  return error instanceof Error ? error.name : typeof error;
}
