/** The things of the small world, and the model that holds them: one ApiToken, its Secret, and who reads it. */
import { EMPTY_STATUS, type TokenSpec, type TokenStatus, type Tuning } from '../../src/domain/lifecycle/seen.ts';
import type { Order } from '../../src/domain/revocation.ts';
import type { Digest, TokenID } from '../../src/domain/value.ts';
import {
  BUDGETS,
  budgetOf,
  CONSUMERS,
  FAULTS,
  type Fault,
  LAST_MOVED,
  NOW,
  STATE_SIZE,
  type State,
  TOKEN,
  VALUE_LOST,
} from './encode.ts';
import { PROTOCOL, type Rules } from './rules.ts';

export interface ApiToken {
  /** 0, and 1 once it was deleted and made anew. */
  uid: number;
  generation: number;
  /** Which of two templates the Secret's data is to follow. */
  template: 0 | 1;
  /** The number of the newest rotate request. */
  request: number;
  /** The key that sealed the status; LOST_KEY where no public key confirms it. */
  key: number;
  status: TokenStatus;
  /** The conditions, as one text. */
  report: string;
}

export const LOST_KEY = -1;

export const REVOCATION: Order = {
  uid: 'uid-of-the-order',
  name: 'TokenRevocation model',
  versions: 'All',
  afterwards: 'Replace',
  reason: 'Compromised',
  sealed: false,
};

export interface Secret {
  owner: number;
  /** A number of `DIGESTS`; ALTERED for what nobody minted. */
  digest: number;
  version: number;
  intact: boolean;
  template: 0 | 1;
  asDeclared: boolean;
  settledFor: number;
}

export const isWhole = (secret: Secret, token: ApiToken) => secret.intact && secret.template === token.template;

export interface Pod {
  created: number;
  /** WAITING until it has read the Secret. */
  started: number;
  digest: number;
  /** Started while the Secret was a user's doing. */
  tainted: boolean;
}

export const WAITING = -1;

/** One replica. `loose` pods belong to no workload. */
export interface Workload {
  reads: 'fixed' | 'refreshing';
  loose: boolean;
  /** By UID of the ApiToken: the version in our annotation, 0 for none. */
  annotated: readonly [number, number];
  /** The template is newer than every pod; or the pod of the newest template is not ready. */
  rollout: 'none' | 'due' | 'underWay';
  /** By UID: bits of the versions that restarted it since the last wipe. */
  restartedFor: readonly [number, number];
  pods: readonly Pod[];
}

/** What a process sends next; computed when it decided. */
export type Plan =
  | { do: 'rest'; until: number | undefined }
  | { do: 'look' }
  | { do: 'status'; write: StatusWrite }
  | { do: 'mint'; write: StatusWrite; version: number; cause: string }
  | { do: 'secret'; what: 'writeSecret' | 'repair' | 'settle'; uid: number; secret: Secret; create: boolean }
  | { do: 'removeSecret'; uid: number }
  | { do: 'restart'; write: StatusWrite; workload: number; version: number };

export interface StatusWrite {
  what: string;
  uid: number;
  status: TokenStatus;
  key: number;
  report: string;
}

/** Versions are gone after it, and the audit log has the intent first. */
export const endsVersions = (write: StatusWrite) => write.what === 'retire' || write.what === 'revoke';

export interface Scenario {
  name: string;
  operators: 1 | 2;
  workloads: readonly Workload[];
  spec: (generation: number) => TokenSpec;
  tuning: Tuning;
  /** The search mints no further than to this version. */
  lastVersion?: number;
  /** How much time passes at most in a search. */
  ticks: number;
  /**
   * The longest time, in ticks, from a decision to the end of its write: the deadline of requests. Twice that must be less
   * than the overlap, or a value may be refused by the time that it reaches the Secret.
   */
  patience: number;
  /** Whether a pod may still get what the Secret held in the same tick. */
  kubeletLags: boolean;
  /** Each operator has an audit log of its own; otherwise they share one. */
  ownLogs: boolean;
  faults: Partial<Record<Fault, number>>;
  /** Before anything; after the first version; or after that, with a rotation asked for. */
  start: 'nothing' | 'issued' | 'requested';
  /** Search from every state of the fault-free run that follows, so that faults may strike at any point of it. */
  everywhere: boolean;
  /** What the search must have come to, at least once. */
  reaches: readonly string[];
}

export const ALTERED = 0;
const VERSIONS_MAX = 16;
export const LAST_VERSION = VERSIONS_MAX - 1;
/** A value that status vouches for is named by UID and version: no two values ever share one, or I9 is broken. */
export const digestOf = (uid: number, version: number) => uid * VERSIONS_MAX + version;
export const uidOfDigest = (digest: number) => Math.floor(digest / VERSIONS_MAX);
export const versionOfDigest = (digest: number) => digest % VERSIONS_MAX;
/** Values that are in no status yet. */
export const FIRST_PENDING = 2 * VERSIONS_MAX;
export const LAST_PENDING = FIRST_PENDING + 7;
export const DIGESTS: readonly Digest[] = Array.from({ length: LAST_PENDING + 1 }, (_, n) => `digest-${n}` as Digest);
export const TOKEN_IDS = ['token000' as TokenID, 'token001' as TokenID] as const;

/** Two that differ only in the order of their keys are one thing: a state is not counted twice. */
const inOrder = (_key: string, value: unknown) =>
  value instanceof Object && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value;

class Interner<T> {
  readonly #numbers = new Map<string, number>();
  readonly items: T[] = [];

  of(item: T): number {
    const text = JSON.stringify(item);
    let number = this.#numbers.get(text);
    if (number === undefined) {
      const ordered = JSON.stringify(item, inOrder);
      number = this.#numbers.get(ordered) ?? this.items.push(item) - 1;
      this.#numbers.set(text, number).set(ordered, number);
    }
    return number;
  }

  get(number: number): T {
    const item = this.items[number];
    if (item === undefined) throw new RangeError(`nothing has the number ${number}`);
    return item;
  }
}

/** One scenario under one set of rules, and everything that was ever seen in it. */
export class Model {
  readonly scenario: Scenario;
  readonly rules: Rules;
  readonly tokens = new Interner<ApiToken>();
  readonly secrets = new Interner<Secret | undefined>();
  readonly consumers = new Interner<readonly Workload[]>();
  readonly plans = new Interner<Plan>();
  /** Results of `decide`, which is pure: by what was read, then by the rest. */
  readonly decided = new Map<number, Map<number | string, number>>();
  readonly written = new Map<number, number>();
  readonly specs: TokenSpec[] = [];
  readonly reached = new Map<string, number>();
  /** Until when the last process that came to rest would sleep. */
  rested: number | undefined;
  /** No process mints beyond it. */
  lastVersion = LAST_VERSION;
  /** Time goes no further in a search. */
  lastTick = Number.POSITIVE_INFINITY;
  /** The first broken invariant of the step just taken. */
  violation: string | undefined;
  /** A process whose write can only fail starts over at once. Sound, and saves states; scripts look at each step. */
  readonly eager: boolean;

  constructor(scenario: Scenario, rules: Rules = PROTOCOL, eager = true) {
    this.scenario = scenario;
    this.rules = rules;
    this.eager = eager;
    this.secrets.of(undefined);
    this.plans.of({ do: 'rest', until: undefined });
  }

  initial(): State {
    const state = new Int32Array(STATE_SIZE);
    const token: ApiToken = {
      uid: 0,
      generation: 1,
      template: 0,
      request: 0,
      key: 0,
      status: EMPTY_STATUS,
      report: '',
    };
    state[TOKEN] = this.tokens.of(token);
    state[CONSUMERS] = this.consumers.of(this.scenario.workloads);
    state[NOW] = 1;
    state[VALUE_LOST] = this.scenario.operators - 1;
    return state;
  }

  /** The faults of the scenario from here on. */
  withFaults(state: State): State {
    const copy = Int32Array.from(state);
    for (const fault of FAULTS) copy[budgetOf(fault)] = this.scenario.faults[fault] ?? 0;
    copy[LAST_MOVED] = this.scenario.faults.preempt === undefined ? 0 : 1;
    return copy;
  }

  withoutFaults(state: State): State {
    const copy = Int32Array.from(state);
    copy.fill(0, LAST_MOVED, BUDGETS + FAULTS.length);
    return copy;
  }

  specOf(token: ApiToken): TokenSpec {
    this.specs[token.generation] ??= this.scenario.spec(token.generation);
    return this.specs[token.generation] as TokenSpec;
  }

  tokenAt(state: State, slot: number): ApiToken {
    return this.tokens.get(state[slot] ?? 0);
  }

  secretAt(state: State, slot: number): Secret | undefined {
    return this.secrets.items[state[slot] ?? 0];
  }

  consumersAt(state: State, slot: number): readonly Workload[] {
    return this.consumers.get(state[slot] ?? 0);
  }

  planAt(state: State, slot: number): Plan {
    return this.plans.get(state[slot] ?? 0);
  }

  reach(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
  }

  breaks(invariant: string): void {
    this.violation ??= invariant;
  }
}
