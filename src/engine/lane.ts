/** Lanes that take turns, one for each group: a long one does not hold up a short one. */
export class FairLanes<E> {
  /** Never empty ones; the next turn is the first one's. */
  readonly #lanes = new Map<string, Lane<E>>();

  push(group: string, entry: E): void {
    const lane = this.#lanes.get(group) ?? new Lane<E>();
    lane.push(entry);
    this.#lanes.set(group, lane);
  }

  shift(): E | undefined {
    for (const [group, lane] of this.#lanes) {
      const entry = lane.shift();
      this.#lanes.delete(group);
      if (lane.size > 0) this.#lanes.set(group, lane);
      return entry;
    }
    return undefined;
  }
}

/** First in, first out, in constant time. */
export class Lane<E> {
  #entries: (E | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#entries.length - this.#head;
  }

  push(entry: E): void {
    this.#entries.push(entry);
  }

  shift(): E | undefined {
    if (this.size === 0) return undefined;
    const entry = this.#entries[this.#head];
    this.#entries[this.#head] = undefined;
    this.#head += 1;
    // Half of it is spent: copying the rest is paid for by the shifts before.
    if (this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }
}
