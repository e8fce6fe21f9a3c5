import type { Clock } from '../ports.ts';

/** How long one answer of the API server counts. Two windows are kept, so a bound lives 5 to 10 minutes. */
const windowMs = 300_000;

/**
 * The later of the machine's clock and the API server's, and never going backwards: a machine whose clock is behind or
 * was set back cannot stretch a token's life.
 *
 * The server's time is known from the Date headers of its answers (RFC 9110, 6.6.1) as a lower bound: the header's
 * second, plus the monotonic time since it came. Bounds are forgotten after 10 minutes, because the monotonic clock
 * may run faster than the server's.
 */
export class ServerClock implements Clock {
  readonly #wall: () => number;
  readonly #monotonic: () => number;
  /** Server time less monotonic time: the greatest of this window, and of the one before. */
  #offset = Number.NEGATIVE_INFINITY;
  #earlierOffset = Number.NEGATIVE_INFINITY;
  #windowEnd = Number.NEGATIVE_INFINITY;
  #latest = 0;
  #header = '';

  constructor(sources: { wall?: () => number; monotonic?: () => number } = {}) {
    this.#wall = sources.wall ?? Date.now;
    this.#monotonic = sources.monotonic ?? (() => performance.now());
  }

  now(): number {
    const monotonic = this.#monotonic();
    this.#turn(monotonic);
    const server = monotonic + Math.max(this.#offset, this.#earlierOffset);
    this.#latest = Math.max(this.#latest, this.#wall(), Math.floor(server));
    return this.#latest;
  }

  /** Takes note of a Date header. What is not a date is ignored. */
  observe(header: string | undefined): void {
    // The same second again could only lower the bound.
    if (header === undefined || header === this.#header) return;
    const server = Date.parse(header);
    if (Number.isNaN(server)) return;
    this.#header = header;
    const monotonic = this.#monotonic();
    this.#turn(monotonic);
    this.#offset = Math.max(this.#offset, server - monotonic);
  }

  #turn(monotonic: number): void {
    if (monotonic < this.#windowEnd) return;
    this.#earlierOffset = monotonic < this.#windowEnd + windowMs ? this.#offset : Number.NEGATIVE_INFINITY;
    this.#offset = Number.NEGATIVE_INFINITY;
    this.#windowEnd = monotonic + windowMs;
  }
}
