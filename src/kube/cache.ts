import type { KubeObject, Store } from '../ports.ts';
import { compareResourceVersions } from './resource-version.ts';

export type Change = 'added' | 'updated' | 'deleted';

/** `old` is what was held before: with 'updated' always, with 'deleted' never. */
export type Notify<T> = (change: Change, object: T, old?: T) => void;

/** `<namespace>/<name>`, or the name alone for a cluster-scoped kind. */
export function storeKey({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * The objects of one kind as last seen, and the rules by which lists, watch events and replies to our own writes come
 * together in it. Tells of every change but our own.
 */
export class Cache<T extends KubeObject> implements Store<T> {
  readonly #objects = new Map<string, T>();
  readonly #notify: Notify<T>;
  readonly #receive: (object: T) => T;
  /** Own writes whose event is yet to come. Told apart from others' events by resourceVersion, unique in a kind. */
  readonly #echoes = new Set<string>();
  /** The list and the watch have told everything up to here. */
  #position = '';
  #synced = false;

  /** `receive` trims what comes from outside. */
  constructor(notify: Notify<T>, receive: (object: T) => T) {
    this.#notify = notify;
    this.#receive = receive;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): IterableIterator<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  get synced(): boolean {
    return this.#synced;
  }

  /** Where a watch goes on. Empty before the first list. */
  get position(): string {
    return this.#position;
  }

  /**
   * Takes the reply to one's own write, and keeps its event from the handlers. Only for writes whose reply holds
   * nothing that the writer has not seen, as those under a resourceVersion: another's change in it would go untold.
   */
  observe(received: T): void {
    const { resourceVersion = '' } = received.metadata;
    // Not newer than what the watch has told: it may have been deleted since, which the watch told too.
    if (compareResourceVersions(resourceVersion, this.#position) <= 0) return;
    const key = storeKey(received);
    const held = this.#objects.get(key);
    if (held !== undefined && compareResourceVersions(resourceVersion, held.metadata.resourceVersion) <= 0) return;
    this.#echoes.add(resourceVersion);
    this.#objects.set(key, this.#receive(received));
    // The one held was deleted before ours could be made; its event will find it gone.
    if (held !== undefined && held.metadata.uid !== received.metadata.uid) this.#notify('deleted', held);
  }

  /** An ADDED or MODIFIED event. */
  put(received: T): void {
    const { resourceVersion = '' } = received.metadata;
    this.#advance(resourceVersion);
    const echo = this.#echoes.delete(resourceVersion);
    const held = this.#objects.get(storeKey(received));
    if (held !== undefined && compareResourceVersions(resourceVersion, held.metadata.resourceVersion) <= 0) {
      // Another's change that we already wrote over: what is held holds it, but nobody was told.
      if (!echo && held.metadata.resourceVersion !== resourceVersion) this.#notify('updated', held, held);
      return;
    }
    if (echo) this.#objects.set(storeKey(received), this.#receive(received));
    else this.#change(received, held);
  }

  /** A DELETED event. */
  remove(received: T): void {
    const { resourceVersion = '' } = received.metadata;
    this.#advance(resourceVersion);
    const key = storeKey(received);
    const held = this.#objects.get(key);
    if (held === undefined) return;
    // We have made it anew since, or brought it back into the selector.
    if (compareResourceVersions(resourceVersion, held.metadata.resourceVersion) < 0) return;
    this.#objects.delete(key);
    this.#notify('deleted', this.#receive(received));
  }

  /** A BOOKMARK event: the watch is at this resourceVersion. */
  mark(resourceVersion: string): void {
    this.#advance(resourceVersion);
    this.#dropEchoes();
  }

  /** Takes a whole list, page by page, then `finish`. What is in no page is gone. */
  relist(resourceVersion: string): { page(items: readonly T[]): void; finish(): void } {
    // Older than where the watch was: etcd was restored from a backup, and versions count anew.
    const rewound = compareResourceVersions(resourceVersion, this.#position) < 0;
    const seen = new Set<string>();
    return {
      page: (items) => {
        for (const item of items) {
          seen.add(storeKey(item));
          this.#listed(item, rewound);
        }
      },
      finish: () => {
        for (const [key, held] of this.#objects) {
          if (seen.has(key)) continue;
          // Made by us after the list.
          if (!rewound && compareResourceVersions(held.metadata.resourceVersion, resourceVersion) > 0) continue;
          this.#objects.delete(key);
          this.#notify('deleted', held);
        }
        this.#position = resourceVersion;
        this.#dropEchoes();
        this.#synced = true;
      },
    };
  }

  #listed(item: T, rewound: boolean): void {
    const held = this.#objects.get(storeKey(item));
    const order = compareResourceVersions(item.metadata.resourceVersion, held?.metadata.resourceVersion);
    if (held === undefined || order > 0 || (rewound && order !== 0)) {
      this.#change(item, held);
    } else if (order === 0 && this.#echoes.delete(held.metadata.resourceVersion ?? '')) {
      // Ours, but the events between were missed, and one may have been another's.
      this.#notify('updated', held, held);
    }
  }

  #change(received: T, held: T | undefined): void {
    const object = this.#receive(received);
    this.#objects.set(storeKey(object), object);
    if (held === undefined) {
      this.#notify('added', object);
    } else if (held.metadata.uid === object.metadata.uid) {
      this.#notify('updated', object, held);
    } else {
      this.#notify('deleted', held);
      this.#notify('added', object);
    }
  }

  #advance(resourceVersion: string): void {
    if (compareResourceVersions(resourceVersion, this.#position) > 0) this.#position = resourceVersion;
  }

  #dropEchoes(): void {
    for (const version of this.#echoes) {
      if (compareResourceVersions(version, this.#position) <= 0) this.#echoes.delete(version);
    }
  }
}
