/**
 * How long ago the verifier knew for certain what is revoked. A watch that says nothing proves nothing. By the monotonic clock, which no step
 * of the machine's clock can hold still.
 */
export class Freshness {
  readonly #monotonic: () => number;
  #provedAt = Number.NEGATIVE_INFINITY;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** @param at when the lists that prove it were asked for, by the same clock: they may be as old as that */
  proved(at: number): void {
    this.#provedAt = Math.max(this.#provedAt, at);
  }

  /** In seconds; infinite before the first proof. */
  age(): number {
    return (this.#monotonic() - this.#provedAt) / 1000;
  }
}
