import { beforeEach, describe, expect, it } from 'vitest';
import type { TokenID } from '../../src/domain/value.ts';
import { IndexedToken, Share } from '../../src/verifier/indexed-token.ts';
import { TokenIndex } from '../../src/verifier/token-index.ts';
import { apiToken, indexed, KEY, Seals, type Wanted } from './tokens.ts';

const SAME = 'SameSame' as TokenID;

/** Two UIDs with one id are not to be had: 62^8 of them would have to be tried. */
class Colliding extends IndexedToken {
  override readonly tokenID = SAME;
}
const colliding = (wanted: Wanted) =>
  new Colliding(apiToken({ ...wanted, tokenID: SAME }), new Seals(KEY), new Share());

let index: TokenIndex;
beforeEach(() => {
  index = new TokenIndex();
});

const uids = (tokens: Iterable<IndexedToken>) => [...tokens].map(({ uid }) => uid).sort();

describe('the index', () => {
  it('finds an ApiToken by its token id, and nothing by another', () => {
    const token = indexed();
    index.put(token);
    expect([index.find(token.tokenID), index.find('00000000'), index.size]).toEqual([[token], [], 1]);
  });

  it.each(['constructor', '__proto__', 'toString', ''])('finds nothing by the id %j', (id) => {
    index.put(indexed());
    expect(index.find(id)).toEqual([]);
  });

  it('holds the newest state only', () => {
    const [older, newer] = [indexed({ sequence: 1 }), indexed({ sequence: 2 })];
    index.put(older);
    index.put(newer);
    expect([index.find(newer.tokenID), uids(index.all()), index.size]).toEqual([[newer], ['uid-1'], 1]);
  });

  it('remembers how far a status had come, when an older one is put', () => {
    const newer = indexed({ sequence: 18 });
    index.put(newer);
    const older = indexed({ sequence: 17 });
    index.put(older);
    expect([newer.isSealed(), older.isSealed()]).toEqual([true, false]);
  });

  it('is not put off by the same state, put twice', () => {
    const token = indexed();
    index.put(token);
    index.put(token);
    expect([uids(index.all()), index.size, token.isSealed()]).toEqual([['uid-1'], 1, true]);
  });

  it('takes an ApiToken of the same name, made anew, for another one', () => {
    const [old, recreated] = [indexed({ uid: 'old', sequence: 40 }), indexed({ uid: 'new', sequence: 1 })];
    index.put(old);
    index.put(recreated);
    index.remove(old);
    expect([index.find(old.tokenID), uids(index.inNamespace('support')), recreated.isSealed()]).toEqual([
      [],
      ['new'],
      true,
    ]);
  });

  it('finds the ApiTokens of a namespace, and of no other', () => {
    for (const [uid, namespace] of [
      ['a', 'one'],
      ['b', 'one'],
      ['c', 'one-b'],
    ] as const)
      index.put(indexed({ uid, namespace }));
    expect(['one', 'one-b', 'on', ''].map((namespace) => uids(index.inNamespace(namespace)))).toEqual([
      ['a', 'b'],
      ['c'],
      [],
      [],
    ]);
    expect(uids(index.all())).toEqual(['a', 'b', 'c']);
  });

  it('forgets what is gone, by its UID and whatever its state', () => {
    index.put(indexed({ sequence: 2 }));
    index.remove(indexed({ sequence: 1 }));
    index.remove(indexed({ sequence: 1 }));
    expect([uids(index.all()), uids(index.inNamespace('support')), index.size]).toEqual([[], [], 0]);
  });

  it('forgets nobody when one that it does not know is gone', () => {
    index.put(indexed());
    index.remove(indexed({ uid: 'other' }));
    expect([uids(index.all()), index.size]).toEqual([['uid-1'], 1]);
  });
});

describe('two ApiTokens with one token id', () => {
  it('are both found', () => {
    index.put(colliding({ uid: 'a' }));
    index.put(colliding({ uid: 'b' }));
    expect([uids(index.find('SameSame')), index.size]).toEqual([['a', 'b'], 2]);
  });

  it('are renewed apart', () => {
    const [a, b, newer] = [colliding({ uid: 'a' }), colliding({ uid: 'b' }), colliding({ uid: 'a', sequence: 18 })];
    for (const token of [a, b, newer]) index.put(token);
    expect(index.find('SameSame')).toEqual([b, newer]);
    expect(index.size).toBe(2);
  });

  it('are forgotten apart', () => {
    const [a, b] = [colliding({ uid: 'a' }), colliding({ uid: 'b' })];
    index.put(a);
    index.put(b);
    index.remove(a);
    expect([index.find('SameSame'), index.size]).toEqual([[b], 1]);
    index.remove(b);
    expect([index.find('SameSame'), index.size]).toEqual([[], 0]);
  });

  it('do not hold each other back by their sequences', () => {
    const [high, low] = [colliding({ uid: 'a', sequence: 90 }), colliding({ uid: 'b', sequence: 2 })];
    index.put(high);
    index.put(low);
    expect([high.isSealed(), low.isSealed()]).toEqual([true, true]);
  });
});
