/** What the audit log knows by heart: which operations are open, which are closed, and which ApiTokens live. */
import type { AuditIntent, AuditOperation, AuditRecord, AuditSubject } from '../domain/audit.ts';
import { isIntent, parseLine, parseRecord, parseSubject, SCHEMA, subjectOf } from './record.ts';

/** Operations that one audit id stands for, as auditID has it: mint, rotate and heal of one version are one. */
const EFFECTS = ['mint', 'retire', 'delete', 'revoke'] as const;

const CHECKPOINT = 'tokenwright.dev/audit-checkpoint/v1';

/** Deleted ApiTokens, and those never minted for, that are still remembered. */
const DORMANT_LIMIT = 4_096;

interface Entry {
  subject: AuditSubject;
  minted: boolean;
  deleted: boolean;
  /** Two numbers for each of EFFECTS: see the windows below. */
  closed: number[];
  open: Map<string, AuditIntent> | undefined;
}

/**
 * A record is known by ApiToken, effect and version. For each (ApiToken, effect) the highest closed version is kept, and which of
 * the 29 below it are closed: versions rise, and only a few stand at a time, so nothing is repeated later than that. Like the
 * anti-replay window of IPsec (RFC 4303, 3.4.3), save that what lies below the window counts as new: a record twice is better than none.
 */
export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** UIDs that may be forgotten, oldest first. */
  readonly #dormant = new Set<string>();

  /** Whether this record, or for an intent its end too, was kept already. */
  has(record: AuditRecord): boolean {
    const entry = this.#entries.get(record.uid);
    if (entry === undefined) return false;
    if (isClosed(entry, record)) return true;
    return isIntent(record) && entry.open?.has(record.id) === true;
  }

  apply(record: AuditRecord): void {
    if (this.has(record)) return;
    const entry = this.#entryOf(record);
    if (isIntent(record)) {
      entry.open ??= new Map();
      entry.open.set(record.id, record);
    } else {
      entry.open?.delete(record.id);
      if (entry.open?.size === 0) entry.open = undefined;
      close(entry.closed, effectOf(record.operation), record.version);
      if (record.phase === 'outcome' && mints(record)) entry.minted = true;
      if (record.phase === 'outcome' && record.operation === 'delete') entry.deleted = true;
    }
    this.#settle(entry);
  }

  /** Takes a line that was read back. False when it is neither a record nor a checkpoint. */
  applyLine(line: string): boolean {
    const fields = parseLine(line);
    if (fields === undefined) return false;
    if (fields.schema === CHECKPOINT) return this.#applyCheckpoint(fields);
    const record = parseRecord(fields);
    if (record === undefined) return false;
    this.apply(record);
    return true;
  }

  open(uid: string): readonly AuditIntent[] {
    return [...(this.#entries.get(uid)?.open?.values() ?? [])];
  }

  living(): readonly AuditSubject[] {
    return [...this.#entries.values()].filter(isLiving).map(({ subject }) => subject);
  }

  /** Lines from which a new file knows what the one before it said. They are no records: they have no phase. */
  *checkpoint(): Generator<string> {
    for (const entry of this.#entries.values()) {
      const { subject, minted, deleted, closed } = entry;
      const open = [...(entry.open?.values() ?? [])];
      yield `${JSON.stringify({ schema: CHECKPOINT, ...subject, minted, deleted, closed, open })}\n`;
    }
  }

  #applyCheckpoint(fields: Record<string, unknown>): boolean {
    const { minted, deleted, closed, open } = fields;
    const subject = parseSubject(fields);
    if (subject === undefined || !Array.isArray(open)) return false;
    if (!Array.isArray(closed) || !closed.every(Number.isSafeInteger)) return false;
    const entry = this.#entryOf(subject);
    entry.minted ||= minted === true;
    entry.deleted ||= deleted === true;
    for (const [index] of EFFECTS.entries()) {
      for (const version of closedVersions(closed, index)) close(entry.closed, index, version);
    }
    for (const intent of open) {
      const record = parseRecord({ ...intent, schema: SCHEMA });
      if (record !== undefined) this.apply(record);
    }
    this.#settle(entry);
    return true;
  }

  /** The latest record's subject counts: a purpose may change. */
  #entryOf(subject: AuditSubject): Entry {
    let entry = this.#entries.get(subject.uid);
    if (entry === undefined) {
      entry = { subject: subjectOf(subject), minted: false, deleted: false, closed: [], open: undefined };
      this.#entries.set(subject.uid, entry);
    } else {
      entry.subject = subjectOf(subject);
    }
    return entry;
  }

  #settle(entry: Entry): void {
    this.#dormant.delete(entry.subject.uid);
    if (entry.open !== undefined || isLiving(entry)) return;
    this.#dormant.add(entry.subject.uid);
    if (this.#dormant.size <= DORMANT_LIMIT) return;
    const [oldest] = this.#dormant;
    if (oldest === undefined) return;
    this.#dormant.delete(oldest);
    this.#entries.delete(oldest);
  }
}

/** Minted for, or perhaps so: an intent whose end is not known counts. */
function isLiving(entry: Entry): boolean {
  if (entry.deleted) return false;
  return entry.minted || [...(entry.open?.values() ?? [])].some(mints);
}

function mints(record: AuditRecord): boolean {
  return effectOf(record.operation) === 0;
}

function effectOf(operation: AuditOperation): number {
  switch (operation) {
    case 'mint':
    case 'rotate':
    case 'heal':
      return 0;
    case 'retire':
      return 1;
    case 'delete':
      return 2;
    case 'revoke':
      return 3;
  }
}

// ---- Windows of closed versions: closed[2i] is the highest, bit n of closed[2i + 1] says whether the n-th below it is closed ----

/** Small integers of V8 have 31 bits: more would put each number on the heap. */
const WINDOW = 30;

function isClosed(entry: Entry, record: AuditRecord): boolean {
  const index = 2 * effectOf(record.operation);
  const below = (entry.closed[index] ?? -1) - record.version;
  return below >= 0 && below < WINDOW && (((entry.closed[index + 1] ?? 0) >> below) & 1) === 1;
}

function close(closed: number[], effect: number, version: number): void {
  while (closed.length < 2 * effect + 2) closed.push(-1, 0);
  const highest = closed[2 * effect] ?? -1;
  const mask = closed[2 * effect + 1] ?? 0;
  const above = version - highest;
  if (highest < 0 || above >= WINDOW) {
    closed[2 * effect] = version;
    closed[2 * effect + 1] = 1;
  } else if (above > 0) {
    closed[2 * effect] = version;
    closed[2 * effect + 1] = ((mask << above) | 1) & (2 ** WINDOW - 1);
  } else if (-above < WINDOW) {
    closed[2 * effect + 1] = mask | (1 << -above);
  }
}

function* closedVersions(closed: readonly number[], effect: number): Generator<number> {
  const highest = closed[2 * effect] ?? -1;
  const mask = closed[2 * effect + 1] ?? 0;
  for (let below = WINDOW - 1; below >= 0; below--)
    if (((mask >> below) & 1) === 1 && highest >= below) yield highest - below;
}
