/** One audit record as one line of JSON, bounded and without a token's value. */
import {
  type AuditIntent,
  type AuditOperation,
  type AuditRecord,
  type AuditSubject,
  auditID,
} from '../domain/audit.ts';
import { AuditError } from './error.ts';

const OPERATIONS: readonly AuditOperation[] = ['mint', 'rotate', 'heal', 'retire', 'revoke', 'delete'];

export const SCHEMA = 'tokenwright.dev/audit/v1';

/** Free text of tenants, in UTF-16 units. The schema of ApiToken allows 1,024 characters of up to two. */
const LONGEST_TEXT = 2048;

/** Longest line that is read back; what is written is far shorter. */
export const LONGEST_LINE = 64 << 10;

const VALUE_FORM = /twk_[a-z0-9-]{1,24}_[0-9A-Za-z]{20}/;

type Fields = Record<string, unknown>;

type Rules = Readonly<Record<string, (value: unknown) => boolean>>;

const SUBJECT_RULES: Rules = {
  uid: matches(/^[!-~]{1,128}$/),
  namespace: matches(/^[a-z0-9-]{1,63}$/),
  name: matches(/^[a-z0-9.-]{1,253}$/),
  identity: isLine(512),
  purpose: (value) => typeof value === 'string' && value.length <= LONGEST_TEXT,
  tokenID: matches(/^[0-9A-Za-z]{8}$/),
};

const RECORD_RULES: Rules = {
  ...SUBJECT_RULES,
  id: matches(/^[0-9a-f]{32}$/),
  phase: (value) => value === 'intent' || value === 'outcome' || value === 'abandoned',
  operation: (value) => OPERATIONS.some((operation) => operation === value),
  version: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  cause: matches(/^[A-Za-z][A-Za-z0-9]{0,63}$/),
  actor: isLine(256),
  requester: (value) => value === undefined || typeof value === 'string',
  time: matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
};

/** The line, with its newline. Throws AuditError `AuditInvalid`, without the offending text, when a field is not as it must be. */
export function formatRecord(record: AuditRecord): string {
  const requester = record.requester === undefined ? undefined : tame(record.requester);
  const free = { purpose: tame(record.purpose), requester };
  const problem = problemOf({ ...record, ...free }, RECORD_RULES);
  if (problem !== undefined) throw new AuditError('AuditInvalid', `The audit record has an invalid ${problem}`);
  if (record.id !== auditID(record.uid, record.operation, record.version))
    throw new AuditError('AuditInvalid', 'The audit record has an id that is not its own');
  const detail = 'detail' in record && record.detail !== undefined ? { detail: tame(record.detail) } : {};
  // field by field: what else the object may carry stays out
  const { time, id, phase, operation, version, cause, actor } = record;
  const line = {
    schema: SCHEMA,
    time,
    id,
    phase,
    operation,
    version,
    cause,
    actor,
    requester,
    ...subjectOf({ ...record, ...free }),
    ...detail,
  };
  return `${JSON.stringify(line)}\n`;
}

/** A record read back from where it was kept, or undefined. */
export function parseRecord(fields: Fields): AuditRecord | undefined {
  if (fields.schema !== SCHEMA || problemOf(fields, RECORD_RULES) !== undefined) return undefined;
  const { schema: _, ...record } = fields;
  return record as unknown as AuditRecord; // each field was checked
}

/** The ApiToken that fields speak of, or undefined. */
export function parseSubject(fields: Fields): AuditSubject | undefined {
  return problemOf(fields, SUBJECT_RULES) === undefined ? subjectOf(fields as unknown as AuditSubject) : undefined;
}

export function subjectOf({ uid, namespace, name, identity, purpose, tokenID }: AuditSubject): AuditSubject {
  return { uid, namespace, name, identity, purpose, tokenID };
}

/** The fields of a line, or undefined when it is not an object in JSON. */
export function parseLine(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

export function isIntent(record: AuditRecord): record is AuditIntent {
  return record.phase === 'intent';
}

/** The name of the first field that breaks its rule or holds a value. */
function problemOf(fields: Fields, rules: Rules): string | undefined {
  for (const [name, holds] of Object.entries(rules)) {
    const value = fields[name];
    if (!holds(value) || (typeof value === 'string' && VALUE_FORM.test(value))) return name;
  }
  return undefined;
}

function matches(pattern: RegExp): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && pattern.test(value);
}

/** Text on one line, of at most so many UTF-16 units. */
function isLine(longest: number): (value: unknown) => boolean {
  return (value) => typeof value === 'string' && value.length > 0 && value.length <= longest && !/\p{Cc}/u.test(value);
}

/** Somebody's prose must not stop a rotation: it is cut and cleaned rather than refused. */
function tame(text: string): string {
  const clean = text.replaceAll(/twk_[0-9A-Za-z_-]+/g, '[redacted]');
  return clean.length <= LONGEST_TEXT ? clean : `${clean.slice(0, LONGEST_TEXT - 1).toWellFormed()}…`;
}
