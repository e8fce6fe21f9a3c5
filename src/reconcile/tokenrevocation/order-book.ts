/**
 * Which ApiTokens the revocations reach, and which of them have carried them out: found out when either changes, so that
 * a look at an ApiToken costs little, whatever orders there are.
 */
import type { ApiToken } from '../../api/apitoken.ts';
import { PENDING_LABEL } from '../../api/names.ts';
import type { Seen } from '../../domain/lifecycle/seen.ts';
import {
  matches,
  type Order,
  orderOf,
  type Reach,
  type Revocation,
  reachOf,
  type Target,
} from '../../domain/revocation.ts';
import type { Namespaces } from './proof.ts';
import { keyOf, targetOf } from './target.ts';

/** What the cache knows of an ApiToken. */
export interface KnownToken {
  key: string;
  target: Target;
  handled: readonly string[];
}

export interface Known {
  tokens(): Iterable<KnownToken>;
  namespaces: Pick<Namespaces, 'get'>;
}

/** Whom to look at again. */
export interface OrderListener {
  /** Urgent, for the order's sake. */
  tokenDue(key: string, order: string): void;
  /** Every ApiToken that it matches has carried it out. */
  carriedOut(revocation: string): void;
}

interface Standing {
  /** Of the revocation. */
  key: string;
  order: Order;
  reach: Reach;
  /** ApiTokens that match, and whether each has carried it out. */
  matched: Map<string, boolean>;
  left: number;
}

/** A status that notes one from before these keeps the note until it needs the room. */
const PAST_LIMIT = 10_000;

const NOTHING: Pick<Seen, 'orders' | 'pastOrders'> = { orders: [], pastOrders: new Set() };

export class OrderBook {
  readonly #known: Known;
  /** By UID, oldest first: all that still mean something. */
  readonly #standing = new Map<string, Standing>();
  /** UIDs of those that nobody can hold for pending any more, oldest first. */
  readonly #past = new Set<string>();
  #listener: OrderListener | undefined;

  constructor(known: Known) {
    this.#known = known;
  }

  /** One listener at a time; it is told at once of all that is left to do. Returns how to end it. */
  listen(listener: OrderListener): () => void {
    this.#listener = listener;
    for (const standing of this.#standing.values()) this.#tellUnhandled(standing);
    return () => {
      this.#listener = undefined;
    };
  }

  put(revocation: Revocation): void {
    const order = orderOf(revocation);
    const { uid } = order;
    const isPast = order.sealed && revocation.metadata.labels?.[PENDING_LABEL] === undefined;
    if (isPast) this.#notePast(uid);
    const known = this.#standing.get(uid);
    if (isPast && order.afterwards !== 'Block') this.#standing.delete(uid);
    else if (known) known.order = order;
    else this.#add(keyOf(revocation), order, reachOf(revocation));
  }

  remove({ metadata: { uid } }: Revocation): void {
    const known = this.#standing.get(uid);
    this.#notePast(uid);
    this.#standing.delete(uid);
    // what it blocked may be minted again
    if (known?.order.afterwards === 'Block') for (const key of known.matched.keys()) this.#listener?.tokenDue(key, uid);
  }

  /** Undefined: it is gone. Read only where an order stands. */
  tokenChanged(key: string, read: () => KnownToken | undefined): void {
    if (this.#standing.size === 0) return;
    const token = read();
    for (const standing of this.#standing.values()) this.#meet(standing, key, token);
  }

  /** Its labels may be others than before. */
  namespaceChanged(namespace: string): void {
    const selecting = [...this.#standing.values()].filter(({ reach }) => reach.match.namespaces !== undefined);
    if (selecting.length === 0) return;
    for (const token of this.#known.tokens()) {
      if (token.target.namespace !== namespace) continue;
      for (const standing of selecting) this.#meet(standing, token.key, token);
    }
  }

  /** For an ApiToken as read live. */
  of(token: ApiToken): Pick<Seen, 'orders' | 'pastOrders'> {
    const handled = token.status?.handledRevocations ?? [];
    if (this.#standing.size === 0 && handled.length === 0) return NOTHING;
    const target = targetOf(token);
    const reaching = [...this.#standing.values()].filter(({ reach }) => this.#reaches(reach, target));
    return {
      orders: reaching.map(({ order }) => order),
      pastOrders: new Set(handled.filter((uid) => this.#past.has(uid))),
    };
  }

  /** How many ApiTokens match, and how many of them have yet to carry it out. */
  progress(uid: string): { matched: number; left: number } {
    const standing = this.#standing.get(uid);
    return { matched: standing?.matched.size ?? 0, left: standing?.left ?? 0 };
  }

  #notePast(uid: string): void {
    this.#past.add(uid);
    const [oldest] = this.#past;
    if (this.#past.size > PAST_LIMIT && oldest !== undefined) this.#past.delete(oldest);
  }

  #add(key: string, order: Order, reach: Reach): void {
    const standing: Standing = { key, order, reach, matched: new Map(), left: 0 };
    this.#standing.set(order.uid, standing);
    for (const { key: tokenKey, target, handled } of this.#known.tokens()) {
      if (this.#reaches(reach, target)) note(standing, tokenKey, handled.includes(order.uid));
    }
    this.#tellUnhandled(standing);
  }

  #meet(standing: Standing, key: string, token: KnownToken | undefined): void {
    const { order, reach, matched, left } = standing;
    const before = matched.get(key);
    const isReached = token !== undefined && this.#reaches(reach, token.target);
    const handled = isReached ? token.handled.includes(order.uid) : undefined;
    if (handled === before) return;
    note(standing, key, handled);
    const isNews = before === undefined || handled === undefined;
    if (isMeant(order) && (handled === false || (isNews && order.afterwards === 'Block')))
      this.#listener?.tokenDue(key, order.uid);
    if (left > 0 && standing.left === 0) this.#listener?.carriedOut(standing.key);
  }

  #tellUnhandled({ order, matched }: Standing): void {
    if (!isMeant(order)) return;
    for (const [key, handled] of matched) if (!handled) this.#listener?.tokenDue(key, order.uid);
  }

  #reaches(reach: Reach, target: Target): boolean {
    return matches(reach, target, this.#known.namespaces.get(target.namespace));
  }
}

/** Whether it strikes what comes to match now. */
function isMeant({ sealed, afterwards }: Order): boolean {
  return !sealed || afterwards === 'Block';
}

function note(standing: Standing, key: string, handled: boolean | undefined): void {
  const { matched } = standing;
  if (matched.get(key) === false) standing.left -= 1;
  if (handled === undefined) matched.delete(key);
  else matched.set(key, handled);
  if (handled === false) standing.left += 1;
}
