/**
 * The operator's seal keys. The Secret `tokenwright-seal-keys` is the truth; the ConfigMap `tokenwright-seal-public-keys`
 * is what verifiers read of it, a JWK Set with key ids, and is put right whenever it differs.
 *
 * Every write is a create, or carries the uid and resourceVersion that were read: two operators end with the same keys.
 * A Secret that cannot be read is never replaced, since a new key would refuse every token there is.
 */
import { createPublicKey, randomBytes } from 'node:crypto';
import { jwksOf, type PublicKeys, type SigningKey, signingKeyOf } from '../../domain/seal.ts';
import {
  type Clock,
  type KubeClient,
  KubeError,
  type KubeObject,
  type Random,
  type ResourceType,
} from '../../ports.ts';
import { type KeyRing, nextStep, publicKeysIn, readRing, type SealKey, signingKeyIn, writeRing } from './key-ring.ts';

export const SEAL_KEYS_SECRET = 'tokenwright-seal-keys';
export const SEAL_PUBLIC_KEYS_CONFIG_MAP = 'tokenwright-seal-public-keys';
/** The key of the JWK Set in the ConfigMap. */
export const PUBLIC_KEYS_DATA = 'jwks.json';

const PRIVATE_KEYS_DATA = 'keys.json';
const ROTATE_REQUESTED = 'tokenwright.dev/rotate-requested-at';
const ROTATE_HANDLED = 'tokenwright.dev/last-handled-rotate-request';
const DISTRUST = 'tokenwright.dev/distrust-keys';
const LABELS = { 'app.kubernetes.io/managed-by': 'tokenwright', 'app.kubernetes.io/component': 'seal-keys' };
/** A token whose key is unknown makes the keys be read again at most so often, in seconds. */
const LOOK_AGAIN = 10;
const ROUNDS = 12; // a rotation takes five; the rest is for another operator's writes in between

interface DataObject extends KubeObject {
  type?: string;
  data?: Record<string, string>;
}

const SECRETS: ResourceType<DataObject> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};
const CONFIG_MAPS: ResourceType<DataObject> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

export interface SealKeysDependencies {
  client: KubeClient;
  /** The operator's own. */
  namespace: string;
  clock: Clock;
  /** node:crypto's unless given. */
  random?: Random;
}

/** The Secret needs a human. The message says what to do and holds nothing of the Secret. */
export class SealKeysError extends Error {
  readonly code: 'unreadable' | 'lost';

  constructor(code: 'unreadable' | 'lost', message: string) {
    super(message);
    this.name = 'SealKeysError';
    this.code = code;
  }
}

export class SealKeys {
  readonly #deps: SealKeysDependencies;
  #ring: KeyRing | undefined;
  #signing: SigningKey | undefined;
  #running: Promise<boolean> | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;

  private constructor(deps: SealKeysDependencies) {
    this.#deps = deps;
  }

  /** Reads the keys, or creates them when there never were any. Throws SealKeysError or KubeError; may be called again. */
  static async load(deps: SealKeysDependencies): Promise<SealKeys> {
    const keys = new SealKeys(deps);
    await keys.refresh();
    return keys;
  }

  /** The key to seal with. A token sealed with another, trusted one is to be sealed again. */
  signing(): SigningKey {
    if (this.#signing === undefined) throw new Error('seal keys are used before they are loaded');
    return this.#signing;
  }

  /** All keys that confirm a seal: the signing one, older ones, and one that is published and will sign. */
  trusted(): PublicKeys {
    return publicKeysIn(this.#ring ?? []);
  }

  /**
   * Reads the Secret, does what is due (answer requests, publish, sign with a newer key) and says whether signing() or
   * trusted() is another than before. To be called about twice a minute, and before this operator takes over from another
   * one. Calls at the same time share one run. On an error, which is thrown, the keys in use stay.
   */
  refresh(): Promise<boolean> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** refresh() for a seal whose key is unknown; at most once in ten seconds, since anybody can write a made-up key id. */
  async lookAgain(): Promise<boolean> {
    if (this.#running === undefined && this.#now() - this.#lookedAt < LOOK_AGAIN) return false;
    this.#lookedAt = this.#now();
    return this.refresh();
  }

  async #run(): Promise<boolean> {
    let last: unknown;
    for (let round = 0; round < ROUNDS; round++) {
      try {
        const ring = await this.#step();
        if (ring !== undefined) return this.#use(ring);
      } catch (error) {
        if (!(error instanceof KubeError && (error.reason === 'Conflict' || error.reason === 'AlreadyExists')))
          throw error;
        last = error; // somebody else wrote: read again
      }
    }
    throw last ?? new Error('seal keys do not come to rest');
  }

  /** Observe, decide, act: one write at most. The ring once nothing is left to do. */
  async #step(): Promise<KeyRing | undefined> {
    // In this order, so that a published set is only ever replaced by one that was the truth after it was read,
    // and so that a published set without a Secret means that the Secret was lost.
    const published = await this.#get(CONFIG_MAPS, SEAL_PUBLIC_KEYS_CONFIG_MAP);
    const secret = await this.#get(SECRETS, SEAL_KEYS_SECRET);
    const jwks = published?.data?.[PUBLIC_KEYS_DATA];
    if (secret === undefined) {
      await this.#createSecret(jwks);
      return undefined;
    }
    const ring = this.#read(secret);
    const annotations = secret.metadata.annotations ?? {};
    const { [ROTATE_REQUESTED]: rotate, [ROTATE_HANDLED]: handled, [DISTRUST]: distrust } = annotations;
    const step = nextStep(ring, { rotate, handled, distrust }, jwks, this.#now());
    switch (step.do) {
      case 'nothing':
        return ring;
      case 'publish':
        await this.#publish(published, ring);
        return undefined;
      case 'write':
        await this.#replaceSecret(secret, step.ring, handled);
        return undefined;
      case 'add-key':
        await this.#replaceSecret(secret, [...step.ring, this.#freshKey()], rotate);
        return undefined;
      case 'answer':
        await this.#replaceSecret(secret, ring, rotate);
        return undefined;
      default:
        return step satisfies never;
    }
  }

  #use(ring: KeyRing): boolean {
    const { keyID, privateKey } = signingKeyIn(ring, this.#now());
    const namesOf = (keys: KeyRing | undefined) => keys?.map((key) => key.keyID).join();
    const changed = keyID !== this.#signing?.keyID || namesOf(ring) !== namesOf(this.#ring);
    this.#ring = ring;
    this.#signing = { keyID, privateKey };
    return changed;
  }

  #read(secret: DataObject): KeyRing {
    const ring = readRing(decode(secret.data?.[PRIVATE_KEYS_DATA]) ?? '');
    if (ring !== undefined) return ring;
    const how =
      this.#ring === undefined
        ? `Restore it from a backup. To start again with a new key, which refuses every token until it is minted anew, delete the Secret and the ConfigMap ${SEAL_PUBLIC_KEYS_CONFIG_MAP}`
        : 'This operator still holds the keys: delete the Secret while it runs, and it is written again';
    throw new SealKeysError(
      'unreadable',
      `Secret ${this.#deps.namespace}/${SEAL_KEYS_SECRET} holds no readable seal keys. ${how}.`,
    );
  }

  /** With the keys in use where there are any; with a first key where there never was one. */
  async #createSecret(jwks: string | undefined): Promise<void> {
    if (this.#ring === undefined && jwks) {
      const { namespace } = this.#deps;
      throw new SealKeysError(
        'lost',
        `Secret ${namespace}/${SEAL_KEYS_SECRET} is gone, while ConfigMap ${SEAL_PUBLIC_KEYS_CONFIG_MAP} shows that its keys were used. Restore the Secret from a backup. To start again with a new key, which refuses every token until it is minted anew, delete the ConfigMap.`,
      );
    }
    const ring = this.#ring ?? [this.#freshKey()];
    await this.#deps.client.create(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace: this.#deps.namespace, name: SEAL_KEYS_SECRET, labels: LABELS },
      type: 'tokenwright.dev/seal-keys',
      data: { [PRIVATE_KEYS_DATA]: encode(writeRing(ring)) },
    });
  }

  async #replaceSecret(secret: DataObject, ring: KeyRing, handled: string | undefined): Promise<void> {
    const annotations = {
      ...secret.metadata.annotations,
      ...(handled === undefined ? {} : { [ROTATE_HANDLED]: handled }),
    };
    await this.#deps.client.replace(SECRETS, {
      ...secret,
      metadata: { ...secret.metadata, annotations },
      data: { [PRIVATE_KEYS_DATA]: encode(writeRing(ring)) },
    });
  }

  async #publish(seen: DataObject | undefined, ring: KeyRing): Promise<void> {
    const data = { [PUBLIC_KEYS_DATA]: jwksOf(publicKeysIn(ring)) };
    const metadata = { namespace: this.#deps.namespace, name: SEAL_PUBLIC_KEYS_CONFIG_MAP, labels: LABELS };
    const { client } = this.#deps;
    if (seen === undefined) await client.create(CONFIG_MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    else await client.replace(CONFIG_MAPS, { ...seen, data });
  }

  async #get(type: ResourceType<DataObject>, name: string): Promise<DataObject | undefined> {
    try {
      return await this.#deps.client.get(type, { namespace: this.#deps.namespace, name });
    } catch (error) {
      if (error instanceof KubeError && error.reason === 'NotFound') return undefined;
      throw error;
    }
  }

  #freshKey(): SealKey {
    const { keyID, privateKey } = signingKeyOf(this.#deps.random?.bytes(32) ?? randomBytes(32));
    return { keyID, privateKey, publicKey: createPublicKey(privateKey) };
  }

  #now(): number {
    return Math.floor(this.#deps.clock.now() / 1000);
  }
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

function decode(base64: string | undefined): string | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64').toString('utf8');
}
