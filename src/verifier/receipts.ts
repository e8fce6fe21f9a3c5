/**
 * Tells on each revocation that it is in force here, and since when. One write at a time with a pause after each: receipts are for people to
 * read, and must not keep the API server from the revocations themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { CLUSTER_TOKEN_REVOCATIONS, type RevocationReceipt, TOKEN_REVOCATIONS } from '../api/token-revocation.ts';
import { orderedAt, type Revocation } from '../domain/revocation.ts';
import type { KubeClient, KubeObject, Logger, ResourceType } from '../ports.ts';

export interface ReceiptsOptions {
  verifier: string;
  environment: string;
  /** Writes one; rejects where that failed. */
  write(revocation: Revocation, receipt: RevocationReceipt): Promise<void>;
  now: () => number;
  log: Logger;
}

/** What waits beyond this is not written: by then nobody reads receipts one by one. */
const LIMIT = 20_000;
const ATTEMPTS = 5;
/** After a failure, in milliseconds. */
const RETRY = 1000;

interface Waiting {
  revocation: Revocation;
  receipt: RevocationReceipt;
  attempts: number;
}

export class Receipts {
  readonly #options: ReceiptsOptions;
  readonly #stopping = new AbortController();
  readonly #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: ReceiptsOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** The revocation is in force here from now on. Returns after how many milliseconds, by our own clock. */
  inForce(revocation: Revocation): number {
    const { verifier, environment, now } = this.#options;
    const time = now();
    const afterMilliseconds = Math.max(0, Math.round(time - orderedAt(revocation)));
    // a verifier that starts later finds it in force already, and says nothing of how fast it would have been
    const isKnown = revocation.status?.receipts?.some((receipt) => receipt.verifier === verifier) === true;
    const receipt = { verifier, environment, afterMilliseconds, time: new Date(time).toISOString() };
    if (!isKnown) this.#add({ revocation, receipt, attempts: 0 });
    return afterMilliseconds;
  }

  /** What is left is not written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#writing;
  }

  #add(waiting: Waiting): void {
    if (this.#queue.length >= LIMIT || this.#stopping.signal.aborted) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push(waiting);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    const { signal } = this.#stopping;
    for (let waiting = this.#queue.shift(); waiting && !signal.aborted; waiting = this.#queue.shift()) {
      const began = performance.now();
      const isWritten = await this.#write(waiting);
      // at most half of the time
      const pause = isWritten ? performance.now() - began : RETRY;
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }

  async #write(waiting: Waiting): Promise<boolean> {
    const { write, log } = this.#options;
    const { revocation, receipt } = waiting;
    try {
      await write(revocation, receipt);
      return true;
    } catch (error) {
      waiting.attempts += 1;
      if (waiting.attempts < ATTEMPTS) this.#queue.push(waiting);
      else {
        this.#dropped += 1;
        log.warn({ err: error, revocation: revocation.metadata.name }, 'receipt not written');
      }
      return false;
    }
  }
}

/** Rejects where it is not written. On a namesake that was made since it does not stay: the API server compares no uid when a status is written. */
export async function writeReceipt(
  client: Pick<KubeClient, 'apply'>,
  { metadata: { name, namespace, uid } }: Revocation,
  receipt: RevocationReceipt,
): Promise<void> {
  const type = (namespace === undefined ? CLUSTER_TOKEN_REVOCATIONS : TOKEN_REVOCATIONS) as ResourceType;
  const metadata = { name, ...(namespace !== undefined && { namespace }) };
  const options = {
    fieldManager: `tokenwright-verifier-${receipt.verifier}`,
    force: true,
    subresource: 'status',
  } as const;
  const write = (receipts: readonly RevocationReceipt[]) =>
    client.apply(type, { metadata, status: { receipts } } as KubeObject, options);
  const written = await write([receipt]);
  if (written.metadata.uid !== uid) await write([]);
}
