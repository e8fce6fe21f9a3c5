import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSchedule, type Schedule } from '../../src/domain/schedule.ts';

const seconds = (time: string) => Date.parse(time) / 1000;

function scheduleOf(expression: string, timeZone = 'UTC'): Schedule {
  const parsed = parseSchedule(expression, timeZone);
  if (!parsed.ok) throw new Error(parsed.sentence);
  return parsed;
}

function runs(schedule: Schedule, from: number, until: number): number[] {
  const times: number[] = [];
  for (let time = schedule.next(from); time !== undefined && time < until; time = schedule.next(time)) times.push(time);
  return times;
}

const shown = (times: readonly number[]) => times.map((time) => new Date(time * 1000).toISOString().slice(0, 16));

describe('a schedule', () => {
  it.each([
    ['0 3 * * *', 'UTC', ['2026-01-01T03:00', '2026-01-02T03:00']],
    ['0 3 * * *', 'Europe/Berlin', ['2026-01-01T02:00', '2026-01-02T02:00']],
    ['0 3 * * *', 'europe/BERLIN', ['2026-01-01T02:00', '2026-01-02T02:00']],
    ['0 3 * * *', 'US/Eastern', ['2026-01-01T08:00', '2026-01-02T08:00']],
    ['*/20 9-10 * * MON-FRI', 'UTC', ['2026-01-01T09:00', '2026-01-01T09:20']],
    ['0 0 * * 7', 'UTC', ['2026-01-04T00:00', '2026-01-11T00:00']],
    ['0 0 * * sun', 'UTC', ['2026-01-04T00:00', '2026-01-11T00:00']],
    ['0 0 29 2 *', 'UTC', ['2028-02-29T00:00', '2032-02-29T00:00']],
    ['0 0 1,15 jan-mar,12 *', 'UTC', ['2026-01-15T00:00', '2026-02-01T00:00']],
    // both days given: either of them, as in crontab(5)
    ['0 0 13 * 5', 'UTC', ['2026-01-02T00:00', '2026-01-09T00:00']],
    ['0 0 30 2 1', 'UTC', ['2026-02-02T00:00', '2026-02-09T00:00']],
    ['  0\t3  * * *  ', 'UTC', ['2026-01-01T03:00', '2026-01-02T03:00']],
  ])('%s in %s runs at %j', (expression, timeZone, times) => {
    const schedule = scheduleOf(expression, timeZone);
    const first = schedule.next(seconds('2026-01-01T00:00:30Z')) ?? 0;
    expect(shown([first, schedule.next(first) ?? 0])).toEqual(times);
  });

  it.each([
    ['', /must have five fields/],
    ['0 3 * *', /must have five fields/],
    ['0 0 3 * * *', /must have five fields/],
    ['0 0 3 * * * 2026', /must have five fields/],
    ['@daily', /must have five fields/],
    ['@reboot', /must have five fields/],
    ['2026-01-01T00:00:00', /must have five fields/],
    ['60 * * * *', /"60" for the minute: use 0-59/],
    ['0 24 * * *', /"24" for the hour: use 0-23/],
    ['0 0 32 * *', /"32" for the day of month: use 1-31/],
    ['0 0 0 * *', /"0" for the day of month/],
    ['0 0 * 13 *', /"13" for the month: use 1-12 or JAN-DEC/],
    ['0 0 * MON *', /"MON" for the month/],
    ['0 0 * * 8', /"8" for the day of week: use 0-7 or SUN-SAT/],
    ['0 0 * * SUNDAY', /"SUNDAY" for the day of week/],
    ['0 0 L * *', /"L" for the day of month/],
    ['0 0 15W * *', /"15W" for the day of month/],
    ['0 0 * * 5L', /"5L" for the day of week/],
    ['0 0 * * FRIL', /"FRIL" for the day of week/],
    ['0 0 * * 5#2', /"5#2" for the day of week/],
    ['0 0 * * +5', /"\+5" for the day of week/],
    ['? * * * *', /"\?" for the minute/],
    ['*/0 * * * *', /"\*\/0" for the minute/],
    ['5/5 * * * *', /"5\/5" for the minute/],
    ['0 5-1 * * *', /"5-1" for the hour/],
    ['0 , * * *', /"," for the hour/],
    ['TZ=UTC 0 3 * *', /"TZ=UTC" for the minute/],
    ['0 0 30 2 *', /never comes/],
    ['0 0 31 4,6,9,11 *', /never comes/],
    ['0 3 * * *'.padEnd(101), /at most 100 characters/],
  ])('%j is refused with a sentence', (expression, sentence) => {
    expect(parseSchedule(expression, 'UTC')).toEqual({
      ok: false,
      problem: 'schedule',
      sentence: expect.stringMatching(sentence),
    });
  });

  it.each(['', '+02:00', 'Local', 'Mars/Phobos', 'Europe/Berlin ', 'a'.repeat(65)])(
    'time zone %j is refused',
    (timeZone) => {
      const sentence = expect.stringContaining('use a name of the IANA database');
      expect(parseSchedule('0 3 * * *', timeZone)).toEqual({ ok: false, problem: 'timeZone', sentence });
    },
  );

  it('has no next run after the end of the calendar, nor after what is no time', () => {
    for (const after of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e15])
      expect(scheduleOf('* * * * *').next(after)).toBeUndefined();
  });

  it('is read again from a cache that does not grow', () => {
    const first = parseSchedule('0 3 * * *', 'UTC');
    expect(parseSchedule('0 3 * * *', 'UTC')).toBe(first);
    for (let i = 0; i < 64; i++) parseSchedule(`${i % 60} ${i % 24} 1 * *`, 'UTC');
    expect(parseSchedule('0 3 * * *', 'UTC')).not.toBe(first);
  });

  it('never throws on junk', () => {
    const junk = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc
        .array(fc.string({ unit: fc.constantFrom(...'0123456789*,-/LW#?+@ MONJAN'), maxLength: 6 }), { maxLength: 7 })
        .map((fields) => fields.join(' ')),
    );
    fc.assert(
      fc.property(junk, fc.oneof(fc.constant('UTC'), fc.string()), (expression, timeZone) => {
        const parsed = parseSchedule(expression, timeZone);
        if (parsed.ok)
          expect(parsed.next(seconds('2026-01-01T00:00:00Z'))).toBeGreaterThan(seconds('2026-01-01T00:00:00Z'));
      }),
    );
  });
});

describe('a change of the clock', () => {
  it.each([
    [
      'a time that does not exist runs at the end of the gap',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'a time that comes twice runs the first time',
      '30 2 * * *',
      'Europe/Berlin',
      '2026-10-24T12:00Z',
      ['2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'two times that fall on one instant run once',
      '30 2,3 * * *',
      'America/New_York',
      '2026-03-08T06:00Z',
      ['2026-03-08T07:00', '2026-03-08T07:30', '2026-03-09T06:30'],
    ],
    [
      'the end of the gap runs once',
      '0 2,3 * * *',
      'America/New_York',
      '2026-03-08T06:00Z',
      ['2026-03-08T07:00', '2026-03-09T06:00'],
    ],
    [
      'a gap of half an hour',
      '15 2 * * *',
      'Australia/Lord_Howe',
      '2026-10-03T00:00Z',
      ['2026-10-03T15:30', '2026-10-04T15:15'],
    ],
    [
      'half an hour twice',
      '45 1 * * *',
      'Australia/Lord_Howe',
      '2026-04-04T00:00Z',
      ['2026-04-04T14:45', '2026-04-05T15:15'],
    ],
    ['a gap at midnight', '0 0 * * *', 'Asia/Beirut', '2026-03-28T12:00Z', ['2026-03-28T22:00', '2026-03-29T21:00']],
    [
      'steps keep to the wall clock too',
      '*/30 2 * * *',
      'Europe/Berlin',
      '2026-03-28T12:00Z',
      ['2026-03-29T01:00', '2026-03-30T00:00'],
    ],
    [
      'each hour, the second 2:00 left out',
      '0 * * * *',
      'Europe/Berlin',
      '2026-10-24T23:30Z',
      ['2026-10-25T00:00', '2026-10-25T02:00'],
    ],
  ])('%s', (_, expression, timeZone, from, times) => {
    const schedule = scheduleOf(expression, timeZone);
    const until = seconds(`${times.at(-1)}Z`) + 1;
    expect(shown(runs(schedule, seconds(from), until))).toEqual(times);
  });

  /** What each UTC minute shows on the wall, two days around a change of the clock. */
  function wallOf(timeZone: string, change: string) {
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
    const start = seconds(change) - 86_400;
    return Array.from({ length: 2 * 1440 }, (_, minute) => {
      const [date = '', time = ''] = format.format((start + minute * 60) * 1000).split(' ');
      const [hour = 0, min = 0] = time.split(':').map(Number);
      return { at: start + minute * 60, date, minute: hour * 60 + min };
    });
  }

  /** By the rule, from the wall alone: the first instant that shows the time, else the first after the jump over it. */
  function expectedRuns(wall: ReturnType<typeof wallOf>, minutes: ReadonlySet<number>): number[] {
    const found = new Set<number>();
    const seen = new Set<string>();
    for (const [index, { at, date, minute }] of wall.entries()) {
      const previous = wall[index - 1];
      const from = previous?.date === date ? previous.minute + 1 : 0; // what was jumped over, if anything
      for (let skipped = Math.min(from, minute); skipped <= minute; skipped++) {
        const name = `${date} ${skipped}`;
        if (minutes.has(skipped) && !seen.has(name)) found.add(at);
        seen.add(name);
      }
    }
    return [...found].sort((one, other) => one - other);
  }

  const field = (max: number) =>
    fc.oneof(
      fc.nat(max).map(String),
      fc.uniqueArray(fc.nat(max), { minLength: 2, maxLength: 4 }).map((list) => list.join()),
      fc.tuple(fc.nat(max), fc.nat(max)).map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`),
      fc.constantFrom('*', '*/2', '*/7', '0-3', '1,2', '*/15'),
    );

  function members(text: string, max: number): number[] {
    return text.split(',').flatMap((part) => {
      const [range = '', step = '1'] = part.split('/');
      const [low = 0, high = low] = range === '*' ? [0, max] : range.split('-').map(Number);
      return Array.from({ length: max + 1 }, (_, i) => i).filter(
        (i) => i >= low && i <= high && (i - low) % Number(step) === 0,
      );
    });
  }

  it.each([
    ['Europe/Berlin', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00Z'],
    ['America/New_York', '2026-03-08T07:00Z'],
    ['America/New_York', '2026-11-01T06:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Asia/Beirut', '2026-03-28T22:00Z'],
    ['Asia/Beirut', '2026-10-24T21:00Z'],
    ['Antarctica/Troll', '2026-03-29T01:00Z'],
    ['UTC', '2026-01-01T00:00Z'],
  ])('in %s at %s brings every time exactly once', (timeZone, change) => {
    const wall = wallOf(timeZone, change);
    const [start, end] = [wall[0]?.at ?? 0, (wall.at(-1)?.at ?? 0) + 60];
    fc.assert(
      fc.property(field(59), field(23), (minute, hour) => {
        const hours = members(hour, 23);
        const minutes = new Set(members(minute, 59).flatMap((m) => hours.map((h) => h * 60 + m)));
        const from = start + 7200; // what a jump before the window skipped is not known here
        const expected = expectedRuns(wall, minutes).filter((at) => at > from);
        expect(shown(runs(scheduleOf(`${minute} ${hour} * * *`, timeZone), from, end))).toEqual(shown(expected));
      }),
      { numRuns: 15 },
    );
  });

  it('never turns next() back: it is strictly later, and never earlier for a later start', () => {
    const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Beirut', 'UTC');
    const starts = fc.oneof(
      fc.integer({ min: 0, max: seconds('2100-01-01T00:00Z') }),
      fc
        .tuple(
          fc.constantFrom('2026-03-29T01:00Z', '2026-10-25T01:00Z', '2026-11-01T06:00Z', '2026-04-04T15:00Z'),
          fc.integer({ min: -7200, max: 7200 }),
        )
        .map(([change, offset]) => seconds(change) + offset),
    );
    fc.assert(
      fc.property(field(59), field(23), zones, starts, fc.nat(7200), (minute, hour, timeZone, start, later) => {
        const schedule = scheduleOf(`${minute} ${hour} * * *`, timeZone);
        const next = schedule.next(start) ?? Number.NaN;
        expect(next).toBeGreaterThan(start);
        expect(Number.isSafeInteger(next)).toBe(true);
        expect(schedule.next(start + later)).toBeGreaterThanOrEqual(next);
        // nothing lies between: from just before it, it is still the next
        expect(schedule.next(next - 1)).toBe(next);
        expect(schedule.next(next - 0.5)).toBe(next);
        expect(schedule.next(start + 0.5)).toBe(next);
      }),
      { numRuns: 300 },
    );
  });
});
