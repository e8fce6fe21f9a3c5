import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApiToken } from '../../src/api/apitoken.ts';
import { VerifierWatches } from '../../src/app/verifier-watches.ts';
import type { Revocation } from '../../src/domain/revocation.ts';
import type { IndexedToken } from '../../src/verifier/indexed-token.ts';
import { listening } from '../audit/records.ts';
import { type Ordered, revocation } from '../verifier/orders-world.ts';
import { apiToken, KEY, Seals, type Wanted } from '../verifier/tokens.ts';
import { LateCluster } from './late-cluster.ts';

let cluster: LateCluster;
let watches: VerifierWatches;
let gone: string[];
let forced: string[];

function watchesOf(late: LateCluster): VerifierWatches {
  const { log } = listening();
  return new VerifierWatches({
    client: late.client,
    log,
    metrics: { watchRestarted: () => {} },
    seals: new Seals(KEY),
    upstreamNamespace: 'upstreams',
    onForce: ({ metadata }) => forced.push(metadata.uid),
    onTokenPut: () => {},
    onTokenGone: (uid) => gone.push(uid),
  });
}

beforeEach(() => {
  cluster = new LateCluster();
  gone = [];
  forced = [];
  watches = watchesOf(cluster);
});
afterEach(async () => {
  await watches.stop();
});

async function start(): Promise<void> {
  watches.start();
  await watches.whenSynced();
  // a reflector watches once it has listed
  await new Promise((resolve) => setImmediate(resolve));
}

const put = (wanted: Wanted = {}): ApiToken => {
  const token = apiToken(wanted);
  cluster.put('apitokens', token);
  return token;
};
const order = (ordered: Ordered = {}) => cluster.put('tokenrevocations', revocation(ordered) as Revocation);
const known = () => [...watches.index.all()].map(({ uid, sequence }) => `${uid} ${sequence}`).sort();
const find = (uid: string): IndexedToken => {
  const found = [...watches.index.all()].find((token) => token.uid === uid);
  if (found === undefined) throw new Error(`${uid} is not known`);
  return found;
};
const refused = (uid = 'uid-1') => find(uid).versions.some((version) => watches.orders.reaches(find(uid), version));
const prove = () => watches.listPending(AbortSignal.timeout(10_000));
const REPLACED: Wanted = {
  sequence: 18,
  handledRevocations: ['order-1'],
  versions: [{ version: 4 }],
  revokedThroughVersion: 3,
};

describe('an ApiToken', () => {
  it('is known by list and by watch, until it is gone', async () => {
    put();
    await start();
    put({ uid: 'uid-2', name: 'other' });
    const both = known();
    cluster.remove('apitokens', { namespace: 'support', name: 'other' });
    expect([both, known(), gone]).toEqual([['uid-1 17', 'uid-2 17'], ['uid-1 17'], ['uid-2']]);
  });

  it('is read anew where its watch is late, and not told back to its older state', async () => {
    put();
    await start();
    cluster.late.add('apitokens');
    put({ sequence: 18 });
    put({ sequence: 19 });
    await watches.refresh(find('uid-1'));
    const read = known();
    cluster.catchUp('apitokens');
    expect([read, known(), find('uid-1').isSealed()]).toEqual([['uid-1 19'], ['uid-1 19'], true]);
  });

  it('that is gone is taken out by a read, whatever its watch says', async () => {
    put();
    await start();
    cluster.late.add('apitokens');
    cluster.remove('apitokens', { namespace: 'support', name: 'summarizer' });
    await watches.refresh(find('uid-1'));
    const read = [known(), [...gone]];
    cluster.catchUp('apitokens');
    expect([read, known()]).toEqual([[[], ['uid-1']], []]);
  });

  it('that was made anew is taken for another by a read', async () => {
    put({ uid: 'old' });
    await start();
    cluster.late.add('apitokens');
    cluster.remove('apitokens', { namespace: 'support', name: 'summarizer' });
    put({ uid: 'new', sequence: 1 });
    await watches.refresh(find('old'));
    const read = known();
    cluster.catchUp('apitokens');
    expect([read, known(), [...new Set(gone)]]).toEqual([['new 1'], ['new 1'], ['old']]);
  });

  it('that its watch has yet to tell of is found by its token id', async () => {
    await start();
    cluster.late.add('apitokens');
    const token = put();
    await watches.search(token.status?.tokenID ?? '', AbortSignal.timeout(10_000));
    expect(known()).toEqual(['uid-1 17']);
  });

  it('stays as it is where it cannot be read', async () => {
    put();
    await start();
    vi.spyOn(cluster, 'get').mockRejectedValue(new Error('no answer'));
    await expect(watches.refresh(find('uid-1'))).rejects.toThrow('no answer');
    expect(known()).toEqual(['uid-1 17']);
  });
});

describe('a list of every ApiToken', () => {
  /** What happens after the moment that its pages are of. */
  async function relistAround(meanwhile: () => unknown): Promise<void> {
    const gate = Promise.withResolvers<void>();
    cluster.gates.set('apitokens', gate.promise);
    const relisted = watches.relist(AbortSignal.timeout(10_000));
    await meanwhile();
    gate.resolve();
    await relisted;
  }

  it('takes no page for what is not known yet: an order may have been carried out since', async () => {
    await start();
    cluster.late.add('apitokens');
    put();
    await relistAround(() => put(REPLACED));
    expect(known()).toEqual(['uid-1 18']);
  });

  it('brings nothing back that was read to be gone', async () => {
    put();
    await start();
    cluster.late.add('apitokens');
    await relistAround(async () => {
      cluster.remove('apitokens', { namespace: 'support', name: 'summarizer' });
      await watches.refresh(find('uid-1'));
    });
    expect([known(), gone]).toEqual([[], ['uid-1']]);
  });

  it('takes out what is gone, and nothing that was made since', async () => {
    put();
    put({ uid: 'uid-2', name: 'other' });
    await start();
    cluster.late.add('apitokens');
    cluster.remove('apitokens', { namespace: 'support', name: 'summarizer' });
    await relistAround(async () => {
      const token = put({ uid: 'uid-3', name: 'new' });
      await watches.search(token.status?.tokenID ?? '', AbortSignal.timeout(10_000));
    });
    expect([known(), gone]).toEqual([['uid-2 17', 'uid-3 17'], ['uid-1']]);
  });
});

describe('a revocation', () => {
  it('is in force by its watch', async () => {
    put();
    await start();
    order();
    expect([refused(), forced]).toEqual([true, ['order-1']]);
  });

  it('is in force by a list where its watch is late', async () => {
    put();
    await start();
    cluster.late.add('tokenrevocations');
    order();
    const before = refused();
    await prove();
    expect([before, refused()]).toEqual([false, true]);
  });

  it('that is sealed before it is seen refuses what late watches show as it was', async () => {
    put();
    await start();
    for (const plural of ['apitokens', 'tokenrevocations']) cluster.late.add(plural);
    order();
    put(REPLACED);
    order({ sealed: true });
    await prove();
    const before = refused();
    await expect.poll(() => known()).toEqual(['uid-1 18']);
    expect([before, refused()]).toEqual([true, false]);
  });

  it('that is gone by now shows in the ApiTokens, whatever their watch says', async () => {
    put();
    await start();
    cluster.late.add('apitokens');
    put(REPLACED);
    await prove();
    const pending = known();
    await watches.relist(AbortSignal.timeout(10_000));
    expect([pending, known()]).toEqual([['uid-1 17'], ['uid-1 18']]);
  });

  it('is held against the ApiTokens once they are listed, however old that list is', async () => {
    const listed = Promise.withResolvers<void>();
    cluster.gates.set('apitokens', listed.promise);
    put();
    cluster.late.add('apitokens');
    watches.start();
    await expect.poll(() => cluster.listed).toContain('apitokens');
    order();
    put(REPLACED);
    order({ sealed: true });
    await expect.poll(() => watches.orders.size).toBe(1);
    listed.resolve();
    await watches.whenSynced();
    expect([known(), refused()]).toEqual([['uid-1 17'], true]);
  });

  it('is held against the ApiTokens when they are listed anew, too', async () => {
    await start();
    cluster.late.add('apitokens');
    put();
    const listed = Promise.withResolvers<void>();
    cluster.gates.set('apitokens', listed.promise);
    cluster.listed.length = 0;
    cluster.expire('apitokens');
    await expect.poll(() => cluster.listed).toContain('apitokens');
    order();
    put(REPLACED);
    order({ sealed: true });
    const waiting = watches.orders.size;
    listed.resolve();
    await expect.poll(known).toEqual(['uid-1 17']);
    expect([waiting, refused()]).toEqual([1, true]);
  });

  it('of another kind reaches by the labels of namespaces as they are', async () => {
    put();
    await start();
    cluster.put(
      'clustertokenrevocations',
      revocation({ namespace: undefined, match: { namespaces: { matchLabels: { tier: 'prod' } } } }),
    );
    const unknown = refused();
    cluster.put('namespaces', { metadata: { name: 'support', uid: 'n', labels: { tier: 'test' } } });
    expect([unknown, refused()]).toEqual([true, false]);
  });

  it('that is gone ends', async () => {
    put();
    await start();
    order();
    cluster.remove('tokenrevocations', { namespace: 'support', name: 'order-1' });
    await expect.poll(() => refused()).toBe(false);
    expect(watches.orders.size).toBe(0);
  });
});

describe('an audience', () => {
  const SECRET_REF = { secretRef: { name: 'ai', key: 'api-key' }, header: 'Authorization', value: 'Bearer $(key)' };
  const declare = (spec: object = {}, name = 'ai-gateway') =>
    cluster.put('tokenaudiences', {
      metadata: { name, uid: name },
      spec: { environments: ['production'], ...spec },
    } as never);
  const secret = (key: string | undefined, name = 'ai') =>
    cluster.put('secrets', {
      metadata: { namespace: 'upstreams', name, uid: name },
      data: key === undefined ? {} : { 'api-key': Buffer.from(key).toString('base64') },
    } as never);
  const upstream = () => watches.audience('ai-gateway')?.upstream;

  it('is known as it is declared, and by nothing else', async () => {
    declare({ routes: [{ methods: ['GET'], path: '/' }], staleness: { max: '5s' } });
    await start();
    expect([watches.audience('ai-gateway'), watches.audience('other')]).toEqual([
      {
        environments: ['production'],
        routes: [{ methods: ['GET'], path: '/', scopes: [] }],
        stalenessSeconds: 5,
        upstream: undefined,
      },
      undefined,
    ]);
    cluster.remove('tokenaudiences', { name: 'ai-gateway' });
    expect(watches.audience('ai-gateway')).toBeUndefined();
  });

  it.each([
    ['half a minute unless it says', {}, 30],
    ['what it says', { staleness: { max: '1m30s' } }, 90],
    ['nothing where that cannot be read', { staleness: { max: 'long' } }, 0],
  ])('goes on for %s', async (_, spec, seconds) => {
    declare(spec);
    await start();
    expect([watches.audience('ai-gateway')?.stalenessSeconds, watches.strictest()]).toEqual([seconds, seconds]);
  });

  it('that is the strictest counts', async () => {
    declare({ staleness: { max: '1h' } }, 'lax');
    declare({ staleness: { max: '2s' } }, 'strict');
    await start();
    const both = watches.strictest();
    cluster.remove('tokenaudiences', { name: 'strict' });
    expect([both, watches.strictest()]).toEqual([2, 3600]);
  });

  it.each<[sentence: string, key: string | undefined, expected: unknown]>([
    ['stands in the header', 'sk-1', { header: 'authorization', value: 'Bearer sk-1' }],
    ['may end in the newline that an editor left', 'sk-1\n', { header: 'authorization', value: 'Bearer sk-1' }],
    ['is taken as it is', '$&$1', { header: 'authorization', value: 'Bearer $&$1' }],
    ['is missing where it is empty', '', 'missing'],
    ['is missing where the Secret does not have it', undefined, 'missing'],
    ['is missing where it could not stand in a header', 'a\r\nx: y', 'missing'],
    ['is missing where it holds what no key does', 'a b', 'missing'],
  ])('has a key that %s', async (_, key, expected) => {
    secret(key);
    declare({ upstream: SECRET_REF });
    await start();
    expect(upstream()).toEqual(expected);
  });

  it('has the key that its Secret has now', async () => {
    declare({ upstream: SECRET_REF });
    await start();
    const told = [upstream()];
    for (const key of ['one', 'two']) {
      secret(key);
      told.push(upstream());
    }
    cluster.remove('secrets', { namespace: 'upstreams', name: 'ai' });
    expect([...told, upstream()]).toEqual([
      'missing',
      { header: 'authorization', value: 'Bearer one' },
      { header: 'authorization', value: 'Bearer two' },
      'missing',
    ]);
  });
});

describe('the watches', () => {
  it('are synced once all of them have listed', async () => {
    const before = watches.synced;
    await start();
    expect([before, watches.synced, new Set(cluster.listed).size]).toEqual([false, true, 7]);
  });

  it('end before they have begun', async () => {
    const other = watchesOf(new LateCluster());
    await other.stop();
    expect(other.synced).toBe(false);
  });
});
