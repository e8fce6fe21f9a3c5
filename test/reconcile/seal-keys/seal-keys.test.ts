import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { checkSeal, publicKeysOf, type SealContent, sealOf } from '../../../src/domain/seal.ts';
import { tokenIDOf } from '../../../src/domain/value.ts';
import type { Clock, KubeClient, Random } from '../../../src/ports.ts';
import { PUBLICATION_SECONDS } from '../../../src/reconcile/seal-keys/key-ring.ts';
import {
  PUBLIC_KEYS_DATA,
  SEAL_KEYS_SECRET,
  SEAL_PUBLIC_KEYS_CONFIG_MAP,
  SealKeys,
  SealKeysError,
} from '../../../src/reconcile/seal-keys/seal-keys.ts';
import { type DataObject, FakeApi, type Gate, kubeError } from './fake-api.ts';

const content: SealContent = {
  uid: 'u',
  tokenID: tokenIDOf('u'),
  sequence: 1,
  lastVersion: 0,
  revokedThroughVersion: 0,
  handledRevocations: [],
  versions: [],
};

let api: FakeApi;
let clock: Clock & { now: () => number; step(seconds: number): void };
let random: Random;

beforeEach(() => {
  api = new FakeApi();
  clock = clockAt(1_767_225_600);
  random = numbered();
});

function clockAt(start: number) {
  let seconds = start;
  return {
    now: () => seconds * 1000 + 999,
    step: (by: number) => {
      seconds += by;
    },
  };
}

/** Different bytes each time, and the same ones in every run. */
function numbered(): Random {
  let count = 0;
  return { bytes: (length) => createHash('sha256').update(`seed ${count++}`).digest().subarray(0, length) };
}

function load(client: KubeClient = api.client()): Promise<SealKeys> {
  return SealKeys.load({ client, namespace: 'tokenwright', clock, random });
}

const published = () => publicKeysOf(api.read('ConfigMap', SEAL_PUBLIC_KEYS_CONFIG_MAP).data?.[PUBLIC_KEYS_DATA] ?? '');
const publishedIDs = () => [...(published()?.keys() ?? [])];
const trustedIDs = (keys: SealKeys) => [...keys.trusted().keys()];

function annotate(annotation: string, value: string): void {
  api.edit('Secret', SEAL_KEYS_SECRET, ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, [`tokenwright.dev/${annotation}`]: value };
  });
}

function privateKeys(secret: DataObject = api.read('Secret', SEAL_KEYS_SECRET)): { kid: string; d?: string }[] {
  return JSON.parse(Buffer.from(secret.data?.['keys.json'] ?? '', 'base64').toString()).keys;
}

async function settle(...operators: SealKeys[]): Promise<void> {
  for (const keys of operators) await keys.refresh();
  clock.step(PUBLICATION_SECONDS);
  for (const keys of operators) await keys.refresh();
}

describe('the first start', () => {
  it('makes one key, which signs what verifiers can confirm', async () => {
    const keys = await load();
    expect(publishedIDs()).toEqual([keys.signing().keyID]);
    expect(checkSeal(content, sealOf(content, keys.signing()), published() ?? new Map())).toBe('valid');
    expect(api.history.map(({ kind }) => kind)).toEqual(['Secret', 'ConfigMap']);
  });

  it('publishes nothing that signs', async () => {
    await load();
    expect(JSON.stringify(api.read('ConfigMap', SEAL_PUBLIC_KEYS_CONFIG_MAP))).not.toMatch(/"d"|\\"d\\"/);
  });

  it('finds the same key the next time, and writes nothing', async () => {
    const first = await load();
    const writes = api.history.length;
    const second = await load();
    expect(second.signing().keyID).toBe(first.signing().keyID);
    expect(await second.refresh()).toBe(false);
    expect(api.history.length).toBe(writes);
  });

  it('takes random bytes of its own unless given', async () => {
    const keys = await SealKeys.load({ client: api.client(), namespace: 'tokenwright', clock });
    expect(checkSeal(content, sealOf(content, keys.signing()), keys.trusted())).toBe('valid');
  });

  it('shows no private key in inspect, JSON or a message', async () => {
    const keys = await load();
    const secret = privateKeys()[0]?.d ?? 'none';
    expect(secret).toHaveLength(43);
    for (const shown of [inspect(keys, { depth: null, showHidden: true }), JSON.stringify(keys)]) {
      expect(shown).not.toContain(secret);
    }
  });
});

describe('what is there is never replaced', () => {
  type Key = Record<string, unknown>;
  const broken: [string, (data: Record<string, string>) => Record<string, string> | undefined][] = [
    ['without data', () => undefined],
    ['with other data', () => ({ token: 'eA==' })],
    ['with empty data', () => ({ 'keys.json': '' })],
    ['with no JSON', () => base64('topsecret{')],
    ['without keys', () => base64('{"keys":[]}')],
    ['without a private key', withKeys(([key]) => [{ ...key, d: undefined }])],
    ['with a key id that is not the key', withKeys(([key]) => [{ ...key, kid: 'x' }])],
    ['with the private key of another pair', withKeys(([key]) => [{ ...key, d: 'A'.repeat(43) }])],
    ['with a private key that was cut', withKeys(([key]) => [{ ...key, d: 'topsecret' }])],
    ['with a private key that is no text', withKeys(([key]) => [{ ...key, d: 1 }])],
    ['with a time that is none', withKeys(([key]) => [{ ...key, published: 'topsecret' }])],
    ['with one key twice', withKeys((keys) => [...keys, ...keys])],
  ];

  function withKeys(change: (keys: Key[]) => Key[]) {
    return (data: Record<string, string>) => {
      const { keys } = JSON.parse(Buffer.from(data['keys.json'] ?? '', 'base64').toString());
      return base64(JSON.stringify({ keys: change(keys) }));
    };
  }

  function setData(damage: (typeof broken)[number][1]): void {
    api.edit('Secret', SEAL_KEYS_SECRET, (secret) => {
      const data = damage(secret.data ?? {});
      delete secret.data;
      if (data !== undefined) secret.data = data;
    });
  }

  it.each(broken)('a Secret %s stops the start with a sentence', async (_, damage) => {
    await load();
    setData(damage);
    const writes = api.history.length;
    const error = await load().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(SealKeysError);
    expect(error).toMatchObject({
      code: 'unreadable',
      message: expect.stringMatching(/^Secret tokenwright\/.* Restore it from a backup/),
    });
    expect(inspect(error, { depth: null })).not.toContain('topsecret');
    expect(api.history.length).toBe(writes);
  });

  it.each(broken)('a Secret %s leaves a running operator with its keys', async (_, damage) => {
    const keys = await load();
    const { keyID } = keys.signing();
    setData(damage);
    await expect(keys.refresh()).rejects.toThrow(/delete the Secret while it runs, and it is written again/);
    expect(keys.signing().keyID).toBe(keyID);

    api.objects.delete(`Secret/${SEAL_KEYS_SECRET}`);
    expect(await keys.refresh()).toBe(false);
    expect((await load()).signing().keyID).toBe(keyID);
  });

  it('an old key whose id is not its own stops the start too', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    await settle(keys);
    setData(withKeys(([old, ...rest]) => [{ ...old, kid: 'x' }, ...rest]));
    await expect(load()).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('a Secret that was lost stops the start: the published keys show that there was one', async () => {
    await load();
    api.objects.delete(`Secret/${SEAL_KEYS_SECRET}`);
    await expect(load()).rejects.toMatchObject({
      code: 'lost',
      message: expect.stringMatching(/Restore the Secret from a backup/),
    });
    expect(api.objects.has(`Secret/${SEAL_KEYS_SECRET}`)).toBe(false);

    api.objects.delete(`ConfigMap/${SEAL_PUBLIC_KEYS_CONFIG_MAP}`); // as the message says
    await load();
    expect(publishedIDs()).toHaveLength(1);
  });

  it('an answer other than "not found" creates nothing', async () => {
    for (const reason of ['Forbidden', 'Unavailable', 'Timeout'] as const) {
      const gate: Gate = async (_, { verb, kind }) => {
        if (verb === 'get' && kind === 'Secret') throw kubeError(reason);
      };
      await expect(load(api.client(gate))).rejects.toMatchObject({ reason });
      expect(api.history).toEqual([]);
    }
  });

  it('published keys that somebody altered or deleted are put right', async () => {
    const keys = await load();
    const foreign = await SealKeys.load({ client: new FakeApi().client(), namespace: 'other', clock });
    expect(foreign.signing().keyID).not.toBe(keys.signing().keyID);
    for (const data of [undefined, {}, { [PUBLIC_KEYS_DATA]: '{"keys":[]}' }, { [PUBLIC_KEYS_DATA]: 'x', more: 'y' }]) {
      api.edit('ConfigMap', SEAL_PUBLIC_KEYS_CONFIG_MAP, (map) => {
        delete map.data;
        if (data !== undefined) map.data = data;
      });
      expect(await keys.refresh()).toBe(false);
      expect(publishedIDs()).toEqual([keys.signing().keyID]);
    }
    api.objects.delete(`ConfigMap/${SEAL_PUBLIC_KEYS_CONFIG_MAP}`);
    await keys.refresh();
    expect(publishedIDs()).toEqual([keys.signing().keyID]);
  });
});

describe('rotation', () => {
  it('publishes the new key first, signs with it later, and goes on confirming old seals', async () => {
    const keys = await load();
    const old = keys.signing().keyID;
    const seal = sealOf(content, keys.signing());
    annotate('rotate-requested-at', '2026-01-01T00:00:00Z');

    expect(await keys.refresh()).toBe(true);
    expect(trustedIDs(keys)).toHaveLength(2);
    expect(publishedIDs()).toEqual(trustedIDs(keys));
    expect(keys.signing().keyID).toBe(old);

    clock.step(PUBLICATION_SECONDS - 1);
    expect(await keys.refresh()).toBe(false);
    expect(keys.signing().keyID).toBe(old);

    clock.step(1);
    expect(await keys.refresh()).toBe(true);
    expect(keys.signing().keyID).not.toBe(old);
    expect(publishedIDs()).toEqual([old, keys.signing().keyID]);
    expect(checkSeal(content, seal, keys.trusted())).toBe('valid');
    expect(checkSeal(content, sealOf(content, keys.signing()), published() ?? new Map())).toBe('valid');
  });

  it('shows another operator the new key when it meets its seal, but not whenever it meets an unknown key', async () => {
    const [one, other] = [await load(), await load()];
    annotate('rotate-requested-at', '1');
    await settle(one);
    expect(trustedIDs(other)).not.toContain(one.signing().keyID);
    expect(await other.lookAgain()).toBe(true);
    expect(trustedIDs(other)).toContain(one.signing().keyID);

    annotate('distrust-keys', trustedIDs(one)[0] ?? '');
    await one.refresh();
    expect(await other.lookAgain()).toBe(false);
    expect(trustedIDs(other)).not.toEqual(trustedIDs(one));
    clock.step(10);
    expect(await other.lookAgain()).toBe(true);
    expect(trustedIDs(other)).toEqual(trustedIDs(one));
  });

  it('keeps no private key that has done its work', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    await settle(keys);
    expect(privateKeys().map(({ kid, d }) => [kid === keys.signing().keyID, d !== undefined])).toEqual([
      [false, false],
      [true, true],
    ]);
    expect((await load()).signing().keyID).toBe(keys.signing().keyID);
  });

  it('answers a request once', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    await settle(keys);
    const writes = api.history.length;
    await settle(keys, await load());
    expect(api.history.length).toBe(writes);
    expect(
      api.read('Secret', SEAL_KEYS_SECRET).metadata.annotations?.['tokenwright.dev/last-handled-rotate-request'],
    ).toBe('1');
  });

  it('runs once for calls that come at the same time', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    expect(await Promise.all([keys.refresh(), keys.refresh()])).toEqual([true, true]);
    expect(trustedIDs(keys)).toHaveLength(2);
    expect(await keys.refresh()).toBe(false);
  });

  it('takes requests that come while a key is on its way as one', async () => {
    const keys = await load();
    for (const request of ['1', '2', '3']) {
      annotate('rotate-requested-at', request);
      await keys.refresh();
    }
    expect(trustedIDs(keys)).toHaveLength(2);
    await settle(keys);
    annotate('rotate-requested-at', '4');
    await settle(keys);
    expect(trustedIDs(keys)).toHaveLength(3);
    expect(keys.signing().keyID).toBe(trustedIDs(keys)[2]);
  });

  it('counts the wait from publication, not from the request', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    const noPublishing: Gate = async (moment, { kind, verb }) => {
      if (moment === 'request' && kind === 'ConfigMap' && verb === 'replace') throw kubeError('Forbidden');
    };
    const hindered = await load(api.client(noPublishing)).catch((error: unknown) => error);
    expect(hindered).toMatchObject({ reason: 'Forbidden' });
    clock.step(10 * PUBLICATION_SECONDS);
    await keys.refresh();
    expect(keys.signing().keyID).toBe(trustedIDs(keys)[0]);
    clock.step(PUBLICATION_SECONDS);
    await keys.refresh();
    expect(keys.signing().keyID).toBe(trustedIDs(keys)[1]);
  });

  it('does not wait for the wrong clock of another operator', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    clock.step(365 * 86_400);
    await keys.refresh();
    clock.step(-365 * 86_400);
    await settle(keys);
    expect(keys.signing().keyID).toBe(trustedIDs(keys)[1]);
  });

  it('leaves the labels and annotations of others alone', async () => {
    const keys = await load();
    api.edit('Secret', SEAL_KEYS_SECRET, ({ metadata }) => {
      metadata.labels = { ...metadata.labels, theirs: 'yes' };
      metadata.annotations = { theirs: 'yes', 'tokenwright.dev/rotate-requested-at': '1' };
    });
    await settle(keys);
    const { labels, annotations } = api.read('Secret', SEAL_KEYS_SECRET).metadata;
    expect(labels).toMatchObject({ theirs: 'yes', 'app.kubernetes.io/managed-by': 'tokenwright' });
    expect(annotations).toMatchObject({ theirs: 'yes' });
  });
});

describe('distrust', () => {
  it('drops an old key for ever', async () => {
    const keys = await load();
    const old = keys.signing().keyID;
    const seal = sealOf(content, keys.signing());
    annotate('rotate-requested-at', '1');
    await settle(keys);
    annotate('distrust-keys', `${old}, no-such-key`);
    expect(await keys.refresh()).toBe(true);
    expect(trustedIDs(keys)).toEqual([keys.signing().keyID]);
    expect(publishedIDs()).toEqual(trustedIDs(keys));
    expect(checkSeal(content, seal, keys.trusted())).toBe('unknown-key');
    expect(JSON.stringify(privateKeys())).not.toContain(old);
  });

  it('of the key that signs puts another in its place at once', async () => {
    const keys = await load();
    const stolen = keys.signing().keyID;
    annotate('distrust-keys', stolen);
    expect(await keys.refresh()).toBe(true);
    expect(keys.signing().keyID).not.toBe(stolen);
    expect(publishedIDs()).toEqual([keys.signing().keyID]);
    expect(await keys.refresh()).toBe(false);
  });

  it('together with a rotation makes one key', async () => {
    const keys = await load();
    annotate('rotate-requested-at', '1');
    annotate('distrust-keys', keys.signing().keyID);
    await settle(keys);
    expect(trustedIDs(keys)).toEqual([keys.signing().keyID]);
  });
});

describe('a crash', () => {
  /** The n-th write is not sent, or its reply is lost; the operator then starts again. */
  function crashAt(write: number, moment: 'request' | 'reply'): Gate {
    return async (now, call) => {
      if (now === moment && call.verb !== 'get' && call.write >= write) throw kubeError('Unavailable');
    };
  }

  const plans = [1, 2, 3, 4, 5].flatMap((write) =>
    (['request', 'reply'] as const).map((moment) => [write, moment] as const),
  );

  it.each(plans)('at write %i of the first start, at its %s, leaves one key', async (write, moment) => {
    await load(api.client(crashAt(write, moment))).catch(() => undefined);
    const keys = await load();
    expect(publishedIDs()).toEqual([keys.signing().keyID]);
    expect(privateKeys()).toHaveLength(1);
  });

  it.each(plans)('at write %i of a rotation, at its %s, leaves two keys', async (write, moment) => {
    const before = (await load()).signing().keyID;
    annotate('rotate-requested-at', '1');
    const crash = crashAt(write, moment);
    let dead = false;
    const gate: Gate = async (now, call) => {
      if (dead) throw kubeError('Unavailable');
      await crash(now, call).catch((error: unknown) => {
        dead = true;
        throw error;
      });
    };
    const doomed = await load(api.client(gate)).catch(() => undefined);
    clock.step(PUBLICATION_SECONDS);
    await doomed?.refresh().catch(() => undefined);

    const keys = await load();
    await settle(keys);
    expect(publishedIDs()).toEqual([before, keys.signing().keyID]);
    expect(privateKeys().map(({ d }) => d !== undefined)).toEqual([false, true]);
  });
});

describe('two operators at once', () => {
  /** What holds after every write, whoever made it. */
  function check(history: readonly DataObject[]): void {
    let [held, shown]: [string[], string[]] = [[], []];
    for (const object of history) {
      if (object.kind === 'Secret') {
        const ids = privateKeys(object).map(({ kid }) => kid);
        expect(ids.slice(0, held.length)).toEqual(held); // no key is lost
        held = ids;
      } else {
        const ids = [...(publicKeysOf(object.data?.[PUBLIC_KEYS_DATA] ?? '')?.keys() ?? [])];
        if (ids.length === 0) continue; // the user's
        expect(ids.slice(0, shown.length)).toEqual(shown); // none is hidden again
        expect(held).toEqual(expect.arrayContaining(ids));
        shown = ids;
      }
    }
  }

  it('never hide a key again: who published late reads once more', async () => {
    const keys = await load();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let reached: (() => void) | undefined;
    const slow = await load(
      api.client(async (moment, { verb, kind }) => {
        if (moment !== 'reply' || verb !== 'get' || kind !== 'Secret') return;
        reached?.();
        await (reached && held);
      }),
    );
    api.edit('ConfigMap', SEAL_PUBLIC_KEYS_CONFIG_MAP, (map) => delete map.data);
    const seen = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const late = slow.refresh();
    await seen; // one key, which it is about to publish
    annotate('rotate-requested-at', '1');
    await keys.refresh();
    expect(publishedIDs()).toHaveLength(2);
    release();
    await late;
    expect(publishedIDs()).toHaveLength(2);
    expect(trustedIDs(slow)).toEqual(publishedIDs());
    check(api.history);
  });

  it('start, rotate and sign with the same keys, in whatever order their calls arrive', async () => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), async (scheduler) => {
        api = new FakeApi();
        clock = clockAt(1_767_225_600);
        random = numbered();
        const gate: Gate = (moment, { verb, kind }) =>
          scheduler.schedule(Promise.resolve(), `${moment} ${verb} ${kind}`);
        const both = async <T>(work: (index: number) => Promise<T>) => {
          const all = Promise.all([0, 1].map(work));
          await scheduler.waitFor(all);
          return all;
        };

        const operators = await both(() => load(api.client(gate)));
        const first = operators.map((keys) => keys.signing().keyID);
        expect(first[0]).toBe(first[1]);

        const user = scheduler.schedule(Promise.resolve(), 'user').then(() => {
          annotate('rotate-requested-at', '1');
          api.edit('ConfigMap', SEAL_PUBLIC_KEYS_CONFIG_MAP, (map) => delete map.data);
        });
        const refresh = (index: number) => operators[index]?.refresh() ?? Promise.resolve(false);
        await both((index) => Promise.all([user, refresh(index)]));
        await both(refresh);
        for (const keys of operators) expect(keys.signing().keyID).toBe(first[0]);

        clock.step(PUBLICATION_SECONDS);
        await both(refresh);
        for (const keys of operators) {
          expect(trustedIDs(keys)).toEqual(publishedIDs());
          expect(trustedIDs(keys)).toHaveLength(2);
          expect(keys.signing().keyID).toBe(publishedIDs()[1]);
        }
        check(api.history);
      }),
      { numRuns: 200 },
    );
  });
});

function base64(text: string): Record<string, string> {
  return { 'keys.json': Buffer.from(text).toString('base64') };
}
