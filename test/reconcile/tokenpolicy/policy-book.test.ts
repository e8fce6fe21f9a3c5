import { beforeEach, describe, expect, it } from 'vitest';
import type { ApiToken } from '../../../src/api/apitoken.ts';
import { compliant } from '../../../src/domain/lifecycle/describe.ts';
import { PolicyBook } from '../../../src/reconcile/tokenpolicy/policy-book.ts';
import { IN_PROD, policy, token } from './samples.ts';

const SHORT = { bounds: { ttl: { max: '1h' } } };

let namespaces: Map<string, Record<string, string>>;
let keys: string[];
let due: string[];
let changed: string[];
let book: PolicyBook;

function bookFor(governed: string[] = []): PolicyBook {
  const made = new PolicyBook({ namespaces, governed, tokenKeys: () => keys });
  made.listen({
    tokensDue: (isConcerned) => due.push(...[...namespaces.keys()].filter(isConcerned)),
    countsChanged: (name) => changed.push(name),
  });
  return made;
}

beforeEach(() => {
  namespaces = new Map([
    ['shop', { tier: 'prod' }],
    ['lab', { tier: 'test' }],
  ]);
  keys = [];
  due = [];
  changed = [];
  book = bookFor();
});

const judge = (key: string, spec = {}, defaultPolicy: 'Allow' | 'Deny' = 'Deny') => {
  keys.push(key);
  return book.judge(token(key, spec), { now: 1_800_000_000, defaultPolicy });
};

describe('an ApiToken', () => {
  it('is judged by the policies of its namespace', () => {
    book.put(policy('prod', { match: IN_PROD, ...SHORT }));
    expect(judge('shop/a')).toMatchObject({ allows: false, reason: 'PolicyViolated' });
    expect(judge('shop/a', { ttl: '1h' })).toMatchObject({ allows: true });
    expect(judge('lab/a')).toMatchObject({ allows: false, reason: 'NoPolicy' });
    expect(judge('lab/a', {}, 'Allow')).toMatchObject({ allows: true });
  });

  it('is judged anew by what has changed', () => {
    book.put(policy('prod', SHORT));
    expect(judge('shop/a').allows).toBe(false);
    book.put(policy('prod', {}, { generation: 2 }));
    expect(judge('shop/a').allows).toBe(true);
    book.remove(policy('prod'));
    expect(judge('shop/a').reason).toBe('NoPolicy');
  });

  it('of a namespace that is not known yet gets nothing', () => {
    book.put(policy('prod', { match: IN_PROD }));
    expect(judge('fresh/a').reason).toBe('PolicyBroken');
    namespaces.set('fresh', { tier: 'prod' });
    book.namespaceChanged('fresh');
    expect(judge('fresh/a').allows).toBe(true);
  });
});

describe('those to be judged again are', () => {
  it('all of the namespaces that a policy matches', () => {
    book.put(policy('prod', { match: IN_PROD }));
    expect(due).toEqual(['shop']);
  });

  it('those that it matched before, too', () => {
    book.put(policy('prod', { match: IN_PROD }));
    due = [];
    book.put(policy('prod', { match: { namespaces: { matchLabels: { tier: 'test' } } } }, { generation: 2 }));
    expect(due).toEqual(['shop', 'lab']);
  });

  it('nobody where only the status of a policy changed', () => {
    book.put(policy('prod'));
    due = [];
    book.put(policy('prod', {}, { resourceVersion: '2' }));
    expect(due).toEqual([]);
  });

  it('all whom it matched, where it is gone or made anew', () => {
    book.put(policy('prod', { match: IN_PROD }));
    due = [];
    book.remove(policy('prod'));
    book.put(policy('prod', { match: IN_PROD }, { uid: 'another' }));
    expect(due).toEqual(['shop', 'shop']);
  });

  it('those of a namespace whose labels changed after the last policy was gone, which it may have matched', () => {
    book.put(policy('prod', { match: IN_PROD }));
    book.remove(policy('prod'));
    due = [];
    book.namespaceChanged('shop');
    expect(due).toEqual(['shop']);
  });

  it('those of a namespace whose labels changed', () => {
    book.put(policy('prod', { match: IN_PROD }));
    due = [];
    namespaces.set('lab', { tier: 'prod' });
    book.namespaceChanged('lab');
    expect(due).toEqual(['lab']);
  });
});

describe('an ApiToken from a list is to be looked at again', () => {
  const NOW = { now: 1_800_000_000, defaultPolicy: 'Deny' as const };
  /** As a look would leave it that judges by the policies known now. */
  const lookedAt = (key: string): ApiToken => {
    const read = token(key);
    const condition = { ...compliant(book.judge(read, NOW)), lastTransitionTime: '2026-11-23T12:00:00Z' };
    return { ...read, status: { conditions: [{ ...condition, observedGeneration: 1 }] } };
  };
  const narrow = (max: string, generation = 2, mode: 'Enforce' | 'Audit' = 'Enforce') =>
    book.put(policy('prod', { bounds: { ttl: { max } }, mode }, { generation }));

  it('never where the policies say the same of it', () => {
    narrow('24h', 1);
    const listed = lookedAt('shop/a');
    narrow('25h');
    expect(book.isNews(listed, NOW)).toBe(false);
  });

  it('where they do not allow it any more, or allow it again', () => {
    narrow('24h', 1);
    const allowed = lookedAt('shop/a');
    narrow('1h');
    expect(book.isNews(allowed, NOW)).toBe(true);
    const forbidden = lookedAt('shop/a');
    expect(book.isNews(forbidden, NOW)).toBe(false);
    narrow('24h', 3);
    expect(book.isNews(forbidden, NOW)).toBe(true);
  });

  it.each(['Enforce', 'Audit'] as const)('where another sentence says why, of one in mode %s', (mode) => {
    book.put(policy('wide'));
    narrow('1h', 1, mode);
    const listed = lookedAt('shop/a');
    expect(book.isNews(listed, NOW)).toBe(false);
    narrow('2h', 2, mode);
    expect(book.isNews(listed, NOW)).toBe(true);
  });

  it('where no policy is left that matches', () => {
    narrow('24h', 1);
    const listed = lookedAt('shop/a');
    book.remove(policy('prod'));
    expect(book.isNews(listed, NOW)).toBe(true);
    expect(book.isNews(lookedAt('shop/a'), NOW)).toBe(false);
  });

  it('where a look under way may be about to write what was judged before', () => {
    narrow('24h', 1);
    const listed = lookedAt('shop/a');
    narrow('1h');
    book.judge(listed, NOW); // by a look that writes after the list
    narrow('24h', 3);
    expect(book.isNews(listed, NOW)).toBe(true);
    expect(book.isNews(listed, NOW)).toBe(false);
  });

  it('where it was never judged: its deletion may be known already, and it is counted', () => {
    narrow('24h', 1);
    const listed = lookedAt('shop/a');
    book.forget('shop/a');
    expect(book.isNews(listed, NOW)).toBe(true);
  });

  it('where its status does not say anything yet', () => {
    narrow('24h', 1);
    book.judge(token('shop/a'), NOW);
    expect(book.isNews(token('shop/a'), NOW)).toBe(true);
  });

  it('and is counted', () => {
    narrow('24h', 1);
    const listed = lookedAt('shop/a');
    narrow('1h');
    book.isNews(listed, NOW);
    expect(book.countsOf('prod')).toMatchObject({ tokens: 1, violating: 1 });
  });
});

describe('the counts of a policy', () => {
  const counts = (name = 'prod') => {
    const { tokens, violating, byNamespace, isWhole } = book.countsOf(name) ?? {};
    return [tokens, violating, Object.fromEntries(byNamespace ?? []), isWhole];
  };

  it('are of whom it governs and who violates it, by namespace', () => {
    book.put(policy('prod', SHORT));
    judge('shop/a');
    judge('shop/b');
    judge('lab/a');
    judge('lab/b', { ttl: '1h' });
    expect(counts()).toEqual([4, 3, { shop: 2, lab: 1 }, true]);
  });

  it('count those that a policy in mode Audit reports', () => {
    book.put(policy('prod', { ...SHORT, mode: 'Audit' }));
    expect(judge('shop/a', {}, 'Allow').allows).toBe(true);
    expect(counts()).toEqual([1, 1, { shop: 1 }, true]);
  });

  it('follow what is judged anew, and what is gone', () => {
    book.put(policy('prod', SHORT));
    judge('shop/a');
    judge('shop/b');
    expect(changed).toEqual(['prod', 'prod']);
    changed = [];
    judge('shop/a');
    expect(changed).toEqual([]);
    judge('shop/a', { ttl: '1h' });
    expect(counts()).toEqual([2, 1, { shop: 1 }, true]);
    book.forget('shop/b');
    expect(counts()).toEqual([1, 0, {}, true]);
    expect(changed).toEqual(['prod', 'prod']);
  });

  it('are not known before every ApiToken was judged once', () => {
    book.put(policy('prod'));
    keys = ['shop/a', 'shop/b'];
    judge('shop/a');
    expect(book.countsOf('prod')).toBeUndefined();
    judge('shop/b');
    expect(book.countsOf('prod')?.tokens).toBe(2);
    keys.push('shop/late');
    expect(book.countsOf('prod')?.tokens).toBe(2);
  });

  it.each([
    ['matches none but namespaces that are governed here', IN_PROD, true],
    ['matches others too', { everything: true as const }, false],
    ['matches none', { namespaces: { matchLabels: { tier: 'none' } } }, false],
  ])('are whole where the policy %s: %j %s', (_, match, isWhole) => {
    book = bookFor(['shop']);
    book.put(policy('prod', { match }));
    expect(book.countsOf('prod')?.isWhole).toBe(isWhole);
  });
});

it('says what is wrong with a policy', () => {
  book.put(policy('whole'));
  book.put(policy('broken', { allow: { scopes: ['a*b'] } }));
  expect([book.problemOf('whole'), book.problemOf('broken')]).toEqual([undefined, expect.stringContaining('a*b')]);
});
