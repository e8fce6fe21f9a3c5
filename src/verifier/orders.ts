/**
 * The revocations that are not sealed yet, and whom they reach. An order is in force from when it is seen until the status of each ApiToken
 * that it reached says that it was carried out: so it does not matter whether the order's watch or the ApiTokens' is the slower one. One that
 * is first seen when it is sealed counts while its label says that somebody may have missed it. While the ApiTokens are being listed, no order is
 * done with: a page may show one as it was before.
 *
 * Who is reached is found out when an order or an ApiToken changes, so that a verdict costs one look-up whatever orders there are.
 */
import { PENDING_LABEL } from '../api/names.ts';
import { matches, type Order, orderOf, type Reach, type Revocation, reachOf, strikes } from '../domain/revocation.ts';
import type { VersionRecord } from '../domain/seal.ts';
import type { IndexedToken } from './indexed-token.ts';
import type { TokenIndex } from './token-index.ts';

interface Standing {
  order: Order;
  reach: Reach;
  revocation: Revocation;
  /** Reached, and not known to have carried it out. */
  tokens: Map<string, IndexedToken>;
  /** UIDs of those of them that are reached only because the labels of their namespace are not known. */
  guessed: Set<string>;
  /** Sealed or gone: it reaches nobody new. */
  closed: boolean;
}

export interface OrdersOptions {
  index: TokenIndex;
  /** Undefined where they are not known yet. */
  namespaceLabels(namespace: string): Readonly<Record<string, string>> | undefined;
  /** Reads an ApiToken anew into the index, whatever its watch says, or takes it out if it is gone. Rejects where that is not known. */
  refresh(token: IndexedToken): Promise<void>;
  /** Told once for each order, when it is in force here. */
  onForce(revocation: Revocation): void;
}

/** After an order is sealed, how long the watch of ApiTokens is waited for before each of them is read. Milliseconds. */
const LAG = 1000;
/** Orders remembered as done, so that a list that was under way meanwhile does not bring them back. */
const DONE = 10_000;

const EVERYWHERE = '';

export class Orders {
  readonly #options: OrdersOptions;
  readonly #byUID = new Map<string, Standing>();
  /** Open ones, by the namespace that they reach at most. */
  readonly #byNamespace = new Map<string, Map<string, Standing>>();
  /** By UID of an ApiToken. */
  readonly #hits = new Map<string, Set<Standing>>();
  /** By UID, oldest first: sealed or gone, for good. */
  readonly #done = new Set<string>();
  /** Sealed or gone while the ApiTokens are being listed; undefined while they are not. */
  #early: Set<Standing> | undefined;

  constructor(options: OrdersOptions) {
    this.#options = options;
  }

  /** Orders that reach or may yet reach somebody. */
  get size(): number {
    return this.#byUID.size;
  }

  reaches(token: IndexedToken, version: VersionRecord): boolean {
    const hits = this.#hits.get(token.uid);
    if (hits === undefined) return false;
    for (const { order } of hits) if (strikes(order.versions, version)) return true;
    return false;
  }

  /** A revocation as it is now. */
  put(revocation: Revocation): void {
    const { metadata, status } = revocation;
    const { uid, labels } = metadata;
    const sealed = status?.sealed === true;
    const known = this.#byUID.get(uid);
    const counts = !sealed || labels?.[PENDING_LABEL] !== undefined;
    if (known === undefined && !this.#done.has(uid) && counts) {
      this.#stand(revocation, sealed);
    } else if (known && sealed) {
      this.#close(known, LAG);
    }
  }

  /** A revocation that is no more. A finalizer held it until it was sealed. */
  remove(uid: string): void {
    const known = this.#byUID.get(uid);
    if (known) this.#close(known, LAG);
    else this.#forget(uid);
  }

  /** To be told before the ApiTokens are listed, and again when such a list was broken off. */
  indexing(): void {
    this.#early ??= new Set();
  }

  /** To be told when the index holds every ApiToken of such a list. */
  indexed(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const standing of early) this.#close(standing, 0);
  }

  /** To be told of every ApiToken that is put into the index. */
  tokenChanged(token: IndexedToken): void {
    for (const standing of this.#hits.get(token.uid) ?? []) {
      if (token.handledRevocations.includes(standing.order.uid)) this.#release(standing, token);
    }
    for (const place of [token.namespace, EVERYWHERE]) {
      for (const standing of this.#byNamespace.get(place)?.values() ?? []) this.#meet(standing, token);
    }
  }

  tokenGone(token: IndexedToken): void {
    for (const standing of this.#hits.get(token.uid) ?? []) this.#release(standing, token);
  }

  /** Its labels may be others than before. */
  namespaceChanged(namespace: string): void {
    for (const standing of this.#byNamespace.get(EVERYWHERE)?.values() ?? []) {
      for (const token of this.#options.index.inNamespace(namespace)) {
        const isGuess = standing.guessed.delete(token.uid);
        if (!this.#meet(standing, token) && isGuess) this.#release(standing, token);
      }
    }
  }

  #stand(revocation: Revocation, sealed: boolean): void {
    const order = orderOf(revocation);
    const reach = reachOf(revocation);
    const standing: Standing = { order, reach, revocation, tokens: new Map(), guessed: new Set(), closed: false };
    this.#byUID.set(order.uid, standing);
    const place = reach.namespace ?? EVERYWHERE;
    const others = this.#byNamespace.get(place) ?? new Map<string, Standing>();
    this.#byNamespace.set(place, others.set(order.uid, standing));
    for (const token of this.#within(reach)) this.#meet(standing, token);
    if (!sealed || standing.tokens.size > 0) this.#options.onForce(revocation);
    // the ApiTokens were written before it was sealed: there is nothing to wait for
    if (sealed) this.#close(standing, 0);
  }

  #within({ namespace, match }: Reach): Iterable<IndexedToken> {
    const { index } = this.#options;
    if (namespace !== undefined) return index.inNamespace(namespace);
    return match.tokenID === undefined ? index.all() : index.find(match.tokenID);
  }

  /** Whether it is reached, and has yet to carry it out. */
  #meet(standing: Standing, token: IndexedToken): boolean {
    const { order, reach } = standing;
    const reached = !token.handledRevocations.includes(order.uid) && this.#matches(reach, token);
    if (!reached) return false;
    if (reached === 'perhaps') standing.guessed.add(token.uid);
    standing.tokens.set(token.uid, token);
    this.#hits.set(token.uid, (this.#hits.get(token.uid) ?? new Set()).add(standing));
    return true;
  }

  /** A namespace whose labels are not known yet is reached: better a minute too long than an instant too short. */
  #matches(reach: Reach, token: IndexedToken): boolean | 'perhaps' {
    const { namespace, name, tokenID, subject, metadata } = token;
    const target = {
      namespace,
      name,
      tokenID,
      subject,
      environment: token.spec.environment,
      labels: metadata.labels ?? {},
    };
    const labels = this.#options.namespaceLabels(namespace);
    if (labels !== undefined || reach.match.namespaces === undefined) return matches(reach, target, labels);
    const { namespaces: _, ...match } = reach.match;
    return (Object.keys(match).length === 0 || matches({ ...reach, match }, target, labels)) && 'perhaps';
  }

  #close(standing: Standing, lag: number): void {
    if (standing.closed) return;
    if (this.#early !== undefined) {
      this.#early.add(standing);
      return;
    }
    standing.closed = true;
    const place = standing.reach.namespace ?? EVERYWHERE;
    const others = this.#byNamespace.get(place);
    others?.delete(standing.order.uid);
    if (others?.size === 0) this.#byNamespace.delete(place);
    if (standing.tokens.size === 0) this.#forget(standing.order.uid);
    else setTimeout(() => void this.#chase(standing), lag).unref();
  }

  /** What the watch has not shown by now is read, one at a time. What then does not say that it carried the order out, was not meant. */
  async #chase(standing: Standing): Promise<void> {
    for (const token of standing.tokens.values()) {
      try {
        await this.#options.refresh(token);
        this.#release(standing, token);
      } catch {
        // stays in force; tried again
      }
    }
    if (standing.tokens.size > 0) setTimeout(() => void this.#chase(standing), LAG).unref();
  }

  #release(standing: Standing, token: IndexedToken): void {
    standing.tokens.delete(token.uid);
    standing.guessed.delete(token.uid);
    const hits = this.#hits.get(token.uid);
    hits?.delete(standing);
    if (hits?.size === 0) this.#hits.delete(token.uid);
    if (standing.closed && standing.tokens.size === 0) this.#forget(standing.order.uid);
  }

  #forget(uid: string): void {
    this.#byUID.delete(uid);
    this.#done.add(uid);
    if (this.#done.size > DONE) this.#done.delete(this.#done.values().next().value ?? '');
  }
}
