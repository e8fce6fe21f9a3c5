/** A binary min-heap: the entry with the least `at` first. */
export class Heap<E extends { readonly at: number }> {
  #entries: E[] = [];

  get size(): number {
    return this.#entries.length;
  }

  peek(): E | undefined {
    return this.#entries[0];
  }

  push(entry: E): void {
    this.#entries.push(entry);
    this.#rise(this.#entries.length - 1, entry);
  }

  pop(): E | undefined {
    const first = this.#entries[0];
    const last = this.#entries.pop();
    if (last !== undefined && this.#entries.length > 0) this.#sink(0, last);
    return first;
  }

  /** Drops what is not to be kept. Linear. */
  retain(keep: (entry: E) => boolean): void {
    this.#entries = this.#entries.filter(keep);
    for (let at = (this.#entries.length >> 1) - 1; at >= 0; at -= 1) {
      const entry = this.#entries[at];
      if (entry !== undefined) this.#sink(at, entry);
    }
  }

  #rise(from: number, entry: E): void {
    const entries = this.#entries;
    let hole = from;
    while (hole > 0) {
      const above = (hole - 1) >> 1;
      const parent = entries[above];
      if (parent === undefined || parent.at <= entry.at) break;
      entries[hole] = parent;
      hole = above;
    }
    entries[hole] = entry;
  }

  #sink(from: number, entry: E): void {
    const entries = this.#entries;
    let hole = from;
    for (;;) {
      const left = 2 * hole + 1;
      const right = left + 1;
      const below = (entries[right]?.at ?? Number.POSITIVE_INFINITY) < (entries[left]?.at ?? 0) ? right : left;
      const child = entries[below];
      if (child === undefined || entry.at <= child.at) break;
      entries[hole] = child;
      hole = below;
    }
    entries[hole] = entry;
  }
}
