/** The AuditLog that writes JSON lines to a sink. */
import type { AuditIntent, AuditRecord, AuditSubject } from '../domain/audit.ts';
import type { AuditLog } from '../ports.ts';
import { AuditError, systemCode } from './error.ts';
import type { Ledger } from './ledger.ts';
import { formatRecord } from './record.ts';
import type { AuditSink } from './sink.ts';

export interface JsonLinesOptions {
  /** How long a record may take; then it fails. 10 s unless given. */
  timeoutMilliseconds?: number;
  /** Records that may wait for a slow sink. */
  queueLimit?: number;
}

/** Records in one write and one sync. */
const BATCH_LIMIT = 512;

const REFRESH = 'refresh';

interface Waiting {
  key: string;
  /** Undefined: only `prepare` is wanted. */
  record: AuditRecord | undefined;
  line: string;
  state: 'queued' | 'writing';
  waiters: number;
  settled: PromiseWithResolvers<void>;
}

/**
 * Each (id, phase) is kept once, and of outcome and abandonment the one that comes first. Records that arrive together share a write
 * and a sync. A sink that fails or hangs fails the records, after a time that is bounded, and nothing else; once it works again, so do they.
 */
export class JsonLinesAuditLog implements AuditLog {
  readonly #sink: AuditSink;
  readonly #ledger: Ledger;
  readonly #timeout: number;
  readonly #queueLimit: number;
  readonly #waiting = new Map<string, Waiting>();
  #queue: Waiting[] = [];
  #pumping: Promise<void> | undefined;
  #closed = false;
  #failure: string | undefined;
  #busySince: number | undefined;
  #kept = 0;
  #failed = 0;

  /** The sink is prepared, and the ledger knows what it holds: see registry.ts. */
  constructor(sink: AuditSink, ledger: Ledger, options: JsonLinesOptions = {}) {
    this.#sink = sink;
    this.#ledger = ledger;
    this.#timeout = options.timeoutMilliseconds ?? 10_000;
    this.#queueLimit = options.queueLimit ?? 10_000;
  }

  async record(record: AuditRecord): Promise<void> {
    const line = formatRecord(record);
    if (this.#closed) throw new AuditError('AuditClosed', 'The audit log is closed');
    if (this.#ledger.has(record)) return;
    const key = keyOf(record);
    // an intent whose end is already on its way has nothing to add
    const waiting = this.#waiting.get(key) ?? this.#waiting.get(endKeyOf(record)) ?? this.#enqueue(key, record, line);
    await this.#wait(waiting);
  }

  open(uid: string): readonly AuditIntent[] {
    return this.#ledger.open(uid);
  }

  living(): readonly AuditSubject[] {
    return this.#ledger.living();
  }

  /**
   * Notices now that the file was rotated (SIGHUP), and takes in what another operator appended to it: to be awaited on becoming leader.
   */
  async refresh(): Promise<void> {
    if (this.#closed) throw new AuditError('AuditClosed', 'The audit log is closed');
    const waiting = this.#waiting.get(REFRESH) ?? this.#enqueue(REFRESH, undefined, '');
    await this.#wait(waiting);
  }

  /** For readiness: what is wrong with the sink, as far as the last write told. */
  problem(): string | undefined {
    if (this.#busySince !== undefined && performance.now() - this.#busySince > this.#timeout)
      return 'the audit sink does not answer';
    return this.#failure === undefined ? undefined : `the audit sink fails: ${this.#failure}`;
  }

  /** Records kept, and records that failed or came too late, since the start. */
  get counts(): { kept: number; failed: number } {
    return { kept: this.#kept, failed: this.#failed };
  }

  /** Writes what waits, as long as a record may take, and closes the sink. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const sink = this.#sink;
    await within(
      this.#timeout,
      (this.#pumping ?? Promise.resolve()).then(() => sink.close()),
    );
  }

  #enqueue(key: string, record: AuditRecord | undefined, line: string): Waiting {
    if (this.#waiting.size >= this.#queueLimit)
      throw new AuditError('AuditQueueFull', 'The audit sink is too slow: too many records wait');
    const waiting: Waiting = { key, record, line, state: 'queued', waiters: 0, settled: Promise.withResolvers() };
    // everyone may have given up by the time it fails
    waiting.settled.promise.catch(() => {});
    this.#waiting.set(key, waiting);
    this.#queue.push(waiting);
    this.#pumping ??= this.#pump();
    return waiting;
  }

  async #wait(waiting: Waiting): Promise<void> {
    waiting.waiters++;
    try {
      await within(this.#timeout, waiting.settled.promise);
    } catch (error) {
      this.#failed++;
      throw error;
    } finally {
      waiting.waiters--;
      // what nobody waits for, and nobody has begun to write, is never written: the caller was told that it failed
      if (waiting.waiters === 0 && waiting.state === 'queued') {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        this.#waiting.delete(waiting.key);
      }
    }
  }

  async #pump(): Promise<void> {
    while (this.#queue.length > 0) {
      // whoever comes in this turn of the event loop joins
      await new Promise((resolve) => setImmediate(resolve));
      const batch = this.#queue.splice(0, BATCH_LIMIT);
      for (const waiting of batch) waiting.state = 'writing';
      if (batch.length > 0) await this.#write(batch);
    }
    // in the same turn as the last look at the queue: who comes later starts it again
    this.#pumping = undefined;
  }

  async #write(batch: Waiting[]): Promise<void> {
    this.#busySince = performance.now();
    let failure: AuditError | undefined;
    try {
      await this.#sink.prepare();
      // prepare may have found some of them in the file
      const fresh = batch.filter(({ record }) => record !== undefined && !this.#ledger.has(record));
      if (fresh.length > 0) await this.#sink.append(fresh.map(({ line }) => line).join(''));
      this.#kept += fresh.length;
    } catch (error) {
      failure = new AuditError('AuditUnavailable', `The audit record cannot be kept: ${systemCode(error)}`, {
        cause: error,
      });
    }
    this.#busySince = undefined;
    this.#failure = failure === undefined ? undefined : systemCode(failure.cause);
    for (const waiting of batch) this.#settle(waiting, failure);
  }

  #settle(waiting: Waiting, failure: AuditError | undefined): void {
    const { record } = waiting;
    this.#waiting.delete(waiting.key);
    if (failure !== undefined) {
      waiting.settled.reject(failure);
      return;
    }
    if (record !== undefined) this.#ledger.apply(record);
    waiting.settled.resolve();
  }
}

function keyOf(record: AuditRecord): string {
  return record.phase === 'intent' ? `${record.id}/intent` : endKeyOf(record);
}

/** One for outcome and abandonment: there is one end. */
function endKeyOf(record: AuditRecord): string {
  return `${record.id}/end`;
}

async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(
    () => late.reject(new AuditError('AuditTimeout', `The audit sink did not answer within ${milliseconds} ms`)),
    milliseconds,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
