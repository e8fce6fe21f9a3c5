/** How many rollouts Tokenwright has under way in the cluster at a time. */

/** A rollout that takes longer holds no place any more: the progress deadline of a Deployment unless set. */
const LONGEST_PLACE_MS = 600_000;

export class RolloutBudget {
  readonly #limit: number;
  readonly #wake: (tokenKey: string) => void;
  /** By token key and workload UID: when it took its place, in epoch milliseconds. */
  readonly #places = new Map<string, Map<string, number>>();
  readonly #waiting = new Set<string>();

  constructor(limit: number, wake: (tokenKey: string) => void) {
    this.#limit = limit;
    this.#wake = wake;
  }

  hasRoom(nowMs: number): boolean {
    let taken = 0;
    for (const places of this.#places.values()) {
      for (const since of places.values()) if (nowMs - since < LONGEST_PLACE_MS) taken += 1;
    }
    return taken < this.#limit;
  }

  /** False when the last place went to another worker since `hasRoom`. */
  take(tokenKey: string, workloadUID: string, nowMs: number): boolean {
    if (!this.hasRoom(nowMs)) return false;
    const places = this.#places.get(tokenKey) ?? new Map<string, number>();
    places.set(workloadUID, nowMs);
    this.#places.set(tokenKey, places);
    return true;
  }

  /** The token waits for a place: it is woken when one is free. */
  wait(tokenKey: string): void {
    this.#waiting.add(tokenKey);
  }

  /** What status says is under way: also how a restarted operator learns of the rollouts of its predecessor. */
  observe(tokenKey: string, rollingOut: readonly string[], nowMs: number): void {
    const before = this.#places.get(tokenKey);
    if (!before && rollingOut.length === 0) return;
    const after = new Map(rollingOut.map((uid) => [uid, before?.get(uid) ?? nowMs]));
    if (after.size > 0) this.#places.set(tokenKey, after);
    else this.#places.delete(tokenKey);
    if (after.size < (before?.size ?? 0)) this.#wakeOne(tokenKey);
  }

  #wakeOne(except: string): void {
    for (const key of this.#waiting) {
      if (key === except) continue;
      this.#waiting.delete(key);
      this.#wake(key);
      return;
    }
  }
}
