/**
 * How long ago the verifier knew for certain what is revoked: by a quorum list of the pending revocations, counted from when it was asked
 * for. A watch that says nothing proves nothing. By the monotonic clock, which no step of the machine's clock can hold still.
 */
export class Freshness {
  readonly #monotonic: () => number;
  #provedAt = Number.NEGATIVE_INFINITY;

  constructor(monotonic: () => number = () => performance.now()) {
    this.#monotonic = monotonic;
  }

  /** Carries out one proof; throws what it throws. */
  async prove(list: () => Promise<void>): Promise<void> {
    const asked = this.#monotonic();
    await list();
    this.#provedAt = Math.max(this.#provedAt, asked);
  }

  /** In seconds; infinite before the first proof. */
  age(): number {
    return (this.#monotonic() - this.#provedAt) / 1000;
  }
}
