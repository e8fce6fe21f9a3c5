/** Kubernetes Events, best effort: they tell people what happened, nothing depends on them. */
import { randomInt } from 'node:crypto';
import { type Clock, type EventNote, type EventRecorder, type KubeClient, KubeError } from '../ports.ts';
import {
  cutToBytes,
  EVENTS,
  type EventObject,
  microTime,
  NAME_LIMIT,
  NOTE_LIMIT,
  type ObjectReference,
} from './event-api.ts';
import { redact } from './redact.ts';

export interface EventOptions {
  client: KubeClient;
  clock: Clock;
  /** The pod's name. */
  reportingInstance: string;
  /** Writes a second in the long run, and how many at once. */
  writesPerSecond?: number;
  burst?: number;
  /** Events that wait; Warnings may use all of it, Normal ones nine tenths. */
  queueLimit?: number;
}

export interface EventCounts {
  written: number;
  /** Repeats that were counted in a series rather than written. */
  repeated: number;
  /** Lost: no room, or the API server refused. */
  dropped: number;
}

const CONTROLLER = 'tokenwright.dev/operator';
/** KEP-383: a repeat within six minutes belongs to the series. */
const SERIES_MILLISECONDS = 6 * 60_000;
/** A series is written at most this often, however fast it repeats. */
const SERIES_WRITE_MILLISECONDS = 30_000;
const SERIES_LIMIT = 4_096;
const ATTEMPTS = 4;

interface Series {
  event: EventObject;
  count: number;
  /** Count that the API server knows; 0 while the Event itself waits. */
  written: number;
  lastObserved: number;
  lastWrite: number;
  queued: boolean;
  attempts: number;
}

/** Writes from a bounded queue, one call at a time. `event` returns at once and never throws; `stop` writes what waits. */
export class KubeEventRecorder implements EventRecorder {
  readonly #options: Required<EventOptions>;
  readonly #series = new Map<string, Series>();
  readonly #queue: Series[] = [];
  readonly #counts: EventCounts = { written: 0, repeated: 0, dropped: 0 };
  /** Differs between operators, so that two Events of one millisecond have two names. */
  #sequence = randomInt(1_000_000);
  #allowance: number;
  #allowanceTime: number;
  #notBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerTime = Number.POSITIVE_INFINITY;
  #writing: Promise<void> | undefined;
  #stopping = false;

  constructor(options: EventOptions) {
    this.#options = { writesPerSecond: 25, burst: 100, queueLimit: 2_000, ...options };
    this.#allowance = this.#options.burst;
    this.#allowanceTime = options.clock.now();
  }

  get counts(): Readonly<EventCounts> {
    return this.#counts;
  }

  event(regarding: ObjectReference, event: EventNote): void {
    try {
      this.#take(regarding, event);
    } catch {
      this.#counts.dropped++;
    }
  }

  /** Writes what waits, series included, for at most `milliseconds`; what is left then is dropped. */
  async stop(milliseconds = 2_000): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    for (const series of this.#series.values()) this.#enqueue(series);
    let timeout: NodeJS.Timeout | undefined;
    const timedOut = new Promise<void>((resolve) => {
      timeout = setTimeout(resolve, milliseconds);
    });
    await Promise.race([this.#flush(), timedOut]);
    clearTimeout(timeout);
    this.#counts.dropped += this.#queue.length;
    this.#queue.length = 0;
  }

  #take(regarding: ObjectReference, { type, reason, action, note }: EventNote): void {
    const now = this.#options.clock.now();
    const text = cutToBytes(redact(note), NOTE_LIMIT);
    const key = [regarding.uid, type, reason, action, text].join('\n');
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastObserved < SERIES_MILLISECONDS) {
      known.count++;
      known.lastObserved = now;
      this.#counts.repeated++;
      this.#wakeAt(dueTime(known));
      return;
    }
    const room = type === 'Warning' ? this.#options.queueLimit : this.#options.queueLimit * 0.9;
    if (this.#stopping || this.#queue.length >= room) {
      this.#counts.dropped++;
      return;
    }
    const series: Series = {
      event: this.#compose(regarding, { type, reason, action, note: text }, now),
      count: 1,
      written: 0,
      lastObserved: now,
      lastWrite: now,
      queued: false,
      attempts: 0,
    };
    // inserted last: the map is in the order of age
    this.#series.delete(key);
    this.#series.set(key, series);
    this.#enqueue(series);
    this.#forget(now);
    this.#wakeAt(now + this.#waitForAllowance(now));
  }

  #compose(regarding: ObjectReference, { type, reason, action, note }: EventNote, now: number): EventObject {
    const { apiVersion, kind, namespace, name, uid } = regarding;
    this.#sequence = (this.#sequence + 1) % 1_000_000;
    // as client-go names them: the object, and nanoseconds in hexadecimal
    const suffix = (BigInt(now) * 1_000_000n + BigInt(this.#sequence)).toString(16);
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${name}.${suffix}`, namespace },
      eventTime: microTime(now),
      reportingController: CONTROLLER,
      reportingInstance: cutToBytes(this.#options.reportingInstance, NAME_LIMIT),
      action: cutToBytes(action, NAME_LIMIT),
      reason: cutToBytes(reason, NAME_LIMIT),
      regarding: { apiVersion, kind, namespace, name, uid },
      note,
      type,
    };
  }

  /** Drops series that nothing can join any more, and the oldest beyond the limit. */
  #forget(now: number): void {
    for (const [key, series] of this.#series) {
      const over = this.#series.size > SERIES_LIMIT;
      if (!over && now - series.lastObserved < SERIES_MILLISECONDS) return;
      if (series.count > series.written) this.#enqueue(series);
      this.#series.delete(key);
    }
  }

  #enqueue(series: Series): void {
    if (series.queued || series.count === series.written) return;
    series.queued = true;
    this.#queue.push(series);
  }

  /** One timer for all: the next write that is allowed, or the next series that is due. */
  #wakeAt(time: number): void {
    if (this.#stopping || this.#writing !== undefined || time >= this.#timerTime) return;
    clearTimeout(this.#timer);
    this.#timerTime = time;
    this.#timer = setTimeout(() => this.#wake(), Math.max(0, time - this.#options.clock.now()));
    this.#timer.unref();
  }

  #wake(): void {
    this.#timerTime = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    for (const series of this.#series.values()) if (now >= dueTime(series)) this.#enqueue(series);
    this.#writing = this.#drain().finally(() => {
      this.#writing = undefined;
      this.#wakeAgain();
    });
  }

  #wakeAgain(): void {
    const now = this.#options.clock.now();
    let time = this.#queue.length > 0 ? now + this.#waitForAllowance(now) : Number.POSITIVE_INFINITY;
    for (const series of this.#series.values()) time = Math.min(time, dueTime(series));
    this.#wakeAt(time);
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#stopping) {
      const now = this.#options.clock.now();
      if (this.#waitForAllowance(now) > 0) return;
      this.#allowance--;
      await this.#writeNext();
    }
  }

  /** Without the rate limit: the process is about to end. */
  async #flush(): Promise<void> {
    await this.#writing;
    while (this.#queue.length > 0) await this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    const series = this.#queue.shift();
    if (series === undefined) return;
    series.queued = false;
    const count = series.count;
    try {
      await this.#write(series, count);
      series.written = count;
      series.attempts = 0;
      this.#counts.written++;
    } catch (error) {
      this.#failed(series, count, error);
    }
    series.lastWrite = this.#options.clock.now();
  }

  async #write(series: Series, count: number): Promise<void> {
    const { metadata } = series.event;
    const { client } = this.#options;
    if (series.written === 0) {
      const repeats = count > 1 ? { series: { count, lastObservedTime: microTime(series.lastObserved) } } : {};
      await client.create(EVENTS, { ...series.event, ...repeats });
      return;
    }
    const key = { namespace: metadata.namespace ?? '', name: metadata.name };
    await client.mergePatch(EVENTS, key, { series: { count, lastObservedTime: microTime(series.lastObserved) } });
  }

  #failed(series: Series, count: number, error: unknown): void {
    const reason = error instanceof KubeError ? error.reason : 'Unknown';
    if (reason === 'AlreadyExists') {
      // our own name: an earlier try took effect although its answer was lost
      series.written = count;
      this.#counts.written++;
      return;
    }
    series.attempts++;
    const transient = error instanceof KubeError && (error.transient || reason === 'TooManyRequests');
    if (transient && series.attempts < ATTEMPTS && !this.#stopping) {
      const seconds = (error instanceof KubeError ? error.retryAfterSeconds : undefined) ?? 2 ** (series.attempts - 1);
      this.#notBefore = this.#options.clock.now() + Math.min(seconds, 60) * 1000;
      this.#enqueue(series);
      return;
    }
    this.#counts.dropped++;
    // the Event has expired on the API server: the next repeat is a new one
    if (reason === 'NotFound') series.lastObserved = Number.NEGATIVE_INFINITY;
    series.written = count;
    series.attempts = 0;
  }

  /** Milliseconds until a write is allowed: a token bucket, and what the API server asked for. */
  #waitForAllowance(now: number): number {
    const { burst, writesPerSecond } = this.#options;
    const gained = ((now - this.#allowanceTime) / 1000) * writesPerSecond;
    this.#allowance = Math.min(burst, this.#allowance + gained);
    this.#allowanceTime = now;
    const forToken = this.#allowance >= 1 ? 0 : ((1 - this.#allowance) / writesPerSecond) * 1000;
    return Math.ceil(Math.max(forToken, this.#notBefore - now, 0));
  }
}

/** When repeats of it are written next; never while there are none, or while it waits in the queue. */
function dueTime(series: Series): number {
  return series.queued || series.count === series.written
    ? Number.POSITIVE_INFINITY
    : series.lastWrite + SERIES_WRITE_MILLISECONDS;
}
