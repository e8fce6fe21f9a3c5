/**
 * Cron schedules on a wall clock: the five fields of crontab(5), read in an IANA time zone.
 *
 * Each time on the wall clock comes once. One that a clock change skips runs at the first instant after the gap; one that
 * comes twice runs the first time. This holds for `*` too, so that no schedule changes its meaning with its spelling.
 * croner's extensions (seconds, years, L, W, #, +, ?, @nicknames) are refused: crontab(5) and CronJob would read them in
 * another way or not at all, and what was once accepted could never be taken back.
 */
import { Cron, CronPattern } from 'croner';
import { canonicalZone, TIME_ZONE_MAX } from './time-zone.ts';

export interface Schedule {
  /** Seconds since the epoch of the first run strictly later than that; undefined when there is none. */
  next(afterSeconds: number): number | undefined;
}

export type ParsedSchedule =
  | ({ ok: true } & Schedule)
  | { ok: false; problem: 'schedule' | 'timeZone'; sentence: string };

const EXPRESSION_MAX = 100;
const LAST_SECOND = Date.UTC(2900) / 1000; // croner looks no further than the year 3000

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const FIELDS: readonly { name: string; expected: string; names: readonly string[] }[] = [
  { name: 'minute', expected: '0-59', names: [] },
  { name: 'hour', expected: '0-23', names: [] },
  { name: 'day of month', expected: '1-31', names: [] },
  { name: 'month', expected: '1-12 or JAN-DEC', names: MONTHS },
  { name: 'day of week', expected: '0-7 or SUN-SAT', names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] },
];

// one Cron holds an array of 10,000 years: 64 are 5 MB
const CACHE_MAX = 64;
const cache = new Map<string, ParsedSchedule>();

/** Never throws. The sentence says what to do. */
export function parseSchedule(expression: string, timeZone: string): ParsedSchedule {
  const key = `${timeZone.length} ${timeZone} ${expression}`; // the length, or two pairs could share one key
  const known = cache.get(key);
  if (known !== undefined) return known;
  const schedule = read(expression, timeZone);
  if (key.length > EXPRESSION_MAX + TIME_ZONE_MAX + 8) return schedule;
  const oldest = cache.size >= CACHE_MAX ? cache.keys().next().value : undefined;
  if (oldest !== undefined) cache.delete(oldest);
  cache.set(key, schedule);
  return schedule;
}

function read(expression: string, timeZone: string): ParsedSchedule {
  // one spelling for each zone: croner keeps a formatter for each that it was ever given
  const zone = canonicalZone(timeZone);
  if (zone === undefined) {
    const sentence = `time zone "${shown(timeZone)}" is not known: use a name of the IANA database, as Europe/Berlin or UTC`;
    return { ok: false, problem: 'timeZone', sentence };
  }
  const pattern = expression.length <= EXPRESSION_MAX ? patternOf(expression) : undefined;
  if (pattern === undefined) return { ok: false, problem: 'schedule', sentence: problemOf(expression) };
  if (!everComes(pattern)) {
    const sentence = `schedule "${shown(expression)}" names a day that never comes`;
    return { ok: false, problem: 'schedule', sentence };
  }
  const options = { timezone: zone, mode: '5-part', fixedTimeRule: 'no-wildcard' } as const;
  const cron = new Cron(onWallClock(expression, pattern), options);
  return { ok: true, next: (afterSeconds) => nextOf(cron, afterSeconds) };
}

function nextOf(cron: Cron, afterSeconds: number): number | undefined {
  if (!(afterSeconds >= 0 && afterSeconds <= LAST_SECOND)) return undefined;
  const next = cron.nextRun(new Date(Math.floor(afterSeconds) * 1000));
  return next === null ? undefined : next.getTime() / 1000;
}

/** The same times as lists. croner keeps to the wall clock only where the hour and the minute have neither * nor step. */
function onWallClock(expression: string, { minute, hour }: CronPattern): string {
  const indices = (flags: readonly number[]) => flags.flatMap((flag, index) => (flag ? [index] : [])).join(',');
  return [indices(minute), indices(hour), ...fieldsOf(expression).slice(2)].join(' ');
}

/** 30 February and its like. Looked up, as croner would walk through a thousand years. */
function everComes({ day, month, starDOW }: CronPattern): boolean {
  const longest = Math.max(...month.map((flag, index) => (flag ? (DAYS[index] ?? 0) : 0)));
  return !starDOW || day.findIndex((flag) => flag) < longest;
}

function patternOf(expression: string): CronPattern | undefined {
  const fields = fieldsOf(expression);
  if (fields.length !== FIELDS.length || !FIELDS.every(({ names }, index) => isPlain(fields[index] ?? '', names))) {
    return undefined;
  }
  try {
    return new CronPattern(expression, undefined, { mode: '5-part' });
  } catch {
    return undefined;
  }
}

/** Without croner's extensions: of letters, only the names of months and days. */
function isPlain(field: string, names: readonly string[]): boolean {
  if (!/^[0-9A-Za-z*,/-]+$/.test(field)) return false;
  const words = field.toUpperCase().match(/[A-Z]+/g) ?? [];
  return words.every((word) => names.includes(word));
}

/** The sentence on an expression that patternOf refuses. croner's own counts days from 0. */
function problemOf(expression: string): string {
  if (expression.length > EXPRESSION_MAX) return `schedule must have at most ${EXPRESSION_MAX} characters`;
  const fields = fieldsOf(expression);
  if (fields.length === FIELDS.length) {
    for (const [index, { name, expected }] of FIELDS.entries()) {
      const alone = fields.map((field, other) => (other === index ? field : '*')).join(' ');
      if (patternOf(alone) !== undefined) continue;
      const use = `${expected}, lists (1,2), ranges (1-5), * or steps (*/2)`;
      return `schedule has "${shown(fields[index] ?? '')}" for the ${name}: use ${use}`;
    }
  }
  return `schedule "${shown(expression)}" must have five fields, minute hour day-of-month month day-of-week, as "0 3 * * *"`;
}

function fieldsOf(expression: string): string[] {
  return expression.split(/[ \t]+/).filter((field) => field !== '');
}

function shown(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
