/** What the revocations that match an ApiToken ask of it now. Pure. */
import { type Order, strikes } from '../revocation.ts';
import type { Seen, TokenStatus } from './seen.ts';

/** Status keeps at most this many. */
export const MAX_HANDLED = 16;

/** What is to be carried out now, in one write. */
export function dueOrders(seen: Seen): readonly Order[] {
  const unhandled = unhandledOrders(seen).slice(0, MAX_HANDLED - mustKeep(seen).length);
  const again = seen.status.versions.length > 0 ? seen.orders.filter((order) => order.afterwards === 'Block') : [];
  return [...new Set([...unhandled, ...again])];
}

export function unhandledOrders(seen: Seen): readonly Order[] {
  const handled = believed(seen);
  return seen.orders.filter((order) => !order.sealed && !handled.includes(order.uid));
}

/** While it stands, nothing is minted. */
export function blockOf(seen: Seen): Order | undefined {
  return seen.orders.find((order) => order.afterwards === 'Block');
}

/** Each version that these orders end, with the first of them that does. */
export function struckBy(seen: Seen, orders: readonly Order[]): { version: number; order: Order }[] {
  return seen.status.versions.flatMap((record) => {
    // what no public key confirms is dropped by any write: none of it can be told from what the order means
    const order = orders.find(({ versions }) => seen.sealState === 'broken' || strikes(versions, record));
    return order ? [{ version: record.version, order }] : [];
  });
}

/** The handled revocations as they stand once these are carried out. A verifier may hold any unsealed one against the token. */
export function handledWith(seen: Seen, orders: readonly Order[]): string[] {
  const carriedOut = orders.filter((order) => !order.sealed).map((order) => order.uid);
  const all = new Set([...mustKeep(seen), ...carriedOut, ...believed(seen)]);
  return [...all].filter((uid) => !seen.pastOrders.has(uid)).slice(0, MAX_HANDLED);
}

/** Done with any write of status, never a reason for one. */
export function withoutPast(status: TokenStatus, past: ReadonlySet<string>): TokenStatus {
  const handledRevocations = status.handledRevocations.filter((uid) => !past.has(uid));
  return handledRevocations.length < status.handledRevocations.length ? { ...status, handledRevocations } : status;
}

/** A status that no public key confirms says nothing of what was carried out. */
function believed(seen: Seen): readonly string[] {
  return seen.sealState === 'broken' ? [] : seen.status.handledRevocations;
}

function mustKeep(seen: Seen): readonly string[] {
  return believed(seen).filter((uid) => seen.orders.some((order) => order.uid === uid && !order.sealed));
}
