/** As much of a cluster as the verifier's watches need, with watches that can be held back. */
import type { ApiServerClient, ListWatch, Page, ReadOptions, WatchEvent, WatchOptions } from '../../src/kube/client.ts';
import { KubeError, type KubeObject, type ListOptions, type ObjectKey, type ResourceType } from '../../src/ports.ts';

type Told = WatchEvent<KubeObject>;

export class LateCluster implements ListWatch {
  /** Plurals whose watches tell nothing for now. */
  readonly late = new Set<string>();
  /** Each list of a kind, in their order. */
  readonly listed: string[] = [];
  /** Lists of this plural wait until it resolves. */
  readonly gates = new Map<string, Promise<void>>();
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watches = new Map<string, (event: Told) => void>();
  readonly #expiries = new Map<string, () => void>();
  readonly #untold = new Map<string, Told[]>();
  #version = 100;

  get client(): ApiServerClient {
    return this as unknown as ApiServerClient;
  }

  put(plural: string, given: KubeObject): void {
    this.#version += 1;
    const object = { ...given, metadata: { ...given.metadata, resourceVersion: String(this.#version) } };
    const known = this.#of(plural).has(keyOf(object.metadata));
    this.#of(plural).set(keyOf(object.metadata), object);
    this.#tell(plural, { type: known ? 'MODIFIED' : 'ADDED', object });
  }

  remove(plural: string, key: ObjectKey): void {
    const held = this.#of(plural).get(keyOf(key));
    if (held === undefined) return;
    this.#version += 1;
    this.#of(plural).delete(keyOf(key));
    this.#tell(plural, {
      type: 'DELETED',
      object: { ...held, metadata: { ...held.metadata, resourceVersion: String(this.#version) } },
    });
  }

  /** The watches of this kind tell all that they held back. */
  catchUp(plural: string): void {
    this.late.delete(plural);
    for (const event of this.#untold.get(plural)?.splice(0) ?? []) this.#watches.get(plural)?.(event);
  }

  /** Ends the watch of this kind with 410 Gone. */
  expire(plural: string): void {
    this.#expiries.get(plural)?.();
  }

  async get<T extends KubeObject>({ plural }: ResourceType<T>, key: ObjectKey): Promise<T> {
    const found = this.#of(plural).get(keyOf(key));
    if (found) return structuredClone(found) as T;
    throw new KubeError({ reason: 'NotFound', status: 404, transient: false, message: 'not found' });
  }

  listFromCache<T extends KubeObject>(type: ResourceType<T>, options: ListOptions): Promise<T[]> {
    return this.list(type, options);
  }

  async list<T extends KubeObject>({ plural }: ResourceType<T>, options: ListOptions = {}): Promise<T[]> {
    const [label, value] = options.labelSelector?.split('=') ?? [];
    const [, tokenID] = options.fieldSelector?.split('=') ?? [];
    const items = [...this.#of(plural).values()].filter(
      (object) =>
        (label === undefined || object.metadata.labels?.[label] === value) &&
        (tokenID === undefined || (object as { status?: { tokenID?: string } }).status?.tokenID === tokenID),
    );
    return structuredClone(items) as T[];
  }

  async listPage<T extends KubeObject>(type: ResourceType<T>, _options?: ReadOptions): Promise<Page<T>> {
    this.listed.push(type.plural);
    const page = { items: await this.list(type), resourceVersion: String(this.#version), next: undefined };
    await this.gates.get(type.plural);
    return page;
  }

  watch<T extends KubeObject>(
    type: ResourceType<T>,
    { signal }: WatchOptions,
    onEvent: (event: WatchEvent<T>) => void,
  ) {
    this.#watches.set(type.plural, onEvent as (event: Told) => void);
    return new Promise<void>((resolve, reject) => {
      signal?.addEventListener('abort', () => resolve());
      const gone = new KubeError({ reason: 'Gone', status: 410, transient: false, message: 'gone' });
      this.#expiries.set(type.plural, () => reject(gone));
    });
  }

  #of(plural: string): Map<string, KubeObject> {
    const known = this.#objects.get(plural) ?? new Map<string, KubeObject>();
    this.#objects.set(plural, known);
    return known;
  }

  #tell(plural: string, event: Told): void {
    const untold = this.#untold.get(plural) ?? [];
    this.#untold.set(plural, untold);
    if (this.late.has(plural)) untold.push(event);
    else this.#watches.get(plural)?.(structuredClone(event));
  }
}

function keyOf({ namespace, name }: ObjectKey): string {
  return `${namespace ?? ''}/${name}`;
}
