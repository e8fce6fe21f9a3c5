/** Times as people compare them: "in 8h", "3m ago". */

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Whole seconds in the one or two units that matter, as kubectl shows ages (apimachinery, duration.HumanDuration). */
export function span(seconds: number): string {
  if (seconds < 2 * MINUTE) return `${seconds}s`;
  if (seconds < 10 * MINUTE) return two(seconds, MINUTE, 'm', 1, 's');
  if (seconds < 3 * HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < 8 * HOUR) return two(seconds, HOUR, 'h', MINUTE, 'm');
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)}h`;
  if (seconds < 8 * DAY) return two(seconds, DAY, 'd', HOUR, 'h');
  return `${Math.floor(seconds / DAY)}d`;
}

/** Where `time` (RFC 3339) lies from `now` (epoch seconds). Undefined for what is no time. */
export function when(time: string | undefined, now: number): string | undefined {
  const seconds = Math.floor(Date.parse(time ?? '') / 1000) - Math.floor(now);
  if (Number.isNaN(seconds)) return undefined;
  return seconds >= 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
}

/** How long ago `time` was. */
export function age(time: string | undefined, now: number): string | undefined {
  const seconds = Math.floor(now) - Math.floor(Date.parse(time ?? '') / 1000);
  return Number.isNaN(seconds) ? undefined : span(Math.max(0, seconds));
}

function two(seconds: number, unit: number, name: string, smaller: number, smallerName: string): string {
  const rest = Math.floor((seconds % unit) / smaller);
  return `${Math.floor(seconds / unit)}${name}${rest === 0 ? '' : `${rest}${smallerName}`}`;
}
