/** The changes of status that the protocol makes. Each is one write. Pure. */

import type { Order } from '../revocation.ts';
import type { Grant, VersionRecord } from '../seal.ts';
import type { Digest } from '../value.ts';
import { handledWith, struckBy } from './orders.ts';
import { wantsRestart } from './restarts.ts';
import { type Consumer, currentOf, type Restarts, type Seen, type TokenSpec, type TokenStatus } from './seen.ts';

export function grantOf(spec: TokenSpec): Grant {
  return { subject: spec.subject, environment: spec.environment, audiences: spec.audiences, scopes: spec.scopes };
}

/** A value never gains power after its mint: what the spec asks beyond the grant needs a new version. */
export function widened(spec: TokenSpec, grant: Grant): boolean {
  return spec.audiences.some((a) => !grant.audiences.includes(a)) || spec.scopes.some((s) => !grant.scopes.includes(s));
}

/** The number that the next mint takes: above everything ever seen, even where status was edited by hand. */
export function nextVersion(seen: Seen): number {
  const inSecret = seen.secret.is === 'ours' ? (seen.secret.version ?? 0) : 0;
  const trusted = seen.sealState === 'broken' ? inSecret : 0;
  return Math.max(seen.status.lastVersion, trusted, ...seen.status.versions.map((v) => v.version)) + 1;
}

/** Step 2: from this write on, verifiers accept the value. A rotate request is answered in the same write. */
export function addNext(seen: Seen, spec: TokenSpec, digest: Digest, now: number): TokenStatus {
  const version = nextVersion(seen);
  const expirationTime = Math.min(now + spec.ttl, spec.notAfter ?? Number.POSITIVE_INFINITY);
  const next: VersionRecord = { version, state: 'Next', digest, issueTime: now, expirationTime, grant: grantOf(spec) };
  const { status: before } = seen;
  const trusted = seen.sealState === 'broken' ? { handledRevocations: [], versions: [] } : before;
  const { handledRevocations, versions } = trusted;
  const status: TokenStatus = { ...before, lastVersion: version, handledRevocations, versions: [next, ...versions] };
  if (seen.rotateRequest !== undefined) status.lastHandledRotateRequest = seen.rotateRequest;
  return status;
}

/**
 * Step 4: the Next that the Secret holds becomes Current. The old Current and every other Next become Previous, since
 * someone may still be about to write one of them.
 */
export function promote(seen: Seen, spec: TokenSpec, version: number, now: number): TokenStatus {
  const versions = seen.status.versions.map((v): VersionRecord => {
    if (v.version === version) return { ...v, state: 'Current' };
    if (v.state === 'Previous') return v;
    const overlapEnd = spec.overlap === undefined ? Number.POSITIVE_INFINITY : now + spec.overlap;
    return { ...v, state: 'Previous', acceptedUntilTime: Math.min(v.expirationTime, overlapEnd) };
  });
  const restarts: Restarts = {
    version,
    since: now,
    pending: seen.consumers.workloads.filter((c) => wantsRestart(spec, c)).length,
    workloads: [],
  };
  const { failures: _, ...rest } = seen.status;
  return { ...rest, versions, restarts };
}

/** Step 6, second half: safe once the Secret just read is settled for Current. */
export function retire(status: TokenStatus, versions: readonly number[]): TokenStatus {
  return {
    ...status,
    versions: status.versions.filter((v) => v.state !== 'Previous' || !versions.includes(v.version)),
  };
}

/**
 * In one write: what the orders strike is gone, the orders are noted, so that verifiers accept what is minted next although
 * they hold them still, and where no version is left, every number up to now is refused for ever.
 */
export function revoke(seen: Seen, orders: readonly Order[]): TokenStatus {
  const { restarts, ...rest } = seen.status;
  const struck = new Set(struckBy(seen, orders).map(({ version }) => version));
  const versions = rest.versions.filter(({ version }) => !struck.has(version));
  const lastVersion = nextVersion(seen) - 1;
  const status: TokenStatus = { ...rest, lastVersion, handledRevocations: handledWith(seen, orders), versions };
  if (versions.length === 0) status.revokedThroughVersion = lastVersion;
  if (restarts && versions.some(({ version }) => version === restarts.version)) status.restarts = restarts;
  return status;
}

/** The end of the grant: nothing is accepted any more. Numbers go on where they stood. */
export function endGrant(status: TokenStatus): TokenStatus {
  const { restarts: _r, failures: _f, ...rest } = status;
  return { ...rest, versions: [] };
}

export function recordRestart(status: TokenStatus, consumer: Consumer): TokenStatus {
  const restarts = status.restarts;
  if (!restarts) return status;
  const { kind, name, uid } = consumer;
  const others = restarts.workloads.filter((w) => w.uid !== uid);
  return { ...status, restarts: { ...restarts, workloads: [...others, { kind, name, uid, state: 'RollingOut' }] } };
}

const FIRST_BACKOFF = 5;
const LONGEST_BACKOFF = 300;

/** Back-off is state, not memory: a restarted operator waits as long as the old one would have. */
export function recordFailure(
  status: TokenStatus,
  failure: { reason: string; message: string },
  generation: number,
  now: number,
): TokenStatus {
  const before = status.failures?.observedGeneration === generation ? status.failures.count : 0;
  const delay = Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** Math.min(before, 10));
  return {
    ...status,
    failures: {
      count: before + 1,
      ...failure,
      lastTime: now,
      nextAttemptTime: now + delay,
      observedGeneration: generation,
    },
  };
}

export function clearFailures(status: TokenStatus): TokenStatus {
  const { failures: _, ...rest } = status;
  return rest;
}

export function isWithinGrant(spec: TokenSpec, now: number): boolean {
  return spec.notAfter === undefined || now < spec.notAfter;
}

export function hasCurrent(status: TokenStatus): boolean {
  return currentOf(status) !== undefined;
}
