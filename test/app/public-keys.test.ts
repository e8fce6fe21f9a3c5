import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PublishedKeys } from '../../src/app/public-keys.ts';
import { jwksOf, type SigningKey } from '../../src/domain/seal.ts';
import type { KubeClient } from '../../src/ports.ts';
import { PUBLIC_KEYS_DATA } from '../../src/reconcile/seal-keys/seal-keys.ts';
import { listening } from '../audit/records.ts';
import { KEY, keysOf, OTHER_KEY } from '../verifier/tokens.ts';

let published: string | undefined;
let reads: number;
let texts: string[];
let keys: PublishedKeys;

const publish = (...signing: SigningKey[]) => {
  published = jwksOf(keysOf(...signing));
};
const ids = () => [...keys.keys().keys()];
const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

beforeEach(() => {
  vi.useFakeTimers();
  reads = 0;
  publish(KEY);
  const get = async () => {
    reads += 1;
    if (published === undefined) throw new Error('no answer');
    return { metadata: { name: 'x' }, data: { [PUBLIC_KEYS_DATA]: published } };
  };
  const listener = listening();
  texts = listener.texts;
  keys = new PublishedKeys({ client: { get } as unknown as KubeClient, namespace: 'own', log: listener.log });
});
afterEach(() => {
  keys.stop();
  vi.useRealTimers();
});

describe('the public keys', () => {
  it('are those that the operator publishes, and the verifier is not ready before', async () => {
    const before = [ids(), keys.problem()];
    await keys.start();
    expect([before, ids(), keys.problem()]).toEqual([
      [[], 'the operator has published no seal keys yet'],
      [KEY.keyID],
      undefined,
    ]);
  });

  it('are the same object until they change, so that no seal is checked twice for nothing', async () => {
    await keys.start();
    const first = keys.keys();
    await pass(60_000);
    const same = keys.keys() === first;
    publish(KEY, OTHER_KEY);
    await pass(20_000);
    expect([same, keys.keys() === first, ids()]).toEqual([true, false, [KEY.keyID, OTHER_KEY.keyID]]);
  });

  it('are trusted no more once they are published no more', async () => {
    await keys.start();
    publish(OTHER_KEY);
    await pass(20_000);
    expect(ids()).toEqual([OTHER_KEY.keyID]);
  });

  it.each([
    ['cannot be read', undefined, 'seal keys not read'],
    ['are no key set', 'nonsense', 'seal keys cannot be read'],
    ['are none', '', 'seal keys cannot be read'],
    [
      'name a key as another',
      jwksOf(new Map([[OTHER_KEY.keyID, keysOf(KEY).get(KEY.keyID) as never]])),
      'seal keys cannot be read',
    ],
  ])('stay what they were where those that are published %s', async (_, text, said) => {
    await keys.start();
    published = text;
    await pass(20_000);
    expect([ids(), texts]).toEqual([[KEY.keyID], [said]]);
  });

  it('are read when one is missed, once a second at most', async () => {
    await keys.start();
    await pass(1_001);
    publish(KEY, OTHER_KEY);
    for (let i = 0; i < 100; i++) keys.missed();
    await pass(0);
    expect([ids(), reads]).toEqual([[KEY.keyID, OTHER_KEY.keyID], 2]);
    keys.missed();
    await pass(0);
    expect(reads).toBe(2);
  });

  it('are read no more once that is ended', async () => {
    await keys.start();
    keys.stop();
    await pass(60_000);
    expect([reads, vi.getTimerCount()]).toEqual([1, 0]);
  });
});
