/** ApiTokens by token id and by namespace. Ids are an index, never proof of identity: several ApiTokens may share one. */
import type { IndexedToken } from './indexed-token.ts';

const NONE: readonly IndexedToken[] = Object.freeze([]);

export class TokenIndex {
  readonly #byID = new Map<string, IndexedToken | readonly IndexedToken[]>();
  /** By namespace, then by UID. */
  readonly #byNamespace = new Map<string, Map<string, IndexedToken>>();
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
    return this.#byNamespace.get(namespace)?.values() ?? NONE;
  }

  *all(): Generator<IndexedToken> {
    for (const tokens of this.#byNamespace.values()) yield* tokens.values();
  }

  /** Takes a newer state of an ApiToken. */
  put(token: IndexedToken): void {
    const others = this.find(token.tokenID);
    const held = others.find(({ uid }) => uid === token.uid);
    if (held === token) return;
    if (held === undefined) this.#size += 1;
    else token.follow(held);
    this.#set(token.tokenID, [...others.filter((one) => one !== held), token]);
    const neighbours = this.#byNamespace.get(token.namespace) ?? new Map<string, IndexedToken>();
    this.#byNamespace.set(token.namespace, neighbours.set(token.uid, token));
  }

  remove(token: IndexedToken): void {
    const others = this.find(token.tokenID);
    const left = others.filter(({ uid }) => uid !== token.uid);
    this.#size -= others.length - left.length;
    this.#set(token.tokenID, left);
    const neighbours = this.#byNamespace.get(token.namespace);
    neighbours?.delete(token.uid);
    if (neighbours?.size === 0) this.#byNamespace.delete(token.namespace);
  }

  #set(id: string, tokens: readonly IndexedToken[]): void {
    const [only, ...more] = tokens;
    if (only === undefined) this.#byID.delete(id);
    else this.#byID.set(id, more.length === 0 ? only : tokens);
  }
}
