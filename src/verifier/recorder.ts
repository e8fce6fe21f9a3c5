/** What becomes of a verdict besides its answer: metrics, the audit record, the last use of the version. */
import type { Outcome } from '../domain/verdict/outcome.ts';
import type { VerdictRecord } from '../domain/verdict/record.ts';
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
  #allowed = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  verdict(call: Call, decision: Decision, seconds: number): boolean {
    const { metrics, lastUse, now, whenSlow } = this.#options;
    const { outcome, token, version } = decision;
    const audience = 'audience' in call.needs ? call.needs.audience : undefined;
    const stands = this.#audit(call, decision) || whenSlow === 'drop';
    // what a stranger may make up is no label
    const label = outcome === 'AudienceUnknown' ? undefined : audience;
    metrics.verdict(stands ? outcome : 'AuditUnavailable', label, seconds);
    if (stands && outcome === 'Allowed' && token && version) lastUse.used(token.uid, version.version, now());
    return stands;
  }

  /** Writes the summaries; to be called once a minute, and at the end. Where a verdict needs its record, what finds no room stays. */
  flush(): void {
    const { log, whenSlow } = this.#options;
    for (const [key, summary] of this.#summaries)
      if (log.record(summary) || whenSlow === 'drop') this.#summaries.delete(key);
  }

  #audit(call: Call, decision: Decision): boolean {
    const { audit, log } = this.#options;
    if (decision.outcome !== 'Allowed' || audit.level === 'all') return log.record(this.#recordOf(call, decision));
    if (audit.level === 'denials') return this.#summarize(call, decision);
    this.#allowed += 1;
    if (this.#allowed % audit.oneIn !== 0) return true;
    return log.record({ ...this.#recordOf(call, decision), count: audit.oneIn });
  }

  #summarize(call: Call, decision: Decision): boolean {
    const record = this.#recordOf(call, decision);
    const key = `${record.uid} ${record.version} ${record.audience} ${record.door}`;
    const known = this.#summaries.get(key);
    if (known) {
      known.count += 1;
      return true;
    }
    if (this.#summaries.size >= SUMMARIES) this.flush();
    if (this.#summaries.size >= SUMMARIES) return false;
    // what the calls that are told together need not share
    const { source: _, traceparent: __, method: ___, path: ____, scopes: _____, ...rest } = record;
    this.#summaries.set(key, { ...rest, count: 1 });
    return true;
  }

  #recordOf(call: Call, { outcome, token, tokenID, version }: Decision): VerdictRecord {
    const { verifier, environment, now } = this.#options;
    const { needs } = call;
    const stated = 'audience' in needs ? needs : undefined;
    const route = stated && 'path' in stated.scopes ? stated.scopes : undefined;
    return {
      time: new Date(now()).toISOString(),
      outcome,
      verifier,
      door: call.door,
      environment,
      audience: stated?.audience,
      scopes: stated && !route ? (stated.scopes as readonly string[]) : undefined,
      method: route?.method,
      path: route?.path,
      source: call.source,
      traceparent: call.traceparent,
      tokenID: token?.tokenID ?? tokenID,
      uid: token?.uid,
      namespace: token?.namespace,
      name: token?.name,
      identity: token && `${token.namespace}/${version?.grant.subject ?? token.subject}`,
      purpose: token?.purpose,
      version: version?.version,
    };
  }
}
