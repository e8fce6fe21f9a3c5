/** The audit sinks there are. A new one is a file here and a case below. */
import { stat } from 'node:fs/promises';
import type { Logger } from '../ports.ts';
import { AuditError, systemCode } from './error.ts';
import { FileSink } from './file-sink.ts';
import { JsonLinesAuditLog, type JsonLinesOptions } from './json-lines.ts';
import { Ledger } from './ledger.ts';
import type { AuditSink, SinkHooks } from './sink.ts';
import { StreamSink } from './stream-sink.ts';
import { VerdictLog } from './verdict-log.ts';

export type AuditTarget = { kind: 'fd'; fd: number } | { kind: 'file'; path: string };

/** Opens the target and reads back what it holds. Throws AuditError `AuditUnavailable`, with the target in the message. */
export async function openAuditLog(
  target: AuditTarget,
  log: Logger,
  options: JsonLinesOptions = {},
): Promise<JsonLinesAuditLog> {
  const ledger = new Ledger();
  const hooks: SinkHooks = {
    found: (line) => ledger.applyLine(line),
    checkpoint: () => ledger.checkpoint(),
    notice: (fields, text) => log.warn(fields, text),
  };
  return new JsonLinesAuditLog(await opened(target, hooks), ledger, options);
}

/** Opens the target for the records of verdicts, of which nothing is read back. Throws as `openAuditLog`. */
export async function openVerdictLog(target: AuditTarget, log: Logger): Promise<VerdictLog> {
  const hooks: SinkHooks = {
    found: () => true,
    checkpoint: () => [],
    notice: (fields, text) => log.warn(fields, text),
  };
  return new VerdictLog(await opened(target, hooks));
}

async function opened(target: AuditTarget, hooks: SinkHooks): Promise<AuditSink> {
  try {
    const sink = await sinkFor(target, hooks);
    await sink.prepare();
    return sink;
  } catch (error) {
    const name = target.kind === 'fd' ? `fd:${target.fd}` : target.path;
    throw new AuditError('AuditUnavailable', `The audit log ${name} cannot be opened: ${systemCode(error)}`, {
      cause: error,
    });
  }
}

async function sinkFor(target: AuditTarget, hooks: SinkHooks): Promise<AuditSink> {
  switch (target.kind) {
    case 'fd':
      return StreamSink.ofDescriptor(target.fd);
    case 'file':
      // else /dev/stdout, a named pipe, a terminal
      return (await isFileOrNew(target.path)) ? new FileSink(target.path, hooks) : StreamSink.ofPath(target.path);
  }
}

async function isFileOrNew(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    throw error;
  }
}
