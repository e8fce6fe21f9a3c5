/** How many rollouts Tokenwright has under way in the cluster at a time: first come, first served. */

/** A rollout that takes longer holds no place any more: the progress deadline of a Deployment unless set. */
const LONGEST_PLACE_MS = 600_000;
/** A place is kept for so long for a token that was told of it: else whoever is looked at just then would be faster. */
const KEPT_MS = 5_000;

export class RolloutBudget {
  readonly #limit: number;
  readonly #wake: (tokenKey: string) => void;
  /** By token key and workload UID: when it took its place, in epoch milliseconds. */
  readonly #places = new Map<string, Map<string, number>>();
  /** By token key, who waits longest first: until when a place is kept for it, in epoch milliseconds; 0 before it is woken. */
  readonly #waiting = new Map<string, number>();

  constructor(limit: number, wake: (tokenKey: string) => void) {
    this.#limit = limit;
    this.#wake = wake;
  }

  /** For one more rollout of this token. */
  hasRoom(tokenKey: string, nowMs: number): boolean {
    let taken = 0;
    for (const places of this.#places.values()) {
      for (const since of places.values()) if (nowMs - since < LONGEST_PLACE_MS) taken += 1;
    }
    for (const [key, keptUntil] of this.#waiting) if (key !== tokenKey && keptUntil > nowMs) taken += 1;
    return taken < this.#limit;
  }

  /** False when the last place went to another worker since `hasRoom`. */
  take(tokenKey: string, workloadUID: string, nowMs: number): boolean {
    if (!this.hasRoom(tokenKey, nowMs)) return false;
    const places = this.#places.get(tokenKey) ?? new Map<string, number>();
    places.set(workloadUID, nowMs);
    this.#places.set(tokenKey, places);
    this.#waiting.delete(tokenKey);
    return true;
  }

  /** The token found no room: it is woken when its turn comes, which it keeps. */
  wait(tokenKey: string): void {
    this.#waiting.set(tokenKey, 0);
  }

  /** What status says is under way: also how a restarted operator learns of the rollouts of its predecessor. */
  observe(tokenKey: string, rollingOut: readonly string[], nowMs: number): void {
    const before = this.#places.get(tokenKey);
    const after = new Map(rollingOut.map((uid) => [uid, before?.get(uid) ?? nowMs]));
    if (after.size > 0) this.#places.set(tokenKey, after);
    else this.#places.delete(tokenKey);
    this.#wakeNext(tokenKey, nowMs);
  }

  #wakeNext(except: string, nowMs: number): void {
    for (const [key, keptUntil] of this.#waiting) {
      if (key === except || keptUntil > nowMs) continue;
      // it was woken, and wants no place any more
      if (keptUntil > 0) this.#waiting.delete(key);
      else if (this.hasRoom(key, nowMs)) {
        this.#waiting.set(key, nowMs + KEPT_MS);
        this.#wake(key);
      } else return;
    }
  }
}
