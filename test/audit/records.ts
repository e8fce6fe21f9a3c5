import {
  type AuditIntent,
  type AuditOperation,
  type AuditOutcome,
  type AuditSubject,
  auditID,
} from '../../src/domain/audit.ts';
import type { Logger } from '../../src/ports.ts';

export function subject(uid: string): AuditSubject {
  return {
    uid,
    namespace: 'support',
    name: 'summarizer',
    identity: 'support/agent:summarizer',
    purpose: 'Summarise incoming tickets',
    tokenID: '7Yx3kQ2m',
  };
}

export function intent(uid: string, operation: AuditOperation, version: number): AuditIntent {
  return {
    ...subject(uid),
    id: auditID(uid, operation, version),
    phase: 'intent',
    operation,
    version,
    cause: 'Scheduled',
    actor: 'operator:pod-1',
    time: '2026-11-23T10:00:00Z',
  };
}

export function outcome(uid: string, operation: AuditOperation, version: number): AuditOutcome {
  return { ...intent(uid, operation, version), phase: 'outcome' };
}

export function abandoned(uid: string, operation: AuditOperation, version: number): AuditOutcome {
  return { ...intent(uid, operation, version), phase: 'abandoned', detail: 'the ApiToken was deleted' };
}

/** The lines of a sink as `phase operation version uid`; what is no JSON as it is, a checkpoint as `checkpoint uid`. */
export function told(text: string): string[] {
  return text
    .split('\n')
    .slice(0, text === '' || text.endsWith('\n') ? -1 : undefined)
    .map((line) => {
      try {
        const { phase, operation, version, uid } = JSON.parse(line);
        return phase === undefined ? `checkpoint ${uid}` : `${phase} ${operation} ${version} ${uid}`;
      } catch {
        return line;
      }
    });
}

/** A log that keeps its texts. */
export function listening(): { log: Logger; texts: string[] } {
  const texts: string[] = [];
  const say = (_: object, text: string) => void texts.push(text);
  const log: Logger = { debug: say, info: say, warn: say, error: say, child: () => log };
  return { log, texts };
}
