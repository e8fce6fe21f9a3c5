/** ApiTokens by token id and by namespace. Ids are an index, never proof of identity: several ApiTokens may share one. */
import type { IndexedToken } from './indexed-token.ts';

const NONE: readonly IndexedToken[] = Object.freeze([]);

export class TokenIndex {
  readonly #byID = new Map<string, IndexedToken | readonly IndexedToken[]>();
  readonly #byNamespace = new Map<string, Set<IndexedToken>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(id: string): readonly IndexedToken[] {
    const found = this.#byID.get(id);
    if (found === undefined) return NONE;
    return Array.isArray(found) ? found : [found as IndexedToken];
  }

  inNamespace(namespace: string): Iterable<IndexedToken> {
    return this.#byNamespace.get(namespace) ?? NONE;
  }

  *all(): Generator<IndexedToken> {
    for (const tokens of this.#byNamespace.values()) yield* tokens;
  }

  /** Takes a newer state of an ApiToken. */
  put(token: IndexedToken): void {
    const others = this.find(token.tokenID);
    const held = others.find(({ uid }) => uid === token.uid);
    if (held === token) return;
    if (held === undefined) this.#size += 1;
    else token.follow(held);
    this.#set(token.tokenID, [...others.filter((one) => one !== held), token]);
    const neighbours = this.#byNamespace.get(token.namespace) ?? new Set();
    if (held) neighbours.delete(held);
    this.#byNamespace.set(token.namespace, neighbours.add(token));
  }

  remove(token: IndexedToken): void {
    const others = this.find(token.tokenID);
    const held = others.find(({ uid }) => uid === token.uid);
    if (held === undefined) return;
    this.#size -= 1;
    this.#set(
      token.tokenID,
      others.filter((one) => one !== held),
    );
    const neighbours = this.#byNamespace.get(token.namespace);
    neighbours?.delete(held);
    if (neighbours?.size === 0) this.#byNamespace.delete(token.namespace);
  }

  #set(id: string, tokens: readonly IndexedToken[]): void {
    const [only, ...more] = tokens;
    if (only === undefined) this.#byID.delete(id);
    else this.#byID.set(id, more.length === 0 ? only : tokens);
  }
}
