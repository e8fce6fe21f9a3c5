/**
 * A state of the model is a row of small integers, so that it is copied and hashed in nanoseconds. What has structure
 * (an ApiToken, a Secret, the consumers, a planned write) is interned, and the row holds its number.
 *
 * resourceVersions are not in it. Of each, the protocol asks one thing only: is it still the newest? So a reader keeps a
 * flag, which every write to that object clears, and states that differ in bare counting are one.
 */
export type State = Int32Array;

export const TOKEN = 0;
/** What a lagging cache of ApiTokens may still show. */
export const TOKEN_BEFORE = 1;
export const SECRET = 2;
export const CONSUMERS = 3;
/** What a lagging cache of workloads may still show. */
export const CONSUMERS_BEFORE = 4;
export const NOW = 5;
/** The digest that the Secret held before, where it was replaced in this tick: a kubelet may still hand it out. */
export const REPLACED = 6;
/** Bits by version, for the ApiToken that lives: what any audit log has. */
export const AUDIT_INTENT = 7;
export const AUDIT_OUTCOME = 8;
export const AUDIT_ABANDONED = 9;
export const AUDIT_RETIRE = 10;
/** Bits by version: was in the Secret at some time. */
export const DELIVERED = 11;
/** The highest version that was ever in status. */
export const HIGHEST = 12;
/** What a user or the garbage collector did to the Secret: bits of HARMED. */
export const EXCUSED = 13;
/** Which key signs. */
export const KEY = 14;
/** A crash or a second operator explains a Next that nobody holds. */
export const VALUE_LOST = 15;

/** The TokenRevocation of the ApiToken. */
export const ORDER = 16;
export const PENDING_ORDER = 1;
/** The ApiToken has carried it out, and no verifier holds it any more. */
export const SEALED_ORDER = 2;

/** 1 while a policy forbids what the spec asks for. */
export const FORBIDDEN = 17;

/** The process that moved last, from 1; kept where preemptions are bounded. */
export const LAST_MOVED = 18;

export const BUDGETS = 19;
export const FAULTS = [
  'crash',
  'lostReply',
  'delay',
  'lagging',
  'deleteSecret',
  'alterToken',
  'alterData',
  'alterMetadata',
  'putOldBack',
  'recreate',
  'wipe',
  'request',
  'widen',
  'retemplate',
  'newWorkload',
  'evict',
  'newKey',
  'loseKey',
  'revoke',
  'changePolicy',
  'preempt',
] as const;
export type Fault = (typeof FAULTS)[number];
export const budgetOf = (fault: Fault) => BUDGETS + FAULTS.indexOf(fault);

export const PROCESSES = BUDGETS + FAULTS.length;
export const PC = 0;
/** What the process read or was told: an ApiToken, a Secret. */
export const READ_TOKEN = 1;
export const READ_SECRET = 2;
export const PLAN = 3;
/** The digest that its mint is about. */
export const PENDING = 4;
export const FLAGS = 5;
/** Ticks since it decided, or read again. */
export const AGE = 6;
/** Values in memory. */
export const HELD = 7;
export const HELD_MAX = 3;
/** Bits by version, in the audit log of this operator where each has its own: these outlive a crash. */
export const LOG_INTENT = HELD + HELD_MAX;
export const LOG_CLOSED = LOG_INTENT + 1;
export const PROCESS_SIZE = LOG_CLOSED + 1;
export const PROCESS_COUNT = 2;

export const FLIGHTS = PROCESSES + PROCESS_COUNT * PROCESS_SIZE;
export const FLIGHT_PLAN = 0;
/** 1: the annotation of a restart; 0: the only or the last write of its plan. */
export const FLIGHT_FIRST = 1;
export const FLIGHT_PENDING = 2;
export const FLIGHT_FLAGS = 3;
export const FLIGHT_AGE = 4;
export const FLIGHT_SIZE = 5;
export const FLIGHT_COUNT = 2;

export const STATE_SIZE = FLIGHTS + FLIGHT_COUNT * FLIGHT_SIZE;

/** Flags: what was read is still the newest. */
export const FRESH_TOKEN = 1;
export const FRESH_SECRET = 2;
export const FRESH_WORKLOAD = 4;

/** No good value was written since. */
export const HARMED = 1;
/** At any time. */
export const EVER_HARMED = 2;

export const processAt = (index: number) => PROCESSES + index * PROCESS_SIZE;
export const flightAt = (index: number) => FLIGHTS + index * FLIGHT_SIZE;

/** Two operators are alike: of a state and its mirror image, one stands for both. True when they changed places. */
export function orderProcesses(state: State): boolean {
  for (let i = 0; i < PROCESS_SIZE; i++) {
    const a = state[PROCESSES + i] ?? 0;
    const b = state[PROCESSES + PROCESS_SIZE + i] ?? 0;
    if (a < b) return false;
    if (a === b) continue;
    for (let j = 0; j < PROCESS_SIZE; j++) {
      const first = state[PROCESSES + j] ?? 0;
      state[PROCESSES + j] = state[PROCESSES + PROCESS_SIZE + j] ?? 0;
      state[PROCESSES + PROCESS_SIZE + j] = first;
    }
    const last = state[LAST_MOVED] ?? 0;
    if (last > 0) state[LAST_MOVED] = 3 - last;
    return true;
  }
  return false;
}

/** A set of states by 64 bits of hash: at 10 million states, the chance that any two collide is below 1 in 300,000. */
export class StateSet {
  #low: Uint32Array;
  #high: Uint32Array;
  #mask: number;
  size = 0;

  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#low = new Uint32Array(slots);
    this.#high = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** False when it was there. */
  add(state: State): boolean {
    let a = 0x9e3779b9;
    let b = 0x85ebca6b;
    for (let i = 0; i < STATE_SIZE; i++) {
      const word = state[i] ?? 0;
      a = Math.imul(a ^ word, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ (word + i), 0x1b873593);
      b = (b << 13) | (b >>> 19);
      b = (b + a) | 0;
    }
    a = finish(a ^ (b >>> 7));
    b = finish(b) || 1; // 0 marks an empty slot
    const [low, high] = [a >>> 0, b >>> 0];
    let slot = low & this.#mask;
    for (;;) {
      const found = this.#high[slot];
      if (found === 0) break;
      if (found === high && this.#low[slot] === low) return false;
      slot = (slot + 1) & this.#mask;
    }
    this.#low[slot] = low;
    this.#high[slot] = high;
    this.size += 1;
    return true;
  }
}

/** The last mix of MurmurHash3 (A. Appleby, public domain). */
function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
