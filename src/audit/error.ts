/** Why an audit record was not kept. Nothing may be minted then; trying again later is right, except for `AuditInvalid`. */
export type AuditErrorCode =
  /** The record breaks a rule: a defect of the caller. */
  | 'AuditInvalid'
  /** The sink did not confirm in time. The record may yet be kept, once. */
  | 'AuditTimeout'
  /** The sink refused. */
  | 'AuditUnavailable'
  /** More records wait than are allowed to. */
  | 'AuditQueueFull'
  | 'AuditClosed';

export class AuditError extends Error {
  readonly code: AuditErrorCode;

  constructor(code: AuditErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AuditError';
    this.code = code;
  }
}

/** The system's code (ENOSPC …) of a failed call, for messages. */
export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}
