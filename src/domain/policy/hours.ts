/** When a token may be used: spans of a wall clock. */
import { DEFAULT_TIME_ZONE, type TokenPolicyHours } from '../../api/token-policy.ts';
import { canonicalZone } from '../time-zone.ts';

const DAYS: readonly string[] = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const TIME = /^(?:[01][0-9]|2[0-3]):[0-5][0-9]$/;

/**
 * Whether one of the spans holds at an instant, in whole seconds since the epoch. The wall clock decides: an hour that comes twice is inside
 * both times, and one that a clock change skips is never.
 * @throws RangeError that says what cannot be read
 */
export function hours(spans: readonly TokenPolicyHours[]): (now: number) => boolean {
  const all = spans.map(span);
  let last = { now: Number.NaN, holds: false };
  // asked on every call, of which there are thousands in a second
  return (now) => {
    if (now !== last.now) last = { now, holds: all.some((holds) => holds(now)) };
    return last.holds;
  };
}

function span({ days, from, to, timeZone = DEFAULT_TIME_ZONE }: TokenPolicyHours): (now: number) => boolean {
  const zone = canonicalZone(timeZone);
  if (zone === undefined)
    throw new RangeError(`${JSON.stringify(timeZone)} is no IANA time zone such as Europe/Berlin`);
  for (const time of [from, to])
    if (!TIME.test(time)) throw new RangeError(`${JSON.stringify(time)} is no time from 00:00 to 23:59`);
  const unknown = days.find((day) => !DAYS.includes(day));
  if (unknown !== undefined) throw new RangeError(`${JSON.stringify(unknown)} is no day from Mon to Sun`);
  const begins = new Set<string>(days);
  const clock = wallClock(zone);
  // HH:MM sorts as it runs
  return (now) => {
    const { day, time } = clock(now);
    if (from < to) return begins.has(day) && from <= time && time < to;
    return (begins.has(day) && from <= time) || (begins.has(dayBefore(day)) && time < to);
  };
}

function wallClock(timeZone: string): (now: number) => { day: string; time: string } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return (now) => {
    const [day = '', time = ''] = format.format(now * 1000).split(' ');
    return { day, time };
  };
}

function dayBefore(day: string): string {
  return DAYS[(DAYS.indexOf(day) + 6) % 7] ?? '';
}
