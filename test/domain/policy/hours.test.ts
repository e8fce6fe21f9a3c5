import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenPolicyHours } from '../../../src/api/token-policy.ts';
import { hours } from '../../../src/domain/policy/hours.ts';
import { FUZZ, fuzz, RUNS } from './stalls.ts';

type Day = TokenPolicyHours['days'][number];

const DAYS: Day[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const WEEK: Day[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri'];
const at = (time: string) => Date.parse(time) / 1000;
const span = (days: Day[], from: string, to: string, timeZone?: string): TokenPolicyHours => ({
  days,
  from,
  to,
  ...(timeZone !== undefined && { timeZone }),
});

// 2026-11-20 is a Friday
const TABLE: [sentence: string, span: TokenPolicyHours, time: string, holds: boolean][] = [
  ['its first second', span(WEEK, '06:00', '20:00'), '2026-11-20T06:00:00Z', true],
  ['the second before', span(WEEK, '06:00', '20:00'), '2026-11-20T05:59:59Z', false],
  ['its last second', span(WEEK, '06:00', '20:00'), '2026-11-20T19:59:59Z', true],
  ['its end', span(WEEK, '06:00', '20:00'), '2026-11-20T20:00:00Z', false],
  ['another day', span(WEEK, '06:00', '20:00'), '2026-11-21T12:00:00Z', false],
  ['the evening of a span past midnight', span(['Fri'], '22:00', '06:00'), '2026-11-20T23:00:00Z', true],
  ['the morning after it', span(['Fri'], '22:00', '06:00'), '2026-11-21T05:59:59Z', true],
  ['the end of that morning', span(['Fri'], '22:00', '06:00'), '2026-11-21T06:00:00Z', false],
  ['the morning before it', span(['Fri'], '22:00', '06:00'), '2026-11-20T05:00:00Z', false],
  ['Sunday after Saturday', span(['Sat'], '22:00', '06:00'), '2026-11-22T01:00:00Z', true],
  ['Monday after Sunday', span(['Sun'], '22:00', '06:00'), '2026-11-23T01:00:00Z', true],
  ['midnight of a whole day', span(['Fri'], '00:00', '00:00'), '2026-11-20T00:00:00Z', true],
  ['the last second of a whole day', span(['Fri'], '00:00', '00:00'), '2026-11-20T23:59:59Z', true],
  ['the next day', span(['Fri'], '00:00', '00:00'), '2026-11-21T00:00:00Z', false],
  ['a day from noon to noon', span(['Fri'], '12:00', '12:00'), '2026-11-21T11:59:59Z', true],
  ['a time zone', span(WEEK, '06:00', '20:00', 'Europe/Berlin'), '2026-11-20T05:00:00Z', true],
  ['the day of a time zone', span(['Sat'], '00:00', '06:00', 'Asia/Tokyo'), '2026-11-20T15:00:00Z', true],
  ['a quarter of an hour', span(['Fri'], '12:00', '12:01', 'Asia/Kathmandu'), '2026-11-20T06:15:00Z', true],
  // clocks go from 02:00 to 03:00 on 2026-03-29, and from 03:00 to 02:00 on 2026-10-25
  ['the minute before the gap', span(['Sun'], '01:30', '02:30', 'Europe/Berlin'), '2026-03-29T00:59:59Z', true],
  ['what the gap leaves out', span(['Sun'], '01:30', '02:30', 'Europe/Berlin'), '2026-03-29T01:00:00Z', false],
  ['a span inside the gap', span(['Sun'], '02:10', '02:50', 'Europe/Berlin'), '2026-03-29T01:10:00Z', false],
  ['an hour that comes twice, first', span(['Sun'], '02:00', '02:30', 'Europe/Berlin'), '2026-10-25T00:29:59Z', true],
  ['and between', span(['Sun'], '02:00', '02:30', 'Europe/Berlin'), '2026-10-25T00:30:00Z', false],
  ['and again', span(['Sun'], '02:00', '02:30', 'Europe/Berlin'), '2026-10-25T01:00:00Z', true],
  ['summer', span(WEEK, '06:00', '20:00', 'Europe/Berlin'), '2026-07-17T04:00:00Z', true],
];

describe('hours', () => {
  it.each(TABLE)('judge %s', (_, one, time, holds) => {
    expect(hours([one])(at(time))).toBe(holds);
  });

  it('hold where one span does', () => {
    const open = hours([span(['Mon'], '08:00', '09:00'), span(['Fri'], '08:00', '09:00')]);
    expect(['2026-11-16', '2026-11-17', '2026-11-20'].map((day) => open(at(`${day}T08:30:00Z`)))).toEqual([
      true,
      false,
      true,
    ]);
  });

  const ZONES = [
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/St_Johns',
    'Asia/Kathmandu',
    'Africa/Casablanca',
    'Pacific/Apia',
  ];

  /** By the offset that holds then, and the calendar of UTC. */
  function reference({ days, from, to, timeZone = 'UTC' }: TokenPolicyHours, now: number): boolean {
    const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(now * 1000);
    const [, sign = '+', h = '0', m = '0'] =
      /GMT(?:([+-])(\d\d):(\d\d))?/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? [];
    const wall = new Date(now * 1000 + (sign === '-' ? -1 : 1) * (Number(h) * 60 + Number(m)) * 60_000);
    const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
    const [begin, end, minute] = [minutes(from), minutes(to), wall.getUTCHours() * 60 + wall.getUTCMinutes()];
    const length = (end - begin + 24 * 60) % (24 * 60) || 24 * 60;
    // of each day on which it may have begun: how far we are into it
    return [0, 1].some((ago) => {
      const into = minute + ago * 24 * 60 - begin;
      const day = DAYS[(wall.getUTCDay() + 7 - ago) % 7];
      return day !== undefined && days.includes(day) && into >= 0 && into < length;
    });
  }

  it('are those of the reference, in many zones and most of all where clocks change', () => {
    const changes = [
      '2026-03-29T01:00:00Z',
      '2026-10-25T01:00:00Z',
      '2026-03-08T07:00:00Z',
      '2026-11-01T06:00:00Z',
      '2026-04-04T15:00:00Z',
      '2026-02-15T02:00:00Z',
      '2011-12-30T10:00:00Z',
    ];
    const time = fc.tuple(fc.nat(23), fc.nat(59)).map((all) => all.map((n) => `${n}`.padStart(2, '0')).join(':'));
    const spans = fc.record({
      days: fc.subarray(DAYS, { minLength: 1 }),
      from: time,
      to: time,
      timeZone: fc.constantFrom(...ZONES),
    });
    const instants = fc.oneof(
      fc
        .tuple(fc.constantFrom(...changes), fc.integer({ min: -90_000, max: 90_000 }))
        .map(([change, off]) => at(change) + off),
      fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2040-01-01T00:00:00Z') }),
    );
    const met = { held: 0, not: 0 };
    fc.assert(
      fc.property(spans, instants, (one, now) => {
        const expected = reference(one, now);
        met[expected ? 'held' : 'not'] += 1;
        expect(hours([one])(now)).toBe(expected);
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(met.held, met.not)).toBeGreaterThan(RUNS / 20);
  });

  it('of anything are read, or refused in a sentence, and without a stall', FUZZ, async () => {
    const text = fc.oneof(
      fc.string({ maxLength: 64 }),
      fc.constantFrom(...DAYS, '00:00', '23:59', 'UTC', 'Europe/Berlin', '+02:00', 'Etc/GMT+5', 'Europe/../x'),
    );
    const anything = fc.record({ days: fc.array(text, { maxLength: 7 }), from: text, to: text, timeZone: text });
    await fuzz(anything, (one) => {
      try {
        hours([one as TokenPolicyHours])(0);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    });
  });
});
