/** Between the ApiToken as the API server keeps it and what the domain reads: parsed here once, trusted inside. */
import type { ApiToken, ApiTokenStatus } from '../../api/apitoken.ts';
import { effectiveSecretName } from '../../api/apitoken.ts';
import { parseDuration } from '../../domain/duration.ts';
import { type Description, effectiveText, rfc3339 } from '../../domain/lifecycle/describe.ts';
import { effectiveTimes } from '../../domain/lifecycle/effective.ts';
import { EMPTY_STATUS, type Seen, type TokenSpec, type TokenStatus } from '../../domain/lifecycle/seen.ts';
import { parseSchedule } from '../../domain/schedule.ts';
import type { SealContent } from '../../domain/seal.ts';
import { secondsOf, versionOf } from '../../domain/sealed-status.ts';
import { checkTemplate, METADATA_NAMES } from '../../domain/template.ts';
import { type TokenID, tokenIDOf } from '../../domain/value.ts';
import { stamped } from '../conditions.ts';

/** The schema has refused what it can; what is left (cron, time zone, template) comes back as a problem with a sentence. */
export function specOf(token: ApiToken): Seen['spec'] {
  const { spec } = token;
  const ttl = parseDuration(spec.ttl) ?? 0;
  const rotation = spec.rotation ?? {};
  const parsed: TokenSpec = {
    subject: spec.subject,
    purpose: spec.purpose,
    environment: spec.environment,
    audiences: spec.audiences,
    scopes: spec.scopes ?? [],
    ttl,
    mode: rotation.mode ?? 'Automatic',
    renewBefore: effectiveTimes({ ttl, renewBefore: parseDuration(rotation.renewBefore ?? '') }).renewBefore,
    secretName: effectiveSecretName(token),
    restart: spec.restart ?? 'Auto',
    suspended: spec.state === 'Suspended',
  };
  if (spec.notAfter !== undefined) parsed.notAfter = secondsOf(spec.notAfter);
  const overlap = parseDuration(rotation.overlap ?? '');
  if (overlap !== undefined) parsed.overlap = overlap;
  const template = templateProblem(token);
  if (template !== undefined) return { ok: false, problem: { reason: 'InvalidTemplate', message: template } };
  if (rotation.schedule !== undefined) {
    const schedule = parseSchedule(rotation.schedule, rotation.timeZone ?? 'UTC');
    if (!schedule.ok) {
      const reason = schedule.problem === 'schedule' ? 'InvalidSchedule' : 'InvalidTimeZone';
      return { ok: false, problem: { reason, message: schedule.sentence } };
    }
    parsed.schedule = schedule;
  }
  return { ok: true, spec: parsed };
}

function templateProblem(token: ApiToken): string | undefined {
  const template = token.spec.secret?.template;
  const { labels, annotations } = template?.metadata ?? {};
  return (
    firstProblem('spec.secret.template.data', template?.data, (text) => checkTemplate(text)) ??
    firstProblem('spec.secret.template.metadata.labels', labels, (text) => checkTemplate(text, METADATA_NAMES)) ??
    firstProblem('spec.secret.template.metadata.annotations', annotations, (text) =>
      checkTemplate(text, METADATA_NAMES),
    )
  );
}

function firstProblem(
  path: string,
  entries: Record<string, string> | undefined,
  check: (text: string) => string | undefined,
): string | undefined {
  for (const [key, text] of Object.entries(entries ?? {})) {
    const problem = check(text);
    if (problem !== undefined) return `${path}[${key}]: ${problem}`;
  }
  return undefined;
}

export function statusOf(token: ApiToken): TokenStatus {
  const { status } = token;
  if (!status) return EMPTY_STATUS;
  const parsed: TokenStatus = {
    observedGeneration: status.observedGeneration ?? 0,
    lastVersion: status.lastVersion ?? 0,
    revokedThroughVersion: status.revokedThroughVersion ?? 0,
    handledRevocations: status.handledRevocations ?? [],
    versions: (status.versions ?? []).map(versionOf),
  };
  if (status.seal) parsed.seal = status.seal;
  if (status.lastHandledRotateRequest !== undefined) parsed.lastHandledRotateRequest = status.lastHandledRotateRequest;
  const { restarts, failures } = status;
  if (restarts) {
    parsed.restarts = {
      version: restarts.version ?? 0,
      since: secondsOf(restarts.since),
      pending: restarts.pending ?? 0,
      workloads: (restarts.workloads ?? []).map(({ kind, name, uid, state }) => ({ kind, name, uid, state })),
    };
  }
  if (failures) {
    parsed.failures = {
      count: failures.count ?? 0,
      reason: failures.reason ?? '',
      message: failures.message ?? '',
      lastTime: secondsOf(failures.lastTime),
      nextAttemptTime: secondsOf(failures.nextAttemptTime),
      observedGeneration: failures.observedGeneration ?? 0,
    };
  }
  return parsed;
}

export function sealContentOf(uid: string, status: TokenStatus, sequence: number): SealContent {
  const { lastVersion, revokedThroughVersion, handledRevocations, versions } = status;
  return { uid, tokenID: tokenIDOf(uid), sequence, lastVersion, revokedThroughVersion, handledRevocations, versions };
}

/** The whole status as it is to stand; conditions keep their transition time while their status does not change. */
export function statusDocument(
  token: ApiToken,
  tokenID: TokenID,
  status: TokenStatus,
  description: Description,
  now: number,
): ApiTokenStatus {
  const { restarts, failures } = status;
  const document: ApiTokenStatus = {
    observedGeneration: token.metadata.generation,
    tokenID,
    lastVersion: status.lastVersion,
    revokedThroughVersion: status.revokedThroughVersion,
    ...(status.handledRevocations.length > 0 && { handledRevocations: [...status.handledRevocations] }),
    versions: status.versions.map((v) => ({
      version: v.version,
      state: v.state,
      digest: v.digest,
      issueTime: rfc3339(v.issueTime),
      expirationTime: rfc3339(v.expirationTime),
      ...(v.acceptedUntilTime !== undefined && { acceptedUntilTime: rfc3339(v.acceptedUntilTime) }),
      grant: {
        subject: v.grant.subject,
        environment: v.grant.environment,
        audiences: [...v.grant.audiences],
        ...(v.grant.scopes.length > 0 && { scopes: [...v.grant.scopes] }),
      },
    })),
    secretName: effectiveSecretName(token),
    conditions: stamped(description.conditions, token.status?.conditions, token.metadata.generation, now),
  };
  if (status.seal) document.seal = status.seal;
  if (status.lastHandledRotateRequest !== undefined)
    document.lastHandledRotateRequest = status.lastHandledRotateRequest;
  if (description.effective) document.effective = effectiveText(description.effective);
  if (description.nextRotationTime !== undefined) document.nextRotationTime = rfc3339(description.nextRotationTime);
  if (restarts) {
    const { version, since, pending, workloads } = restarts;
    document.restarts = { version, since: rfc3339(since), pending, workloads: workloads.map((w) => ({ ...w })) };
  }
  if (failures) {
    const { lastTime, nextAttemptTime } = failures;
    document.failures = { ...failures, lastTime: rfc3339(lastTime), nextAttemptTime: rfc3339(nextAttemptTime) };
  }
  return document;
}
