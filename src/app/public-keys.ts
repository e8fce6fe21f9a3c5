/** The public seal keys as the operator publishes them, kept up to date. */
import { type PublicKeys, publicKeysOf } from '../domain/seal.ts';
import type { KubeClient, KubeObject, Logger, ResourceType } from '../ports.ts';
import { PUBLIC_KEYS_DATA, SEAL_PUBLIC_KEYS_CONFIG_MAP } from '../reconcile/seal-keys/seal-keys.ts';
import type { SealCheck } from '../verifier/indexed-token.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

const CONFIG_MAPS: ResourceType<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** A new key is published a minute before it signs, so this is soon enough. Milliseconds. */
const REFRESH = 20_000;
/** A seal of a key that is not known makes them be read at most so often. */
const EAGER_REFRESH = 1000;

export interface PublishedKeysOptions {
  client: KubeClient;
  namespace: string;
  log: Logger;
}

export class PublishedKeys implements SealCheck {
  readonly #options: PublishedKeysOptions;
  #keys: PublicKeys = new Map();
  #text = '';
  #readAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;

  constructor(options: PublishedKeysOptions) {
    this.#options = options;
  }

  keys(): PublicKeys {
    return this.#keys;
  }

  missed(): void {
    if (performance.now() - this.#readAt > EAGER_REFRESH) void this.refresh();
  }

  /** For readiness. */
  problem(): string | undefined {
    return this.#keys.size > 0 ? undefined : 'the operator has published no seal keys yet';
  }

  /** Reads them now, and every 20 s from then on. Until it works the last ones count. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => void this.refresh(), REFRESH);
    await this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  refresh(): Promise<void> {
    this.#readAt = performance.now();
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    const { client, namespace, log } = this.#options;
    try {
      const { data } = await client.get(CONFIG_MAPS, { namespace, name: SEAL_PUBLIC_KEYS_CONFIG_MAP });
      const text = data?.[PUBLIC_KEYS_DATA] ?? '';
      if (text === this.#text) return;
      const keys = publicKeysOf(text);
      if (keys === undefined) {
        log.warn({ namespace, configMap: SEAL_PUBLIC_KEYS_CONFIG_MAP }, 'seal keys cannot be read');
        return;
      }
      this.#text = text;
      this.#keys = keys;
    } catch (error) {
      log.warn({ err: error }, 'seal keys not read');
    }
  }
}
