/** Audit records: what happened to a token, said before it happens and after. Pure. */
import { createHash } from 'node:crypto';

/** What is done. `rotate` and `heal` mint too; the word says why. */
export type AuditOperation = 'mint' | 'rotate' | 'heal' | 'retire' | 'revoke' | 'delete';

export interface AuditSubject {
  uid: string;
  namespace: string;
  name: string;
  /** `<namespace>/<subject>`: nobody speaks for another namespace. */
  identity: string;
  purpose: string;
  tokenID: string;
}

export interface AuditIntent extends AuditSubject {
  /** The same operation on the same version has the same id, whoever carries it out and however often it is tried. */
  id: string;
  phase: 'intent';
  operation: AuditOperation;
  version: number;
  /** Why: a reason of api/reasons.ts. */
  cause: string;
  /** Who acts: the operator's identity. */
  actor: string;
  /** Who asked for it, where the API server noted that: of `revoke`. */
  requester?: string;
  /** RFC 3339, whole seconds. */
  time: string;
}

export interface AuditOutcome extends Omit<AuditIntent, 'phase'> {
  phase: 'outcome' | 'abandoned';
  /** For `abandoned`: why it will never take effect. */
  detail?: string;
}

export type AuditRecord = AuditIntent | AuditOutcome;

/**
 * Deterministic, so that a crash between intent and effect does not make two intents of one operation. Mint, rotate and
 * heal of one version are one operation: a second try may have another reason.
 */
export function auditID(uid: string, operation: AuditOperation, version: number): string {
  const effect = operation === 'rotate' || operation === 'heal' ? 'mint' : operation;
  return createHash('sha256').update(`${uid}\n${effect}\n${version}`).digest('hex').slice(0, 32);
}
