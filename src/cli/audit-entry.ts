/** Lines of the audit logs, of operator and verifiers, as `tokenwright log` shows them. */

/** What all records have in common; fields that are not known here are kept for -o json. */
export interface AuditEntry {
  readonly time: string;
  /** Of the operator, or `verdict`. */
  readonly operation: string;
  /** How far it is: intent, outcome or abandoned; for a verdict, its outcome. */
  readonly phase: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly tokenID?: string | undefined;
  readonly version?: number | undefined;
  /** Why; for a verdict, what was asked. */
  readonly cause?: string | undefined;
  /** The operator or verifier. */
  readonly actor?: string | undefined;
  readonly detail?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface EntryFilter {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly tokenID: string | undefined;
  /** Empty: all. */
  readonly operations: readonly string[];
  /** Epoch seconds. */
  readonly since: number | undefined;
}

const SCHEMA = /^tokenwright\.dev\/(audit|verdict)\/v[0-9]/;

/** `other` is what stands between records: log lines in the output of a pod, checkpoints. `broken` calls itself a record. */
export function parseEntry(line: string): AuditEntry | 'other' | 'broken' {
  const fields = objectIn(line);
  const kind = SCHEMA.exec(textOf(fields?.schema) ?? '')?.[1];
  if (fields === undefined || kind === undefined) return 'other';
  const time = textOf(fields.time);
  const operation = kind === 'verdict' ? 'verdict' : textOf(fields.operation);
  const phase = textOf(kind === 'verdict' ? fields.outcome : fields.phase);
  if (time === undefined || Number.isNaN(Date.parse(time)) || operation === undefined || phase === undefined)
    return 'broken';
  return {
    time,
    operation,
    phase,
    namespace: textOf(fields.namespace),
    name: textOf(fields.name),
    tokenID: textOf(fields.tokenID),
    version: typeof fields.version === 'number' ? fields.version : undefined,
    cause: textOf(fields.cause) ?? askedIn(fields),
    actor: textOf(fields.actor) ?? textOf(fields.verifier),
    detail: textOf(fields.detail),
    fields,
  };
}

export function isWanted(entry: AuditEntry, { namespace, name, tokenID, operations, since }: EntryFilter): boolean {
  return (
    (namespace === undefined || entry.namespace === namespace) &&
    (name === undefined || entry.name === name) &&
    (tokenID === undefined || entry.tokenID === tokenID) &&
    (operations.length === 0 || operations.includes(entry.operation)) &&
    (since === undefined || Date.parse(entry.time) >= since * 1000)
  );
}

/** Audience and request of a verdict, and how many were alike. */
function askedIn({ audience, method, path, count }: Readonly<Record<string, unknown>>): string | undefined {
  const times = typeof count === 'number' && count > 1 ? `${count} times` : undefined;
  return [audience, method, path, times].map(textOf).filter(Boolean).join(' ') || undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function objectIn(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
