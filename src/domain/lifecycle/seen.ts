/**
 * What one look at the world shows of an ApiToken: the input of `decide`. Times are whole epoch seconds, because
 * status keeps no more.
 */
import type { Order } from '../revocation.ts';
import type { Seal, VersionRecord } from '../seal.ts';
import type { Digest, TokenID } from '../value.ts';
import type { Compliance } from './compliance.ts';

export interface TokenSpec {
  subject: string;
  purpose: string;
  environment: string;
  audiences: readonly string[];
  scopes: readonly string[];
  /** Lifetime of one version, in seconds. */
  ttl: number;
  /** End of the whole grant. */
  notAfter?: number;
  mode: 'Automatic' | 'Manual';
  renewBefore: number;
  /** Epoch seconds of the first run strictly later. */
  schedule?: { next(afterSeconds: number): number | undefined };
  /** Unless given, Previous is accepted until its own expiry. */
  overlap?: number;
  secretName: string;
  restart: 'Auto' | 'Always' | 'Never';
  suspended: boolean;
}

/** What the schema cannot refuse: the token stalls with this sentence until its spec is mended. */
export interface SpecProblem {
  reason: 'InvalidSchedule' | 'InvalidTimeZone' | 'InvalidTemplate';
  message: string;
}

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet';

export interface WorkloadRestart {
  kind: WorkloadKind;
  name: string;
  uid: string;
  state: 'RollingOut' | 'Done';
}

export interface Restarts {
  version: number;
  /** Pods created in this second or before it may hold an older value. */
  since: number;
  /** Workloads that still have to be restarted or to finish. */
  pending: number;
  workloads: readonly WorkloadRestart[];
}

export interface Failures {
  count: number;
  reason: string;
  message: string;
  lastTime: number;
  nextAttemptTime: number;
  observedGeneration: number;
}

/** The part of status that the protocol reads; what only people read is made by `describe`. */
export interface TokenStatus {
  observedGeneration: number;
  lastVersion: number;
  revokedThroughVersion: number;
  /** UIDs of revocations that are carried out, while anybody may hold them for pending. */
  handledRevocations: readonly string[];
  versions: readonly VersionRecord[];
  seal?: Seal;
  lastHandledRotateRequest?: string;
  restarts?: Restarts;
  failures?: Failures;
}

/** `old-key`: confirmed by a public key that no longer signs. `broken`: confirmed by none, so it proves nothing. */
export type SealState = 'absent' | 'valid' | 'old-key' | 'broken';

export type SecretSeen =
  | { is: 'absent' }
  /** There, but its controller is not this ApiToken's UID: never touched. */
  | { is: 'foreign'; owner: string }
  | {
      is: 'ours';
      /** Of the `token` key; absent when that key is. */
      digest?: Digest;
      /** Every data key but previous-token holds what it should for that version. */
      intact: boolean;
      /** Labels, annotations and previous-token are as declared. */
      asDeclared: boolean;
      settledFor?: number;
      /** Of the `version` key, unproved. */
      version?: number;
    };

export interface Consumer {
  kind: WorkloadKind;
  name: string;
  uid: string;
  /** `fixed`: keeps what it read at start (env, envFrom, subPath, init containers). `refreshing`: a mounted volume. */
  reads: 'fixed' | 'refreshing';
  rolledOut: boolean;
  /** Paused, or replaces no pod by itself (OnDelete): takes no place in the rollout budget. */
  inert: boolean;
  /** The version in our pod-template annotation. */
  annotated?: number;
  /** Undefined: not looked at. */
  pods?: {
    /** Not terminating, and created no later than `since`. */
    stale: number;
    /** A container of one started no later than `since`. */
    startedBefore: boolean;
  };
}

export interface ConsumersSeen {
  /** Listed live, pods included. Otherwise from the cache. */
  live: boolean;
  workloads: readonly Consumer[];
  /** Pods that read the Secret and belong to no listed workload, and how many of them are stale. Known when live. */
  loosePods: { total: number; stale: number };
}

export interface Seen {
  uid: string;
  tokenID: TokenID;
  generation: number;
  /** The ApiToken or its namespace has a deletionTimestamp. */
  deleting: boolean;
  rotateRequest?: string;
  /** Revocations that match and still mean something: unsealed, held for pending by somebody, or Block. Oldest first. */
  orders: readonly Order[];
  /** Of the handled ones: those that nobody can hold for pending any more. */
  pastOrders: ReadonlySet<string>;
  spec: { ok: true; spec: TokenSpec } | { ok: false; problem: SpecProblem };
  /** By the policies known now. */
  compliance: Compliance;
  status: TokenStatus;
  sealState: SealState;
  secret: SecretSeen;
  /** Digests of the values in this process's memory. */
  held: ReadonlySet<Digest>;
  consumers: ConsumersSeen;
  /** Whether one more rollout may start in the cluster now. */
  rolloutSlot: boolean;
}

export interface Tuning {
  /** Seconds after the value write before Previous may be retired early: kubelets may serve an older value that long. */
  settleAfter: number;
  /** Seconds after which a Next whose value nobody is known to hold is an orphan: the leader lease. */
  orphanAfter: number;
  /** Seconds between two mints that heal, so that a fight over the Secret stays bounded. */
  minHealInterval: number;
}

export const EMPTY_STATUS: TokenStatus = {
  observedGeneration: 0,
  lastVersion: 0,
  revokedThroughVersion: 0,
  handledRevocations: [],
  versions: [],
};

export function currentOf(status: TokenStatus): VersionRecord | undefined {
  return status.versions.find((v) => v.state === 'Current');
}
