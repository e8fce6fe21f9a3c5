/** Audit records: what happened to a token, said before it happens and after. Pure. */
import { createHash } from 'node:crypto';
import type { TokenStatus } from './lifecycle/seen.ts';

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
  /** Who asked for it, where the API server noted that: of `revoke`, and of `rotate` for cause `Requested`. */
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

/** Its effect is that the version is gone. */
export function endsVersion(operation: AuditOperation): boolean {
  return operation === 'retire' || operation === 'revoke';
}

/**
 * Whether this status shows the outcome of an intent. lastVersion rises in the write that adds a version, so every number up
 * to it was minted, and accepted for a time. No status shows that one was never delivered: it may have stood in the Secret
 * for a moment, or its write may be on its way.
 */
export function tookEffect(
  { operation, version }: Pick<AuditIntent, 'operation' | 'version'>,
  status: TokenStatus,
): boolean {
  if (operation === 'delete') return false;
  const record = status.versions.find((v) => v.version === version);
  if (endsVersion(operation)) return record === undefined;
  return version <= status.lastVersion && record?.state !== 'Next';
}
