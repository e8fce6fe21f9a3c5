import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import { OrderBook } from '../../../src/reconcile/tokenrevocation/order-book.ts';
import { targetOf } from '../../../src/reconcile/tokenrevocation/target.ts';
import { type Change, PENDING, revocation, token } from './samples.ts';

const BLOCK: Change = { spec: { afterwards: 'Block' } };
const SEALED: Change = { metadata: { labels: PENDING }, status: { sealed: true } };
const PAST: Change = { status: { sealed: true } };

let tokens: Map<string, ApiToken>;
let namespaces: Map<string, Record<string, string>>;
let book: OrderBook;
/** `<token> for <order>`, or `<revocation> is carried out`. */
let told: string[];

beforeEach(() => {
  tokens = new Map();
  namespaces = new Map([['support', {}]]);
  told = [];
  book = new OrderBook({ tokens: () => [...tokens.values()].map(known), namespaces });
});

const known = (one: ApiToken) => ({
  key: keyOf(one),
  target: targetOf(one),
  handled: one.status?.handledRevocations ?? [],
});
const keyOf = ({ metadata }: ApiToken) => `${metadata.namespace}/${metadata.name}`;

function listen(): () => void {
  return book.listen({
    tokenDue: (key, order) => told.push(`${key} for ${order}`),
    carriedOut: (key) => told.push(`${key} is carried out`),
  });
}

function put(...changed: ApiToken[]): void {
  for (const one of changed) {
    tokens.set(keyOf(one), one);
    book.tokenChanged(keyOf(one), () => known(one));
  }
}

function gone(key: string): void {
  tokens.delete(key);
  book.tokenChanged(key, () => undefined);
}

const ordersOf = (one: ApiToken) => book.of(one).orders.map(({ uid }) => uid);

describe('a new order', () => {
  it('has whom it matches looked at, and no others', () => {
    put(token('support/a'), token('support/b'), token('sales/a'));
    listen();
    book.put(revocation('support/leak', { spec: { match: { name: 'a' } } }));
    expect(told).toEqual(['support/a for uid-support/leak']);
    expect(book.progress('uid-support/leak')).toEqual({ matched: 1, left: 1 });
  });

  it('is told of once, however often it is seen again', () => {
    put(token('support/a'));
    listen();
    for (let i = 0; i < 3; i += 1) book.put(revocation('support/leak'));
    expect(told).toHaveLength(1);
  });

  it('that was there before anybody listened is told of then', () => {
    book.put(revocation('support/leak'));
    put(token('support/a'), token('support/b', { handled: ['uid-support/leak'] }));
    listen();
    expect(told).toEqual(['support/a for uid-support/leak']);
  });

  it('is told of no more when nobody listens', () => {
    listen()();
    put(token('support/a'));
    book.put(revocation('support/leak'));
    expect(told).toEqual([]);
  });
});

describe('an order is carried out', () => {
  it('when the last ApiToken says so', () => {
    put(token('support/a'), token('support/b'));
    book.put(revocation('support/leak'));
    listen();
    told.length = 0;
    put(token('support/a', { handled: ['uid-support/leak'] }));
    expect(told).toEqual([]);
    put(token('support/b', { handled: ['uid-support/leak'] }));
    expect(told).toEqual(['support/leak is carried out']);
    expect(book.progress('uid-support/leak')).toEqual({ matched: 2, left: 0 });
  });

  it('when the last one is gone, or matches no more', () => {
    put(token('support/a', { labels: { team: 'x' } }), token('support/b', { labels: { team: 'x' } }));
    book.put(revocation('support/leak', { spec: { match: { tokens: { matchLabels: { team: 'x' } } } } }));
    listen();
    told.length = 0;
    gone('support/a');
    put(token('support/b', { labels: { team: 'y' } }));
    expect(told).toEqual(['support/leak is carried out']);
    expect(book.progress('uid-support/leak')).toEqual({ matched: 0, left: 0 });
  });

  it('by who comes to match before it is sealed, too', () => {
    book.put(revocation('support/leak'));
    listen();
    put(token('support/a'));
    expect(told).toEqual(['support/a for uid-support/leak']);
  });

  it('by nobody who comes to match after it is sealed', () => {
    book.put(revocation('support/leak', SEALED));
    listen();
    put(token('support/a'));
    expect(told).toEqual([]);
    expect(book.of(token('support/a')).orders).toMatchObject([{ sealed: true }]);
  });

  it('under Block by who comes to match at any time', () => {
    book.put(revocation('support/leak', { ...PAST, ...BLOCK }));
    listen();
    put(token('support/a'));
    expect(told).toEqual(['support/a for uid-support/leak']);
    expect(ordersOf(token('support/a'))).toEqual(['uid-support/leak']);
  });
});

describe('what is past', () => {
  it('is known for past, and asks nothing', () => {
    const handled = token('support/a', { handled: ['uid-support/leak', 'uid-support/other'] });
    book.put(revocation('support/leak'));
    expect(book.of(handled)).toMatchObject({ orders: [{ uid: 'uid-support/leak' }], pastOrders: new Set() });
    book.put(revocation('support/leak', SEALED));
    expect(book.of(handled).pastOrders).toEqual(new Set());
    book.put(revocation('support/leak', PAST));
    expect(book.of(handled)).toEqual({ orders: [], pastOrders: new Set(['uid-support/leak']) });
  });

  it('stays past when it is deleted', () => {
    const uid = 'uid-support/leak';
    book.put(revocation('support/leak', SEALED));
    book.remove(revocation('support/leak', SEALED));
    expect(book.of(token('support/a', { handled: [uid] }))).toEqual({ orders: [], pastOrders: new Set([uid]) });
  });
});

describe('a Block that is deleted', () => {
  it('has whom it blocked looked at', () => {
    put(token('support/a'), token('support/b'));
    book.put(revocation('support/leak', { ...PAST, spec: { afterwards: 'Block', match: { name: 'a' } } }));
    listen();
    told.length = 0;
    book.remove(revocation('support/leak'));
    expect(told).toEqual(['support/a for uid-support/leak']);
    expect(ordersOf(token('support/a'))).toEqual([]);
  });
});

describe('labels of a namespace', () => {
  const byTier: Change = { spec: { match: { namespaces: { matchLabels: { tier: 'prod' } } } } };

  it('bring its ApiTokens under an order, and out of it', () => {
    put(token('support/a'), token('sales/a'));
    book.put(revocation('tier', byTier));
    listen();
    expect(told).toEqual([]);
    namespaces.set('support', { tier: 'prod' });
    book.namespaceChanged('support');
    expect(told).toEqual(['support/a for uid-tier']);
    expect(ordersOf(token('support/a'))).toEqual(['uid-tier']);
    expect(ordersOf(token('sales/a'))).toEqual([]);
    namespaces.set('support', {});
    book.namespaceChanged('support');
    expect(told.at(-1)).toBe('tier is carried out');
  });

  it('that are not known select nothing', () => {
    book.put(
      revocation('tier', {
        spec: { match: { namespaces: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] } } },
      }),
    );
    expect(ordersOf(token('unknown/a'))).toEqual([]);
    expect(ordersOf(token('support/a'))).toEqual(['uid-tier']);
  });
});

it('reads no ApiToken where no order stands', () => {
  book.tokenChanged('support/a', () => {
    throw new Error('read');
  });
  book.put(revocation('support/leak', PAST));
  book.tokenChanged('support/a', () => {
    throw new Error('read');
  });
});

it('lists orders in the order in which they came', () => {
  for (const name of ['support/z', 'wide', 'support/a']) book.put(revocation(name));
  book.put(revocation('support/z', SEALED));
  expect(ordersOf(token('support/a'))).toEqual(['uid-support/z', 'uid-wide', 'uid-support/a']);
});
