/** What becomes of a verdict besides its answer: metrics, the audit record, the last use of the version. */

import type { VersionRecord } from '../domain/seal.ts';
import type { Outcome } from '../domain/verdict/outcome.ts';
import type { VerdictCall, VerdictRecord, VerdictSubject } from '../domain/verdict/record.ts';
import type { Call, Decision } from './call.ts';
import type { LastUse } from './last-use.ts';
import type { VerdictRecorder } from './verifier.ts';

/** `all`; `denials`: those, and the allowed ones counted together once a minute; `sampled`: those, and one in so many of the allowed. */
export type AuditLevel = { level: 'all' } | { level: 'denials' } | { level: 'sampled'; oneIn: number };

export interface RecorderOptions {
  /** Of this process. */
  verifier: string;
  environment: string;
  audit: AuditLevel;
  /** What to do when no record can be taken: say yes or no as judged, and count it; or refuse everything. */
  whenSlow: 'drop' | 'refuse';
  /** False when there is no room. */
  log: { record(record: VerdictRecord): boolean };
  metrics: { verdict(outcome: Outcome, audience: string | undefined, seconds: number): void };
  lastUse: LastUse;
  now: () => number;
}

/** Summaries that may wait; beyond, they are written at once. */
const SUMMARIES = 10_000;

export class Recorder implements VerdictRecorder {
  readonly #options: RecorderOptions;
  readonly #summaries = new Map<string, VerdictRecord & { count: number }>();
  /** Of the last call that each version was allowed: the next one is mostly alike. */
  readonly #subjects = new WeakMap<VersionRecord, VerdictSubject>();
  #allowed = 0;
  #time = Number.NaN;
  #timeText = '';

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  verdict(call: Call, decision: Decision, seconds: number): boolean {
    const { metrics, lastUse, now, whenSlow } = this.#options;
    const { outcome, token, version } = decision;
    const time = now();
    const audience = 'audience' in call.needs ? call.needs.audience : undefined;
    const stands = this.#audit(call, decision, time) || whenSlow === 'drop';
    // what a stranger may make up is no label
    const label = outcome === 'AudienceUnknown' ? undefined : audience;
    metrics.verdict(stands ? outcome : 'AuditUnavailable', label, seconds);
    if (stands && outcome === 'Allowed' && token && version) lastUse.used(token.uid, version.version, time);
    return stands;
  }

  /** Writes the summaries; to be called once a minute, and at the end. Where a verdict needs its record, what finds no room stays. */
  flush(): void {
    const { log, whenSlow } = this.#options;
    for (const [key, summary] of this.#summaries)
      if (log.record(summary) || whenSlow === 'drop') this.#summaries.delete(key);
  }

  #audit(call: Call, decision: Decision, time: number): boolean {
    const { audit, log } = this.#options;
    if (decision.outcome !== 'Allowed' || audit.level === 'all')
      return log.record(this.#recordOf(call, decision, time));
    if (audit.level === 'denials') return this.#summarize(call, decision, time);
    this.#allowed += 1;
    if (this.#allowed % audit.oneIn !== 0) return true;
    return log.record({ ...this.#recordOf(call, decision, time), count: audit.oneIn });
  }

  #summarize(call: Call, decision: Decision, time: number): boolean {
    const subject = this.#subjectOf(call, decision);
    const key = `${subject.uid} ${subject.version} ${subject.audience} ${subject.door}`;
    const known = this.#summaries.get(key);
    if (known) {
      known.count += 1;
      return true;
    }
    if (this.#summaries.size >= SUMMARIES) this.flush();
    if (this.#summaries.size >= SUMMARIES) return false;
    // the calls that are told together need not share their scopes
    const { scopes: _, ...rest } = subject;
    this.#summaries.set(key, { time: this.#format(time), subject: rest, count: 1 });
    return true;
  }

  #recordOf(call: Call, decision: Decision, time: number): VerdictRecord {
    const { needs, source, traceparent } = call;
    const own: VerdictCall = { time: this.#format(time), source, traceparent };
    if ('audience' in needs && 'path' in needs.scopes) {
      own.method = needs.scopes.method;
      own.path = needs.scopes.path;
    }
    return { ...own, subject: this.#subjectOf(call, decision) };
  }

  #subjectOf(call: Call, decision: Decision): VerdictSubject {
    const { outcome, version } = decision;
    if (outcome !== 'Allowed' || version === undefined) return this.#describe(call, decision);
    const { audience, scopes } = statedIn(call);
    const last = this.#subjects.get(version);
    if (last && last.door === call.door && last.audience === audience && last.scopes === scopes) return last;
    const subject = this.#describe(call, decision);
    this.#subjects.set(version, subject);
    return subject;
  }

  #describe(call: Call, { outcome, token, tokenID, version }: Decision): VerdictSubject {
    const { verifier, environment } = this.#options;
    return {
      outcome,
      verifier,
      door: call.door,
      environment,
      ...statedIn(call),
      tokenID: token?.tokenID ?? tokenID,
      uid: token?.uid,
      namespace: token?.namespace,
      name: token?.name,
      identity: token && `${token.namespace}/${version?.grant.subject ?? token.subject}`,
      purpose: token?.purpose,
      version: version?.version,
    };
  }

  /** Many calls come in one millisecond. */
  #format(time: number): string {
    if (time !== this.#time) {
      this.#time = time;
      this.#timeText = new Date(time).toISOString();
    }
    return this.#timeText;
  }
}

function statedIn({ needs }: Call): Pick<VerdictSubject, 'audience' | 'scopes'> {
  if (!('audience' in needs)) return {};
  const { audience, scopes } = needs;
  return 'path' in scopes ? { audience } : { audience, scopes };
}
