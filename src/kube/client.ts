import {
  type KubeClient,
  KubeError,
  type KubeObject,
  type ListOptions,
  type Metrics,
  type ObjectKey,
  type Preconditions,
  type ResourceType,
} from '../ports.ts';
import type { Connection } from './connection.ts';
import { fromFailure, fromWatchError, notSent } from './errors.ts';
import { type Call, Sender } from './sender.ts';

export interface ReadOptions extends ListOptions {
  /** Ask for PartialObjectMetadata: only apiVersion, kind and metadata. */
  readonly metadataOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Page<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  /** Undefined on the last page. */
  readonly next: string | undefined;
}

export interface WatchOptions extends ReadOptions {
  readonly resourceVersion: string;
  /** The server ends the watch after this long. */
  readonly timeoutSeconds: number;
  /** Longest silence. The server sends a bookmark about once a minute. */
  readonly silenceMs: number;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing else changed up to this resourceVersion. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/** What a reflector needs. Both throw KubeError, or the signal's reason. */
export interface ListWatch {
  /** At most 500 items; `next` is that of the page before. */
  listPage<T extends KubeObject>(type: ResourceType<T>, options?: ReadOptions, next?: string): Promise<Page<T>>;
  /** Resolves when the server ends the watch. What `onEvent` throws ends it too, and is thrown on. */
  watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<void>;
}

const fieldManager = 'tokenwright';
const pageSize = 500;
/** A page of 500 large objects from a busy server. */
const pageDeadlineMs = 60_000;
const pageLimit = 128 * 1024 * 1024;
const listAttempts = 3;
/** Every cluster has it, and hardly an object in it: to list one of 100,000 takes the API server as long as to go through all. */
const QUIET_NAMESPACE = 'kube-public';

/** A client for any kind, over pooled connections. What is sent again, and when, is Sender's. */
export class ApiServerClient implements KubeClient, ListWatch {
  readonly #sender: Sender;

  /** `onDate` gets the Date header of every answer: see ServerClock. */
  constructor(options: {
    connection: Connection;
    metrics?: Pick<Metrics, 'apiCall'>;
    onDate?: (date: string | undefined) => void;
    random?: () => number;
  }) {
    this.#sender = new Sender(options);
  }

  get<T extends KubeObject>(type: ResourceType<T>, key: ObjectKey): Promise<T> {
    return this.#object({ verb: 'get', method: 'GET', type, key });
  }

  async list<T extends KubeObject>(type: ResourceType<T>, options: ReadOptions = {}): Promise<T[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#allPages(type, options);
      } catch (error) {
        // Gone: the snapshot that the pages come from was compacted away under us.
        if (!(error instanceof KubeError && error.reason === 'Gone') || attempt === listAttempts) throw error;
      }
    }
  }

  create<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    const body = typed(type, object);
    return this.#object({ verb: 'create', method: 'POST', type, key: keyOf(object), query: { fieldManager }, body });
  }

  /** POST of a question such as a SubjectAccessReview: answered, kept nowhere, and so without a name. */
  ask<T extends KubeObject>(type: ResourceType<T>, spec: object): Promise<T> {
    const { apiVersion, kind } = typed(type, { metadata: { name: '' } } as T);
    return this.#object({ verb: 'create', method: 'POST', type, body: { apiVersion, kind, spec } });
  }

  replace<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    return this.#put({ verb: 'update', method: 'PUT', type, key: keyOf(object) }, object);
  }

  replaceStatus<T extends KubeObject>(type: ResourceType<T>, object: T): Promise<T> {
    return this.#put({ verb: 'update', method: 'PUT', type, key: keyOf(object), subresource: 'status' }, object);
  }

  apply<T extends KubeObject>(
    type: ResourceType<T>,
    object: T,
    { fieldManager, force, subresource }: { fieldManager: string; force?: boolean; subresource?: 'status' },
  ): Promise<T> {
    return this.#object({
      verb: 'apply',
      method: 'PATCH',
      type,
      key: keyOf(object),
      ...(subresource && { subresource }),
      query: { fieldManager, force: force === true ? 'true' : undefined },
      body: typed(type, object),
      contentType: 'application/apply-patch+yaml',
    });
  }

  mergePatch<T extends KubeObject>(
    type: ResourceType<T>,
    key: ObjectKey,
    patch: object,
    { subresource }: { subresource?: 'status' } = {},
  ): Promise<T> {
    const contentType = 'application/merge-patch+json';
    return this.#object({
      verb: 'patch',
      method: 'PATCH',
      type,
      key,
      ...(subresource && { subresource }),
      query: { fieldManager },
      body: patch,
      contentType,
    });
  }

  async delete(type: ResourceType, key: ObjectKey, preconditions?: Preconditions): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background', preconditions };
    await this.#sender.send({ verb: 'delete', method: 'DELETE', type, key, body });
  }

  async listPage<T extends KubeObject>(
    type: ResourceType<T>,
    options: ReadOptions = {},
    next?: string,
  ): Promise<Page<T>> {
    return this.#listOnce(type, options, { limit: String(pageSize), continue: next });
  }

  /**
   * All that there are now, from the watch cache of the API server and nowhere else: rejects (Timeout) where that lags by 3 s. `list` is
   * then answered from etcd, by way of every object of the kind; with 100,000 that is 10 s of CPU, by which the cache lags the more.
   */
  async listFromCache<T extends KubeObject>(type: ResourceType<T>, options: ReadOptions): Promise<T[]> {
    const { signal, namespace = type.namespaced ? QUIET_NAMESPACE : undefined } = options;
    const probe = { ...(namespace !== undefined && { namespace }), metadataOnly: true, signal };
    // whatever it lists, it tells which revision is the newest
    const { resourceVersion } = await this.#listOnce(type, probe, { limit: '1' });
    // no limit: the pages after the first come from etcd
    return (await this.#listOnce(type, options, { resourceVersion, resourceVersionMatch: 'NotOlderThan' })).items;
  }

  async #listOnce<T extends KubeObject>(
    type: ResourceType<T>,
    { namespace, labelSelector, fieldSelector, metadataOnly, signal }: ReadOptions,
    query: Call['query'],
  ): Promise<Page<T>> {
    const call: Call = {
      verb: 'list',
      method: 'GET',
      type,
      namespace,
      query: { ...query, labelSelector, fieldSelector },
      accept: accept(metadataOnly, 'PartialObjectMetadataList'),
      deadlineMs: pageDeadlineMs,
      maxBytes: pageLimit,
      signal,
    };
    const list = parse<ListBody<T>>(call, await this.#sender.send(call));
    // An empty list of partial objects has items: null.
    const items = (list.items ?? []).map((item) => typed(type, item));
    const { resourceVersion = '', continue: more = '' } = list.metadata ?? {};
    return { items, resourceVersion, next: more === '' ? undefined : more };
  }

  async watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ): Promise<void> {
    const { namespace, labelSelector, fieldSelector, metadataOnly, signal, resourceVersion } = options;
    const timeoutSeconds = String(options.timeoutSeconds);
    const call: Call = {
      verb: 'watch',
      method: 'GET',
      type,
      namespace,
      query: {
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion,
        timeoutSeconds,
        labelSelector,
        fieldSelector,
      },
      accept: accept(metadataOnly, 'PartialObjectMetadata'),
      signal,
    };
    const onLine = (line: string) => onEvent(toEvent(call, type, parse<WatchLine<T>>(call, line)));
    await this.#sender.stream(call, { silenceMs: options.silenceMs, onLine });
  }

  async #allPages<T extends KubeObject>(type: ResourceType<T>, options: ReadOptions): Promise<T[]> {
    let page = await this.listPage(type, options);
    const { items } = page;
    while (page.next !== undefined) {
      page = await this.listPage(type, options, page.next);
      for (const item of page.items) items.push(item);
    }
    return items;
  }

  async #put<T extends KubeObject>(call: Call, object: T): Promise<T> {
    const { uid, resourceVersion } = object.metadata;
    // The API server would take it as "whatever is there now".
    if (!uid || !resourceVersion) throw notSent(call, 'a PUT needs uid and resourceVersion');
    return this.#object({ ...call, query: { fieldManager }, body: typed(call.type, object) });
  }

  async #object<T extends KubeObject>(call: Call): Promise<T> {
    return parse<T>(call, await this.#sender.send(call));
  }
}

interface ListBody<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items?: T[] | null;
}

interface WatchLine<T> {
  type?: string;
  object?: T;
}

function toEvent<T extends KubeObject>(
  call: Call,
  type: ResourceType<T>,
  { type: what, object }: WatchLine<T>,
): WatchEvent<T> {
  if (what === 'ERROR' || object === undefined) throw fromWatchError(call, object);
  if (what === 'BOOKMARK') return { type: what, resourceVersion: object.metadata.resourceVersion ?? '' };
  if (what === 'ADDED' || what === 'MODIFIED' || what === 'DELETED') return { type: what, object: typed(type, object) };
  throw fromFailure(call, undefined);
}

function keyOf({ metadata: { name, namespace } }: KubeObject): ObjectKey {
  return namespace === undefined ? { name } : { namespace, name };
}

/** With its kind: items of a list of built-in kinds come without, and partial objects with another. */
function typed<T extends KubeObject>({ group, version, kind }: ResourceType<T>, object: T): T {
  const apiVersion = group === '' ? version : `${group}/${version}`;
  if (object.kind === kind && object.apiVersion === apiVersion) return object;
  return { ...object, apiVersion, kind };
}

function accept(metadataOnly: boolean | undefined, as: string): string {
  return metadataOnly === true ? `application/json;as=${as};g=meta.k8s.io;v=v1` : 'application/json';
}

/** The door: T is what the caller says, and nothing of the text reaches the error (JSON.parse quotes it). */
function parse<T>(call: Call, text: string): T {
  try {
    return JSON.parse(text);
  } catch {
    throw fromFailure(call, undefined);
  }
}
