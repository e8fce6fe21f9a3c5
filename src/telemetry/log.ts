/** The operator's log: JSON lines on stderr. stdout belongs to the audit stream. */
import pino from 'pino';
import type { Logger } from '../ports.ts';
import { LineWriter } from './line-writer.ts';
import { redact } from './redact.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFormat = 'json' | 'text';

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Where lines go; stderr unless given. */
  destination?: { write(line: string): void };
  /** Colour levels in text format. True only where a person looks: a TTY, without NO_COLOR. */
  colours?: boolean;
}

const LONGEST_MESSAGE = 1024;

/**
 * A pino logger. Whatever is logged, a token value does not leave: errors are reduced to code and message, and each finished
 * line is searched for the token form.
 */
export function createLogger(options: LogOptions): Logger {
  const stream = options.destination ?? new LineWriter(2);
  const colours = options.colours ?? (process.stderr.isTTY === true && !process.env.NO_COLOR);
  const finish = options.format === 'json' ? redact : (line: string) => asText(redact(line), colours);
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }), log: reduceErrors },
      serializers: { err: (value: unknown) => (value instanceof Error ? errorFacts(value) : value) },
      hooks: { streamWrite: finish },
    },
    stream,
  );
  return withReducedBindings(logger);
}

/** pino's formatters leave out what a child logger is bound to. */
function withReducedBindings(logger: pino.Logger): Logger {
  return {
    debug: (fields, text) => logger.debug(fields, text),
    info: (fields, text) => logger.info(fields, text),
    warn: (fields, text) => logger.warn(fields, text),
    error: (fields, text) => logger.error(fields, text),
    child: (fields) => withReducedBindings(logger.child(reduceErrors(fields))),
  };
}

export interface ErrorFacts {
  name: string;
  message: string;
  code?: string | number;
  reason?: string;
  status?: number;
  /** First frames of the stack, of errors that nobody foresaw (no code, no reason). */
  at?: string[];
  cause?: ErrorFacts;
}

/** What may be said of an error: never its other properties, of which one may be a response body. */
export function errorFacts(error: Error, depth = 0): ErrorFacts {
  const facts: ErrorFacts = { name: error.name, message: safeMessage(error) };
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) facts.code = error.code;
  if ('reason' in error && typeof error.reason === 'string') facts.reason = error.reason;
  if ('status' in error && typeof error.status === 'number') facts.status = error.status;
  if (facts.code === undefined && facts.reason === undefined) facts.at = frames(error);
  if (depth < 2 && error.cause instanceof Error) facts.cause = errorFacts(error.cause, depth + 1);
  return facts;
}

/** Clients that keep the response on the error also write it into the message. */
function safeMessage(error: Error): string {
  if ('body' in error || 'response' in error) return 'message withheld: it may quote a response';
  return error.message.slice(0, LONGEST_MESSAGE);
}

function frames(error: Error): string[] {
  const lines = (error.stack ?? '').split('\n').map((line) => line.trim());
  return lines.filter((line) => line.startsWith('at ')).slice(0, 4);
}

function reduceErrors(fields: Record<string, unknown>): Record<string, unknown> {
  let reduced = fields;
  for (const [name, value] of Object.entries(fields)) {
    if (!(value instanceof Error)) continue;
    if (reduced === fields) reduced = { ...fields };
    reduced[name] = errorFacts(value);
  }
  return reduced;
}

const COLOURS: Record<string, string> = {
  debug: '\u001b[90m',
  info: '\u001b[32m',
  warn: '\u001b[33m',
  error: '\u001b[31m',
};

/** `12:00:00.000 INFO  token rotated  token=support/summarizer version=3` */
function asText(line: string, colours: boolean): string {
  const { time, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const name = String(level).toUpperCase().padEnd(5);
  const colour = colours ? COLOURS[String(level)] : undefined;
  const facts = Object.entries(fields).map(([key, value]) => `${bare(key)}=${bare(value)}`);
  const shown = colour === undefined ? name : `${colour}${name}\u001b[0m`;
  return `${String(time).slice(11, 23)} ${shown} ${[bare(msg ?? '', / /), ...facts].join('  ')}\n`;
}

/** Quoted where it holds more than plain printable characters, so that a field cannot forge a line or an escape sequence. */
function bare(value: unknown, allowed?: RegExp): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const checked = allowed === undefined ? text : text.replaceAll(new RegExp(allowed, 'g'), '');
  if (typeof value === 'string' && !/^[\x21\x23-\x7e]*$/.test(checked)) return escapeNonAscii(JSON.stringify(text));
  return escapeNonAscii(text);
}

/** JSON leaves C1 controls as they are, and a terminal obeys them. */
function escapeNonAscii(text: string): string {
  return text.replaceAll(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
