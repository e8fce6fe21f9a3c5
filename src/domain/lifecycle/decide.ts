/**
 * One look, one next action. Pure, so that the same function runs in the model checker and against a real API server;
 * docs/protocol.md says why the steps stand in this order.
 */
import type { Order } from '../revocation.ts';
import type { VersionRecord } from '../seal.ts';
import type { Digest } from '../value.ts';
import { effectiveExpiry, nextRotation } from './due.ts';
import { blockOf, dueOrders, unhandledOrders } from './orders.ts';
import { consumersDone, planRestarts, sameRestarts } from './restarts.ts';
import {
  type Consumer,
  currentOf,
  type Restarts,
  type Seen,
  type SpecProblem,
  type TokenSpec,
  type TokenStatus,
  type Tuning,
} from './seen.ts';
import { isWithinGrant, widened } from './transitions.ts';

export type MintCause =
  | 'Issued'
  | 'Revoked'
  | 'SecretMissing'
  | 'SecretAltered'
  | 'SealInvalid'
  | 'OrphanedVersion'
  | 'Requested'
  | 'SpecChanged'
  | 'Expiring'
  | 'Scheduled';

/** Why nothing can be done until somebody changes something. */
export type Standstill =
  | { why: 'Deleting' }
  | { why: 'Blocked'; order: Order }
  | { why: 'TooManyRevocations' }
  | { why: 'SpecProblem'; problem: SpecProblem }
  | { why: 'SecretConflict'; owner: string }
  | { why: 'Suspended' }
  /** A version is due, and no policy allows it, or one forbids it. */
  | { why: 'Forbidden' }
  | { why: 'GrantEnded' }
  | { why: 'TooManyVersions' };

export type Action =
  | { do: 'revoke'; orders: readonly Order[] }
  | { do: 'mint'; cause: MintCause }
  | { do: 'writeSecret'; version: number; digest: Digest }
  | { do: 'promote'; version: number }
  /** Observe again, consumers listed live. */
  | { do: 'look' }
  | { do: 'restart'; consumer: Consumer }
  | { do: 'recordRestarts'; restarts: Restarts }
  /** Write the Secret's metadata and previous-token as declared. The value stays. */
  | { do: 'repair' }
  /** The same write with the mark that fences off every Secret write in flight. */
  | { do: 'settle'; current: number }
  | { do: 'retire'; versions: readonly number[]; reason: 'Settled' | 'OverlapEnded' }
  | { do: 'removeSecret' }
  | { do: 'endGrant' }
  | { do: 'reseal' }
  /** Nothing to do before `until` (epoch seconds), unless something changes. */
  | { do: 'wait'; until?: number; standstill?: Standstill };

/** Status keeps at most this many; under a fight over the Secret, minting stops here until an overlap ends. */
export const MAX_VERSIONS = 16;
/** Rollouts and consumers outside our watches are looked at again after this many seconds. */
const LOOK_AGAIN = 15;

interface Plan {
  action?: Action;
  wake?: number | undefined;
  standstill?: Standstill;
}

/** The stages, in order: the first that has something to do, does it; else each says when to look again. */
const STAGES: readonly ((seen: Seen, spec: TokenSpec, now: number, tuning: Tuning) => Plan)[] = [
  finishRotation,
  renew,
  keepSecretAsDeclared,
  rollOut,
  retirePrevious,
  keepSealFresh,
];

export function decide(seen: Seen, now: number, tuning: Tuning): Action {
  // whatever else stands in the way, a back-off too: this ends access
  const due = dueOrders(seen);
  if (due.length > 0) return { do: 'revoke', orders: due };
  if (seen.deleting) return { do: 'wait', standstill: { why: 'Deleting' } };
  const block = blockOf(seen);
  if (block) {
    return seen.secret.is === 'ours'
      ? { do: 'removeSecret' }
      : { do: 'wait', standstill: { why: 'Blocked', order: block } };
  }
  if (unhandledOrders(seen).length > 0) {
    return { do: 'wait', until: now + LOOK_AGAIN, standstill: { why: 'TooManyRevocations' } };
  }
  if (!seen.spec.ok) return { do: 'wait', standstill: { why: 'SpecProblem', problem: seen.spec.problem } };
  const spec = seen.spec.spec;
  if (!isWithinGrant(spec, now)) return endTheGrant(seen);
  if (seen.secret.is === 'foreign') {
    return {
      do: 'wait',
      standstill: { why: 'SecretConflict', owner: seen.secret.owner },
      ...(spec.notAfter && { until: spec.notAfter }),
    };
  }
  let until = spec.notAfter;
  let standstill: Standstill | undefined;
  for (const stage of STAGES) {
    const plan = stage(seen, spec, now, tuning);
    if (plan.action) return plan.action;
    until = earlier(until, plan.wake);
    standstill ??= plan.standstill;
  }
  return { do: 'wait', ...(until !== undefined && { until }), ...(standstill && { standstill }) };
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function endTheGrant(seen: Seen): Action {
  if (seen.secret.is === 'ours') return { do: 'removeSecret' };
  if (seen.status.versions.length > 0) return { do: 'endGrant' };
  return { do: 'wait', standstill: { why: 'GrantEnded' } };
}

/** The version that the Secret holds whole, if status vouches for it. */
function heldBySecret(seen: Seen): VersionRecord | undefined {
  if (seen.secret.is !== 'ours' || !seen.secret.intact || seen.sealState === 'broken') return undefined;
  const { digest } = seen.secret;
  return seen.status.versions.find((v) => v.digest === digest);
}

function backedOffUntil(seen: Seen, now: number): number | undefined {
  const { failures } = seen.status;
  if (!failures || failures.observedGeneration !== seen.generation) return undefined;
  return failures.nextAttemptTime > now ? failures.nextAttemptTime : undefined;
}

/** Steps 3 and 4, for what was minted. */
function finishRotation(seen: Seen, _spec: TokenSpec, now: number): Plan {
  if (seen.sealState === 'broken') return {};
  const written = heldBySecret(seen);
  if (written?.state === 'Next') {
    // After the value write, so that every reader that may hold an older value is in the list.
    if (written.version > 1 && !seen.consumers.live) return { action: { do: 'look' } };
    return { action: { do: 'promote', version: written.version } };
  }
  const next = seen.status.versions.find(
    (v) => v.state === 'Next' && seen.held.has(v.digest) && v.expirationTime > now,
  );
  if (!next) return {};
  const wake = backedOffUntil(seen, now);
  return wake === undefined ? { action: { do: 'writeSecret', version: next.version, digest: next.digest } } : { wake };
}

/** Step 1 and 2: is a new version needed, and may it be minted now? */
function renew(seen: Seen, spec: TokenSpec, now: number, tuning: Tuning): Plan {
  const nexts = seen.sealState === 'broken' ? [] : seen.status.versions.filter((v) => v.state === 'Next');
  if (nexts.some((v) => seen.held.has(v.digest) && v.expirationTime > now)) return {};
  if (spec.suspended) return { standstill: { why: 'Suspended' } };
  if (nexts.length > 0) {
    // Whoever minted the youngest may be about to write it; past the lease, its value is lost.
    const orphanTime = Math.max(...nexts.map((v) => v.issueTime)) + tuning.orphanAfter;
    return now < orphanTime ? { wake: orphanTime } : mint(seen, now, 'OrphanedVersion');
  }
  const need = mintNeed(seen, spec, now);
  if (!need) return {};
  if (need.at > now) return { wake: need.at };
  if (need.cause === 'SecretMissing' || need.cause === 'SecretAltered') {
    const calm = Math.max(0, ...seen.status.versions.map((v) => v.issueTime)) + tuning.minHealInterval;
    if (now < calm) return { wake: calm };
  }
  return mint(seen, now, need.cause);
}

/** The one way to a new version, healing included: what was minted before is finished by finishRotation, whatever policies say. */
function mint(seen: Seen, now: number, cause: MintCause): Plan {
  if (!seen.compliance.allows) return { standstill: { why: 'Forbidden' } };
  const wake = backedOffUntil(seen, now);
  if (wake !== undefined) return { wake };
  if (seen.sealState !== 'broken' && seen.status.versions.length >= MAX_VERSIONS)
    return { standstill: { why: 'TooManyVersions' } };
  return { action: { do: 'mint', cause } };
}

function mintNeed(seen: Seen, spec: TokenSpec, now: number): { at: number; cause: MintCause } | undefined {
  if (seen.sealState === 'broken') return { at: now, cause: 'SealInvalid' };
  const current = currentOf(seen.status);
  if (!current) return { at: now, cause: isRevoked(seen.status) ? 'Revoked' : 'Issued' };
  if (seen.secret.is !== 'ours') return { at: now, cause: 'SecretMissing' };
  if (seen.secret.digest !== current.digest) return { at: now, cause: 'SecretAltered' };
  if (!seen.secret.intact) {
    return { at: now, cause: seen.status.observedGeneration === seen.generation ? 'SecretAltered' : 'SpecChanged' };
  }
  if (seen.rotateRequest !== undefined && seen.rotateRequest !== seen.status.lastHandledRotateRequest) {
    return { at: now, cause: 'Requested' };
  }
  if (widened(spec, current.grant)) return { at: now, cause: 'SpecChanged' };
  const due = nextRotation(spec, current, seen.uid);
  return due && { at: Math.max(due.at, previousEnds(seen, spec, current)), cause: due.cause };
}

/** A rotation that is merely due waits while a Previous is accepted, but never until Current itself runs out. */
function previousEnds(seen: Seen, spec: TokenSpec, current: VersionRecord): number {
  const ends = seen.status.versions
    .filter((v) => v.state === 'Previous')
    .map((v) => v.acceptedUntilTime ?? v.expirationTime);
  if (ends.length === 0) return 0;
  const lastCall = effectiveExpiry(spec, current) - Math.floor(spec.renewBefore / 2);
  return Math.min(Math.max(...ends), lastCall);
}

function isRevoked({ lastVersion, revokedThroughVersion, handledRevocations }: TokenStatus): boolean {
  return lastVersion > 0 && (revokedThroughVersion === lastVersion || handledRevocations.length > 0);
}

function keepSecretAsDeclared(seen: Seen): Plan {
  const holdsCurrent = heldBySecret(seen)?.state === 'Current';
  return holdsCurrent && seen.secret.is === 'ours' && !seen.secret.asDeclared ? { action: { do: 'repair' } } : {};
}

/** Step 5. */
function rollOut(seen: Seen, spec: TokenSpec, now: number): Plan {
  const { restarts } = seen.status;
  if (!restarts || heldBySecret(seen)?.version !== restarts.version) return {};
  if (restarts.pending === 0 && !seen.consumers.live) return {};
  const plan = planRestarts(seen, spec, restarts, now);
  // A workload missing from a lagging cache is not a workload that is done.
  if (plan.restarts.pending < restarts.pending && !seen.consumers.live) return { action: { do: 'look' } };
  if (!sameRestarts(plan.restarts, restarts)) return { action: { do: 'recordRestarts', restarts: plan.restarts } };
  const backOff = backedOffUntil(seen, now);
  if (plan.restart && backOff === undefined) return { action: { do: 'restart', consumer: plan.restart } };
  if (plan.heldBack) return { wake: now + 1 };
  return { wake: earlier(backOff, plan.unfinished.length > 0 ? now + LOOK_AGAIN : undefined) };
}

/** Step 6. */
function retirePrevious(seen: Seen, spec: TokenSpec, now: number, tuning: Tuning): Plan {
  const previous = seen.status.versions.filter((v) => v.state === 'Previous');
  const current = currentOf(seen.status);
  if (previous.length === 0 || !current || seen.secret.is !== 'ours' || heldBySecret(seen)?.state !== 'Current')
    return {};
  const endOf = (v: VersionRecord) => v.acceptedUntilTime ?? v.expirationTime;
  let gone = previous.filter((v) => endOf(v) <= now);
  let reason: 'Settled' | 'OverlapEnded' = 'OverlapEnded';
  let wake = Math.min(...previous.filter((v) => endOf(v) > now).map(endOf));
  if (gone.length < previous.length) {
    const calm = (seen.status.restarts?.since ?? current.issueTime) + tuning.settleAfter;
    const outstanding = (seen.status.restarts?.pending ?? 0) > 0;
    if (now < calm) wake = Math.min(wake, calm);
    else if (!outstanding && !seen.consumers.live) return { action: { do: 'look' } };
    else if (!outstanding && consumersDone(seen)) {
      gone = previous;
      reason = 'Settled';
    } else if (seen.consumers.workloads.some((c) => c.reads === 'fixed' && spec.restart !== 'Never')) {
      wake = Math.min(wake, now + LOOK_AGAIN);
    }
  }
  if (gone.length === 0) return { wake };
  if (seen.secret.settledFor !== current.version) return { action: { do: 'settle', current: current.version } };
  return { action: { do: 'retire', versions: gone.map((v) => v.version), reason } };
}

function keepSealFresh(seen: Seen): Plan {
  return seen.sealState === 'old-key' ? { action: { do: 'reseal' } } : {};
}
