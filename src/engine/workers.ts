import { KubeError, type Logger, type Metrics } from '../ports.ts';
import type { WorkQueue } from './queue.ts';

export interface ReconcileResult {
  /** Epoch ms. Reconcile again then, or earlier when something changes. Never unless given. */
  readonly requeueAt?: number | undefined;
}

/** Brings one object to the state wanted of it. Throws to be called again after a back-off. */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<ReconcileResult>;

export interface WorkersOptions {
  readonly controller: string;
  readonly queue: WorkQueue;
  readonly reconcile: Reconcile;
  readonly log: Logger;
  readonly metrics?: Pick<Metrics, 'reconciled'>;
  readonly concurrency?: number;
}

/** For those that heed the signal to end. */
const graceMs = 100;

/** Runs reconciles from a queue: several at a time, of one key never two. */
export class Workers {
  readonly #options: WorkersOptions;
  readonly #aborting = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  start(): this {
    const { concurrency = 16 } = this.#options;
    this.#running ??= Promise.all(Array.from({ length: concurrency }, () => this.#work()));
    return this;
  }

  /**
   * Starts no more reconciles, and waits for those that run. After the deadline their signal fires, and those that do
   * not heed it are left behind. Returns whether all ended before the deadline. A deadline of 0 fires it at once.
   */
  async stop(deadlineMs: number): Promise<boolean> {
    this.#options.queue.shutdown();
    const drained = await this.#endsWithin(deadlineMs);
    if (drained) return true;
    this.#aborting.abort();
    await this.#endsWithin(graceMs);
    return false;
  }

  async #endsWithin(ms: number): Promise<boolean> {
    if (this.#running === undefined) return true;
    if (ms <= 0) return false;
    const timeout = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => timeout.resolve(false), ms);
    const ended = this.#running.then(() => true);
    return Promise.race([ended, timeout.promise]).finally(() => clearTimeout(timer));
  }

  async #work(): Promise<void> {
    const { queue } = this.#options;
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      await this.#reconcile(key);
      queue.done(key);
    }
  }

  async #reconcile(key: string): Promise<void> {
    const { controller, queue, reconcile, metrics } = this.#options;
    const start = performance.now();
    const report = (result: 'success' | 'requeue' | 'error') =>
      metrics?.reconciled(controller, result, (performance.now() - start) / 1000);
    try {
      const { requeueAt } = await reconcile(key, this.#aborting.signal);
      queue.forget(key);
      if (requeueAt !== undefined) queue.addAt(key, requeueAt);
      report(requeueAt === undefined ? 'success' : 'requeue');
    } catch (error) {
      if (this.#aborting.signal.aborted) return;
      queue.retry(key);
      report('error');
      this.#tell(key, error);
    }
  }

  #tell(key: string, error: unknown): void {
    const { controller, log } = this.#options;
    if (!(error instanceof KubeError)) {
      log.error({ controller, key, ...describe(error) }, 'reconcile failed unexpectedly, trying again');
      return;
    }
    const fields = { controller, key, reason: error.reason, error: error.message };
    // A conflict is how two writers agree, not a fault.
    if (error.reason === 'Conflict') log.debug(fields, 'reconcile met a conflict, trying again');
    else log.warn(fields, 'reconcile failed, trying again');
  }
}

function describe(error: unknown): { error: string; stack?: string[] } {
  if (!(error instanceof Error)) return { error: typeof error };
  // JSON.parse quotes its input, which may be a Secret's.
  const message = error instanceof SyntaxError ? '' : `: ${error.message}`;
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return { error: `${error.name}${message}`, stack: frames.map((line) => line.trim()) };
}
