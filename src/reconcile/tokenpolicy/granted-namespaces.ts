/**
 * Tells the API server in which namespaces a TokenPolicy allows anything: an admission policy sees one TokenPolicy at a time, and so never
 * that there is none. It reads this object (deploy/admission/granted-namespaces.yaml); what is minted never depends on it.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  GRANTED_NAMESPACES,
  GRANTED_NAMESPACES_KIND,
  GRANTED_NAMESPACES_NAME,
  type GrantedNamespacesManifest,
} from '../../api/granted-namespaces.ts';
import { API_VERSION } from '../../api/group.ts';
import { type Grants, grantsOf, TOO_MANY } from '../../domain/policy/grants.ts';
import type { CompiledPolicy } from '../../domain/policy/policy.ts';
import { type KubeClient, KubeError, type Logger } from '../../ports.ts';

/** Between two writes, so that thousands of policies that come one after the other are not as many large writes. Milliseconds. */
const WRITE_INTERVAL = 250;
const LABELS = { 'app.kubernetes.io/managed-by': 'tokenwright', 'app.kubernetes.io/component': 'granted-namespaces' };

export interface GrantedNamespacesOptions {
  client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  /** The operator's own. */
  namespace: string;
  /** The same array until they change. */
  policies(): readonly CompiledPolicy[];
  defaultPolicy: 'Allow' | 'Deny';
  pause(ms: number): Promise<void>;
  log: Logger;
}

interface Wanted {
  policies: readonly CompiledPolicy[];
  grants: Grants;
}

export class GrantedNamespaces {
  readonly #options: GrantedNamespacesOptions;
  #latest: Wanted | undefined;
  #told: Wanted | undefined;
  #alterations = 0;
  #running: Promise<void> | undefined;
  #rest: Promise<void> | undefined;

  constructor(options: GrantedNamespacesOptions) {
    this.#options = options;
  }

  /** Resolves once it says what the policies known now do. Throws KubeError; to be called again. */
  async keep(): Promise<void> {
    while (this.#told !== this.#wanted()) {
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
      await this.#running;
    }
  }

  /** By what the watch tells of it, undefined where it is gone. True where it is to be kept again. */
  isAltered(seen: GrantedNamespacesManifest | undefined): boolean {
    if (seen !== undefined && isDeepStrictEqual(seen.spec.grants, this.#wanted().grants)) return false;
    this.#told = undefined;
    this.#alterations += 1;
    return true;
  }

  #wanted(): Wanted {
    const policies = this.#options.policies();
    if (this.#latest?.policies !== policies)
      this.#latest = { policies, grants: grantsOf(policies, this.#options.defaultPolicy) };
    return this.#latest;
  }

  async #run(): Promise<void> {
    await this.#rest;
    const [wanted, alterations] = [this.#wanted(), this.#alterations];
    try {
      await this.#write(wanted);
    } finally {
      this.#rest = this.#options.pause(WRITE_INTERVAL);
    }
    if (this.#alterations === alterations) this.#told = wanted;
  }

  /** A replacement and no apply, which would leave the keys of others. */
  async #write({ policies, grants }: Wanted): Promise<void> {
    const { client, namespace, log } = this.#options;
    if (grants === TOO_MANY)
      log.warn(
        { policies: policies.length },
        'too many policies to tell the API server: only the operator refuses by default',
      );
    const seen = await this.#read();
    if (seen !== undefined && isDeepStrictEqual(seen.spec.grants, grants)) return;
    const spec = { grants };
    const metadata = { namespace, name: GRANTED_NAMESPACES_NAME, labels: LABELS };
    if (seen !== undefined) await client.replace(GRANTED_NAMESPACES, { ...seen, spec });
    else
      await client.create(GRANTED_NAMESPACES, {
        apiVersion: API_VERSION,
        kind: GRANTED_NAMESPACES_KIND,
        metadata,
        spec,
      });
  }

  async #read(): Promise<GrantedNamespacesManifest | undefined> {
    const { client, namespace } = this.#options;
    try {
      return await client.get(GRANTED_NAMESPACES, { namespace, name: GRANTED_NAMESPACES_NAME });
    } catch (error) {
      if (error instanceof KubeError && error.reason === 'NotFound') return undefined;
      throw error;
    }
  }
}
