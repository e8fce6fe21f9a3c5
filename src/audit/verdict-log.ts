/**
 * Audit records of verdicts as JSON lines. There are many and they are told after the fact, so they share writes and are not waited for; what
 * waits is bounded, and a full buffer takes no more.
 */
import { VERDICT_SCHEMA, type VerdictRecord, type VerdictSubject } from '../domain/verdict/record.ts';
import { systemCode } from './error.ts';
import type { AuditSink } from './sink.ts';

export interface VerdictLogOptions {
  /** What may wait for a slow sink, in UTF-16 units. 16 Mi unless given. */
  bufferLimit?: number;
  /** How long a record waits for others, in milliseconds. 100 unless given. */
  lingerMilliseconds?: number;
}

/** Free text of callers and tenants, in UTF-16 units. */
const LONGEST_TEXT = 1024;
const LINGER_MILLISECONDS = 100;
/** So much is not made to wait, in UTF-16 units: larger pieces take fresh memory each time, which costs more than a write. */
const CHUNK = 64 << 10;
const RETRY_MILLISECONDS = 250;
/** A sink that is busy for so long does not answer. */
const SILENCE_MILLISECONDS = 10_000;
const CLOSE_MILLISECONDS = 5_000;

export class VerdictLog {
  readonly #sink: AuditSink;
  readonly #bufferLimit: number;
  readonly #linger: number;
  #lines: string[] = [];
  #size = 0;
  #kept = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;
  #busySince: number | undefined;
  #failure: string | undefined;
  #closing = false;

  constructor(sink: AuditSink, options: VerdictLogOptions = {}) {
    this.#sink = sink;
    this.#bufferLimit = options.bufferLimit ?? 16 << 20;
    this.#linger = options.lingerMilliseconds ?? LINGER_MILLISECONDS;
  }

  /** Takes a record; false, and counted, when there is no room for it. */
  record(record: VerdictRecord): boolean {
    const line = formatVerdict(record);
    if (this.#closing || this.#size + line.length > this.#bufferLimit) {
      this.#dropped += 1;
      return false;
    }
    this.#lines.push(line);
    this.#size += line.length;
    if (this.#writing !== undefined) return true;
    if (this.#size >= CHUNK) this.#start();
    else this.#timer ??= setTimeout(() => this.#start(), this.#linger);
    return true;
  }

  /** Records written, and records that are lost: for want of room, or since the sink was closed. */
  get counts(): { kept: number; dropped: number } {
    return { kept: this.#kept, dropped: this.#dropped };
  }

  /** For readiness. */
  problem(): string | undefined {
    if (this.#busySince !== undefined && performance.now() - this.#busySince > SILENCE_MILLISECONDS)
      return 'the audit sink does not answer';
    return this.#failure === undefined ? undefined : `the audit sink fails: ${this.#failure}`;
  }

  /** Writes what waits, for at most five seconds, and closes the sink. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#start();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(() => late.resolve(), CLOSE_MILLISECONDS);
    await Promise.race([this.#writing, late.promise]);
    clearTimeout(timer);
    this.#dropped += this.#lines.length;
    this.#lines = [];
    await this.#sink.close();
  }

  #start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length > 0) this.#writing ??= this.#write();
  }

  async #write(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines;
      const size = this.#size;
      this.#lines = [];
      this.#busySince = performance.now();
      const failure = await this.#append(lines.join(''));
      this.#busySince = undefined;
      this.#failure = failure;
      if (failure === undefined) {
        this.#size -= size;
        this.#kept += lines.length;
        continue;
      }
      // tried again; meanwhile it goes on counting against the bound
      this.#lines = [...lines, ...this.#lines];
      if (this.#closing) break;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MILLISECONDS));
    }
    // at once, so that a record that comes next begins anew
    this.#writing = undefined;
  }

  async #append(text: string): Promise<string | undefined> {
    try {
      await this.#sink.prepare();
      await this.#sink.append(text);
      return undefined;
    } catch (error) {
      return systemCode(error);
    }
  }
}

/** One line, bounded, without a token's value: whoever reaches the verifier past its gateway may write one anywhere. */
export function formatVerdict({ subject, time, count, method, path, source, traceparent }: VerdictRecord): string {
  let own = `${HEAD}"${time}"`;
  if (count !== undefined) own += `,"count":${count}`;
  if (source !== undefined) own += `,"source":${JSON.stringify(source)}`;
  if (method !== undefined) own += `,"method":${JSON.stringify(tame(method))}`;
  if (path !== undefined) own += `,"path":${JSON.stringify(tame(path.split('?', 1)[0] ?? ''))}`;
  if (traceparent !== undefined) own += `,"traceparent":${JSON.stringify(tame(traceparent))}`;
  return `${own},${formatted(subject)}`;
}

const HEAD = `{"schema":"${VERDICT_SCHEMA}","time":`;

const subjects = new WeakMap<VerdictSubject, string>();

/** The rest of a line. Written once for all records that share it: most calls are alike. */
function formatted(subject: VerdictSubject): string {
  const known = subjects.get(subject);
  if (known !== undefined) return known;
  const { audience, scopes, purpose } = subject;
  const tamed = {
    ...subject,
    audience: audience && tame(audience),
    scopes: scopes?.map(tame),
    purpose: purpose && tame(purpose),
  };
  const text = `${JSON.stringify(tamed).slice(1)}\n`;
  subjects.set(subject, text);
  return text;
}

function tame(text: string): string {
  const cut = text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 1).toWellFormed()}…`;
  return cut.includes('twk_') ? cut.replaceAll(/twk_[0-9A-Za-z_-]+/g, '[redacted]') : cut;
}
