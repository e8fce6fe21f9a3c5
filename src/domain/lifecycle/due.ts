/** When the next rotation is due. Pure: the jitter is drawn from UID and version, so it is the same whenever asked. */
import { createHash } from 'node:crypto';
import type { VersionRecord } from '../seal.ts';
import type { TokenSpec } from './seen.ts';

const MAX_JITTER = 3600;
const JITTER_SHARE = 0.05;

/** At most 5% of the time between two renewals, and at most an hour: tokens minted together do not renew together. */
function jitter(uid: string, version: number, period: number): number {
  const limit = Math.min(MAX_JITTER, Math.floor(period * JITTER_SHARE));
  if (limit < 1) return 0;
  const draw = createHash('sha256').update(`jitter\n${uid}\n${version}`).digest().readUInt32BE(0);
  return draw % (limit + 1);
}

/** When Current ends in effect: a ttl shortened after its mint counts from its issue. */
export function effectiveExpiry(spec: TokenSpec, current: VersionRecord): number {
  return Math.min(current.expirationTime, current.issueTime + spec.ttl);
}

export interface RotationTime {
  at: number;
  cause: 'Expiring' | 'Scheduled';
}

/** Epoch seconds; undefined where nothing will rotate by itself (Manual, or the grant ends with this version). */
export function nextRotation(spec: TokenSpec, current: VersionRecord, uid: string): RotationTime | undefined {
  if (spec.mode === 'Manual') return undefined;
  const expiry = effectiveExpiry(spec, current);
  const endsWithGrant = spec.notAfter !== undefined && expiry >= spec.notAfter;
  const byExpiry = endsWithGrant
    ? undefined
    : Math.max(
        current.issueTime,
        expiry - spec.renewBefore - jitter(uid, current.version, spec.ttl - spec.renewBefore),
      );
  const bySchedule = spec.schedule?.next(current.issueTime);
  if (bySchedule !== undefined && (byExpiry === undefined || bySchedule < byExpiry))
    return { at: bySchedule, cause: 'Scheduled' };
  return byExpiry === undefined ? undefined : { at: byExpiry, cause: 'Expiring' };
}
