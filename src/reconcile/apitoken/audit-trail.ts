/** Intents before effects, and each intent closed by what status shows. Crashes need no special case. */
import type { ApiToken } from '../../api/apitoken.ts';
import {
  type AuditIntent,
  type AuditOperation,
  type AuditRecord,
  type AuditSubject,
  auditID,
  endsVersion,
  tookEffect,
} from '../../domain/audit.ts';
import { rfc3339 } from '../../domain/lifecycle/describe.ts';
import type { TokenStatus } from '../../domain/lifecycle/seen.ts';
import { tokenIDOf } from '../../domain/value.ts';
import type { AuditLog } from '../../ports.ts';

export interface AuditTrail {
  intent(
    token: ApiToken,
    operation: AuditOperation,
    version: number,
    cause: string,
    now: number,
    requester?: string,
  ): Promise<void>;
  /** Closes what this status, read live, has decided. */
  settle(uid: string, status: TokenStatus, now: number): Promise<void>;
  /** The ApiToken is gone: closes everything that was open for it, and records the deletion. */
  departed(gone: AuditSubject, now: number): Promise<void>;
}

export function auditTrail(log: AuditLog, actor: string): AuditTrail {
  const close = (intent: AuditIntent, phase: 'outcome' | 'abandoned', now: number, detail?: string): Promise<void> => {
    const record: AuditRecord = { ...intent, phase, time: rfc3339(now), ...(detail !== undefined && { detail }) };
    return log.record(record);
  };
  return {
    intent: (token, operation, version, cause, now, requester) => {
      const id = auditID(token.metadata.uid, operation, version);
      return log.record({
        ...subjectOf(token),
        id,
        phase: 'intent',
        operation,
        version,
        cause,
        actor,
        ...(requester !== undefined && { requester }),
        time: rfc3339(now),
      });
    },
    settle: async (uid, status, now) => {
      for (const intent of log.open(uid)) if (tookEffect(intent, status)) await close(intent, 'outcome', now);
    },
    departed: async (gone, now) => {
      for (const intent of log.open(gone.uid)) {
        if (endsVersion(intent.operation)) await close(intent, 'outcome', now);
        else if (intent.operation !== 'delete') await close(intent, 'abandoned', now, 'the ApiToken was deleted');
      }
      const id = auditID(gone.uid, 'delete', 0);
      const intent: AuditIntent = {
        ...gone,
        id,
        phase: 'intent',
        operation: 'delete',
        version: 0,
        cause: 'Deleting',
        actor,
        time: rfc3339(now),
      };
      await log.record(intent);
      await close(intent, 'outcome', now);
    },
  };
}

export function subjectOf(token: ApiToken): AuditSubject {
  const { uid, namespace, name } = token.metadata;
  const { subject, purpose } = token.spec;
  return { uid, namespace, name, identity: `${namespace}/${subject}`, purpose, tokenID: tokenIDOf(uid) };
}
