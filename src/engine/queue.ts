import type { Clock, Metrics } from '../ports.ts';
import { Heap } from './heap.ts';
import { FairLanes, Lane } from './lane.ts';

export type QueueMetrics = Pick<Metrics, 'queueDepth' | 'queueAdded' | 'queueWaited' | 'queueRetried'>;

export interface QueueOptions {
  /** Label of the metrics. */
  readonly controller: string;
  readonly clock: Clock;
  readonly metrics?: QueueMetrics;
  /** Waits after the first and, at most, after many failures in a row of one key. */
  readonly firstRetryMs?: number;
  readonly lastRetryMs?: number;
  readonly random?: () => number;
}

/** Timers follow the machine's monotonic clock; `clock` may jump ahead of it, so we look again this often. */
const longestSleepMs = 10_000;
/** One in so many takes goes to a key that failed before, or to one that is not urgent, however many others wait. */
const patientShare = 4;

interface Ready {
  readonly key: string;
  /** When it became ready, for the metric. */
  readonly since: number;
  readonly isUrgent: boolean;
}

interface Delayed {
  readonly key: string;
  readonly at: number;
}

/**
 * Keys to work on. A key waits once however often it is added, is never handed out twice at a time, and when added
 * while it is worked on is handed out once more afterwards. A key that waits for a time keeps the earliest.
 *
 * A key that keeps failing waits ever longer, and is in a lane of its own when its time has come, so that the others
 * do not wait for it. Urgent keys go first, their groups taking turns.
 */
export class WorkQueue {
  readonly #controller: string;
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics | undefined;
  readonly #firstRetryMs: number;
  readonly #lastRetryMs: number;
  readonly #random: () => number;
  readonly #urgent = new FairLanes<Ready>();
  readonly #fresh = new Lane<Ready>();
  readonly #retried = new Lane<Ready>();
  readonly #takers = new Lane<(key: string | undefined) => void>();
  /** Keys in a lane. An entry of a lane that is not here is void: its key was urged since, and taken. */
  readonly #ready = new Map<string, Ready>();
  readonly #working = new Set<string>();
  /** Keys added while they are worked on, with the group that they are urgent in. */
  readonly #again = new Map<string, string | undefined>();
  /** Keys that wait for a time. An entry of the heap that is not here is void: it costs less than to remove it. */
  readonly #waiting = new Map<string, Delayed>();
  readonly #heap = new Heap<Delayed>();
  readonly #failures = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #takes = 0;
  #closed = false;

  constructor(options: QueueOptions) {
    this.#controller = options.controller;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#firstRetryMs = options.firstRetryMs ?? 100;
    this.#lastRetryMs = options.lastRetryMs ?? 60_000;
    this.#random = options.random ?? Math.random;
  }

  /** Keys that could be taken now. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that wait for their time. */
  get delayed(): number {
    return this.#waiting.size;
  }

  /** To be worked on now, or once more when it is being worked on; before others where it is urgent in a group. */
  add(key: string, urgentIn?: string): void {
    if (this.#closed) return;
    this.#waiting.delete(key);
    if (this.#working.has(key)) this.#again.set(key, urgentIn ?? this.#again.get(key));
    else this.#makeReady(key, urgentIn);
  }

  /** To be worked on at a time (epoch ms), or earlier when it is to be anyway. */
  addAt(key: string, at: number): void {
    if (Number.isNaN(at)) throw new TypeError('the time to work on a key is not a number');
    if (this.#closed || this.#ready.has(key) || this.#again.has(key)) return;
    if (at <= this.#clock.now()) {
      this.add(key);
      return;
    }
    if (at >= (this.#waiting.get(key)?.at ?? Number.POSITIVE_INFINITY)) return;
    const entry = { key, at };
    this.#waiting.set(key, entry);
    this.#heap.push(entry);
    this.#dropVoid();
    this.#schedule();
  }

  addAfter(key: string, delayMs: number): void {
    this.addAt(key, this.#clock.now() + delayMs);
  }

  /** Counts a failure of the key, and adds it after a wait that doubles with each: half of it fixed, half random. */
  retry(key: string): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.#metrics?.queueRetried(this.#controller);
    const wait = Math.min(this.#lastRetryMs, this.#firstRetryMs * 2 ** failures);
    this.addAfter(key, (wait / 2) * (1 + this.#random()));
  }

  /** The key succeeded: its next failure is its first. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** The next key, as soon as there is one; undefined when shut down. Whoever takes it calls `done`. */
  take(): Promise<string | undefined> {
    const key = this.#closed ? undefined : this.#next();
    if (key !== undefined || this.#closed) return Promise.resolve(key);
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  done(key: string): void {
    this.#working.delete(key);
    const urgentIn = this.#again.get(key);
    if (this.#again.delete(key) && !this.#closed) this.#makeReady(key, urgentIn);
  }

  /** Nothing is handed out any more, and what waits is forgotten. */
  shutdown(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#waiting.clear();
    for (let taker = this.#takers.shift(); taker !== undefined; taker = this.#takers.shift()) taker(undefined);
  }

  #makeReady(key: string, urgentIn: string | undefined): void {
    const before = this.#ready.get(key);
    if (before && (urgentIn === undefined || before.isUrgent)) return;
    const entry: Ready = { key, since: before?.since ?? performance.now(), isUrgent: urgentIn !== undefined };
    this.#ready.set(key, entry);
    if (urgentIn !== undefined) this.#urgent.push(urgentIn, entry);
    else if (this.#failures.has(key)) this.#retried.push(entry);
    else this.#fresh.push(entry);
    if (before) return;
    this.#metrics?.queueAdded(this.#controller);
    this.#metrics?.queueDepth(this.#controller, this.#ready.size);
    const taker = this.#takers.shift();
    if (taker !== undefined) taker(this.#next());
  }

  #next(): string | undefined {
    const entry =
      this.#takes % patientShare === patientShare - 1
        ? this.#first(this.#retried, this.#fresh, this.#urgent)
        : this.#first(this.#urgent, this.#fresh, this.#retried);
    if (entry === undefined) return undefined;
    this.#takes += 1;
    this.#ready.delete(entry.key);
    this.#working.add(entry.key);
    this.#metrics?.queueDepth(this.#controller, this.#ready.size);
    this.#metrics?.queueWaited(this.#controller, (performance.now() - entry.since) / 1000);
    return entry.key;
  }

  #first(...lanes: readonly { shift(): Ready | undefined }[]): Ready | undefined {
    for (const lane of lanes) {
      for (let entry = lane.shift(); entry !== undefined; entry = lane.shift()) {
        if (this.#ready.get(entry.key) === entry) return entry;
      }
    }
    return undefined;
  }

  #wake(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    for (let next = this.#heap.peek(); next !== undefined && next.at <= now; next = this.#heap.peek()) {
      this.#heap.pop();
      if (this.#waits(next)) this.add(next.key);
    }
    this.#dropVoid();
    this.#schedule();
  }

  /** Void entries go when they come to the top, and all of them when they are the most of the heap. */
  #dropVoid(): void {
    for (let next = this.#heap.peek(); next !== undefined && !this.#waits(next); next = this.#heap.peek()) {
      this.#heap.pop();
    }
    if (this.#heap.size > 2 * this.#waiting.size + 64) this.#heap.retain((entry) => this.#waits(entry));
  }

  #waits(entry: Delayed): boolean {
    return this.#waiting.get(entry.key) === entry;
  }

  #schedule(): void {
    const next = this.#heap.peek();
    if (next === undefined || next.at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = next.at;
    // At least 1 ms: a timer may fire early by the fraction that it rounds away.
    const ms = Math.min(longestSleepMs, Math.max(1, next.at - this.#clock.now()));
    this.#timer = setTimeout(() => this.#wake(), ms);
  }
}
