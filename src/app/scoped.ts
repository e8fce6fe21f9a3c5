/** One kind, watched in the whole cluster or in some namespaces: a reflector for each, and one answer. */
import type { Reflector } from '../kube/reflector.ts';
import type { KubeObject } from '../ports.ts';

const EVERYWHERE = '';

export class Scoped<T extends KubeObject> {
  /** By namespace. */
  readonly #reflectors: ReadonlyMap<string, Reflector<T>>;

  /** @param namespaces empty: all */
  constructor(namespaces: readonly string[], open: (scope: { namespace?: string }) => Reflector<T>) {
    const scopes = namespaces.length > 0 ? namespaces.map((namespace) => ({ namespace })) : [{ namespace: EVERYWHERE }];
    this.#reflectors = new Map(
      scopes.map(({ namespace }) => [namespace, open(namespace === EVERYWHERE ? {} : { namespace })]),
    );
  }

  get reflectors(): Reflector<T>[] {
    return [...this.#reflectors.values()];
  }

  /** @param key `<namespace>/<name>` */
  get(key: string): T | undefined {
    return this.#of(key.slice(0, key.indexOf('/')))?.get(key);
  }

  *list(): IterableIterator<T> {
    for (const reflector of this.#reflectors.values()) yield* reflector.list();
  }

  /** By none but its own: another would keep it for ever, since it is told of no change. */
  observe(object: T): void {
    this.#of(object.metadata.namespace ?? EVERYWHERE)?.observe(object);
  }

  #of(namespace: string): Reflector<T> | undefined {
    return this.#reflectors.get(namespace) ?? this.#reflectors.get(EVERYWHERE);
  }
}
