/** What people and tools read in status: conditions in the sense of kstatus, and when the next rotation is. Pure. */
import { formatDuration } from '../duration.ts';
import type { VersionRecord } from '../seal.ts';
import type { Compliance } from './compliance.ts';
import { MAX_VERSIONS, type MintCause, type Standstill } from './decide.ts';
import { nextRotation } from './due.ts';
import { type EffectiveTimes, effectiveTimes } from './effective.ts';
import { MAX_HANDLED } from './orders.ts';
import { currentOf, type SecretSeen, type SpecProblem, type TokenSpec, type TokenStatus } from './seen.ts';

export interface Condition {
  type: 'Ready' | 'Compliant' | 'RolledOut' | 'Reconciling' | 'Stalled';
  status: 'True' | 'False';
  reason: string;
  message: string;
}

export interface Description {
  /** Reconciling and Stalled are listed only while true (kstatus: abnormal-true). */
  conditions: readonly Condition[];
  nextRotationTime?: number;
  effective?: EffectiveTimes;
  /** When the description changes by time alone. */
  wake?: number;
}

export interface Described {
  uid: string;
  generation: number;
  spec: { ok: true; spec: TokenSpec } | { ok: false; problem: SpecProblem };
  compliance: Compliance;
  status: TokenStatus;
  secret: SecretSeen;
  standstill?: Standstill | undefined;
  /** Names of workloads that have not finished, for the message. */
  unfinished?: readonly string[];
}

/** A rollout that is not done when half the overlap is gone is announced. */
const ANNOUNCE_SHARE = 0.5;

export function describe(subject: Described, now: number): Description {
  const current = currentOf(subject.status);
  const spec = subject.spec.ok ? subject.spec.spec : undefined;
  const stalled = stalledBecause(subject);
  const reconciling = reconcilingBecause(subject);
  const rollout = rolloutOf(subject, spec, now);
  const conditions: Condition[] = [
    readiness(subject, spec, current, now),
    compliant(subject.compliance),
    rollout.condition,
  ];
  if (stalled) conditions.push({ type: 'Stalled', status: 'True', ...stalled });
  else if (reconciling) conditions.push({ type: 'Reconciling', status: 'True', ...reconciling });
  const description: Description = { conditions };
  const wakes = [rollout.wake, current && current.expirationTime > now ? current.expirationTime : undefined];
  const wake = Math.min(...wakes.filter((w) => w !== undefined));
  if (Number.isFinite(wake)) description.wake = wake;
  if (spec) description.effective = effectiveTimes(spec);
  const next = spec && current && !spec.suspended ? nextRotation(spec, current, subject.uid) : undefined;
  if (next) description.nextRotationTime = next.at;
  return description;
}

function readiness(
  subject: Described,
  spec: TokenSpec | undefined,
  current: VersionRecord | undefined,
  now: number,
): Condition {
  const no = (reason: string, message: string): Condition => ({ type: 'Ready', status: 'False', reason, message });
  if (subject.standstill?.why === 'Deleting') return no('Deleting', 'the ApiToken or its namespace is being deleted');
  if (subject.standstill?.why === 'Blocked') {
    const { name, reason } = subject.standstill.order;
    return no('Blocked', `${name} (${reason}) lets nothing be minted; delete it to lift the block`);
  }
  if (spec?.notAfter !== undefined && now >= spec.notAfter) {
    return no(
      'GrantEnded',
      `the grant ended at ${rfc3339(spec.notAfter)}; set spec.notAfter later, or delete the ApiToken`,
    );
  }
  if (subject.standstill?.why === 'SecretConflict') {
    return no(
      'SecretConflict',
      `the Secret belongs to ${subject.standstill.owner}; name another one in a new ApiToken, or delete that Secret`,
    );
  }
  if (spec?.suspended) return no('Suspended', 'verifiers refuse the token while spec.state is Suspended');
  if (!current) {
    if (!subject.spec.ok) return no(subject.spec.problem.reason, subject.spec.problem.message);
    if (isForbidden(subject)) return no(subject.compliance.reason, `nothing is minted: ${subject.compliance.message}`);
    const { revokedThroughVersion } = subject.status;
    if (revokedThroughVersion > 0)
      return no(
        'Revoked',
        `the versions up to ${revokedThroughVersion} are revoked, and the next is not delivered yet`,
      );
    return no('Minting', 'no version has been delivered yet');
  }
  const unrenewed = subject.compliance.allows ? '' : `; nothing is minted: ${subject.compliance.message}`;
  if (current.expirationTime <= now) {
    const how =
      spec?.mode === 'Manual' ? '; request a rotation with the annotation tokenwright.dev/rotate-requested-at' : '';
    return no('Expired', `version ${current.version} expired at ${rfc3339(current.expirationTime)}${how}${unrenewed}`);
  }
  if (subject.secret.is !== 'ours' || subject.secret.digest !== current.digest) {
    if (isForbidden(subject)) {
      const { reason, message } = subject.compliance;
      return no(reason, `the Secret does not hold version ${current.version}; nothing is minted: ${message}`);
    }
    return no('Minting', `the Secret does not hold version ${current.version}; a new version is being minted`);
  }
  return {
    type: 'Ready',
    status: 'True',
    reason: current.version === 1 ? 'Issued' : 'Rotated',
    message: `version ${current.version} is in the Secret and expires at ${rfc3339(current.expirationTime)}${unrenewed}`,
  };
}

export function compliant({ allows, reason, message }: Compliance): Condition {
  return { type: 'Compliant', status: allows ? 'True' : 'False', reason, message };
}

/** A version is due now, and is not minted. */
function isForbidden({ standstill }: Described): boolean {
  return standstill?.why === 'Forbidden';
}

function stalledBecause(subject: Described): { reason: string; message: string } | undefined {
  if (!subject.spec.ok) return subject.spec.problem;
  const { standstill, status } = subject;
  if (standstill?.why === 'SecretConflict') {
    return { reason: 'SecretConflict', message: `the Secret belongs to ${standstill.owner} and is left alone` };
  }
  if (standstill?.why === 'TooManyVersions') {
    return {
      reason: 'TooManyVersions',
      message: `${MAX_VERSIONS} versions are accepted at once; find out who keeps altering the Secret`,
    };
  }
  if (standstill?.why === 'TooManyRevocations') {
    return {
      reason: 'TooManyRevocations',
      message: `more than ${MAX_HANDLED} revocations match that are not sealed yet; the rest follow when some are`,
    };
  }
  if (isForbidden(subject)) {
    const { reason, message } = subject.compliance;
    const current = currentOf(status);
    return current
      ? {
          reason: 'RotationForbidden',
          message: `version ${current.version} expires at ${rfc3339(current.expirationTime)} and no other takes its place: ${message}`,
        }
      : { reason, message: `nothing is minted: ${message}` };
  }
  const { failures } = status;
  if (failures && failures.observedGeneration === subject.generation) {
    return { reason: failures.reason, message: failures.message };
  }
  return undefined;
}

function reconcilingBecause(subject: Described): { reason: string; message: string } | undefined {
  const next = subject.status.versions.find((v) => v.state === 'Next');
  return next && { reason: 'Minting', message: `version ${next.version} is on its way to the Secret` };
}

function rolloutOf(
  subject: Described,
  spec: TokenSpec | undefined,
  now: number,
): { condition: Condition; wake?: number } {
  const say = (status: 'True' | 'False', reason: string, message: string): Condition => ({
    type: 'RolledOut',
    status,
    reason,
    message,
  });
  const { restarts, versions } = subject.status;
  if (!restarts) return { condition: say('False', 'Minting', 'no version has been delivered yet') };
  if (spec?.restart === 'Never') {
    return {
      condition: say('True', 'RestartNever', 'spec.restart is Never: workloads are left to refresh by themselves'),
    };
  }
  if (restarts.pending === 0) {
    return restarts.workloads.length === 0
      ? { condition: say('True', 'NoConsumers', `no workload needed a restart for version ${restarts.version}`) }
      : { condition: say('True', 'RolledOut', `all restarted workloads run with version ${restarts.version}`) };
  }
  const names = (
    subject.unfinished ?? restarts.workloads.filter((w) => w.state === 'RollingOut').map((w) => `${w.kind}/${w.name}`)
  ).slice(0, 5);
  const who = names.length > 0 ? `: ${names.join(', ')}` : '';
  const ends = versions.filter((v) => v.state === 'Previous').map((v) => v.acceptedUntilTime ?? v.expirationTime);
  const end = ends.length > 0 ? Math.max(...ends) : undefined;
  if (end === undefined) {
    return {
      condition: say(
        'False',
        'RollingOut',
        `${restarts.pending} workloads have yet to run with version ${restarts.version}${who}`,
      ),
    };
  }
  const late = restarts.since + Math.floor((end - restarts.since) * ANNOUNCE_SHARE);
  if (now >= late) {
    const message = `${restarts.pending} workloads still hold an older version, which is refused from ${rfc3339(end)} on${who}`;
    return { condition: say('False', 'RolloutLate', message) };
  }
  return {
    condition: say(
      'False',
      'RollingOut',
      `${restarts.pending} workloads have yet to run with version ${restarts.version}${who}`,
    ),
    wake: late,
  };
}

/** Whole seconds, as metav1.Time writes them. */
export function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** `rotate` and `heal` are mints with a history. */
export function operationOf(cause: MintCause, version: number): 'mint' | 'rotate' | 'heal' {
  if (cause === 'SecretMissing' || cause === 'SecretAltered' || cause === 'SealInvalid') return 'heal';
  return version === 1 || cause === 'Issued' ? 'mint' : 'rotate';
}

export function effectiveText(effective: EffectiveTimes): {
  renewBefore: string;
  overlap: string;
} {
  return { renewBefore: formatDuration(effective.renewBefore), overlap: formatDuration(effective.overlap) };
}
