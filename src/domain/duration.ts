/**
 * Durations as Kubernetes writes them: the format of GEP-2257 (Gateway API) without milliseconds, a part of what Go's
 * time.ParseDuration reads. Whole seconds.
 */

const MAX_SECONDS = 99_999 * 3600 + 59 * 60 + 59; // so that what formatDuration prints can be read again
const UNITS: Readonly<Record<string, number>> = { h: 3600, m: 60, s: 1 };

/** Seconds of one to four numbers of at most five digits, each with h, m or s ("1h30m", "90m"). Undefined otherwise. */
export function parseDuration(text: string): number | undefined {
  if (text.length > 24 || !/^([0-9]{1,5}[hms]){1,4}$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/([0-9]+)([hms])/g))
    seconds += Number(number) * (UNITS[unit ?? ''] ?? 0);
  return seconds <= MAX_SECONDS ? seconds : undefined;
}

/** As Go prints it: "8h0m0s", "5m0s", "0s". Throws a RangeError on what is not a whole number from 0. */
export function formatDuration(seconds: number): string {
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw new RangeError('a duration is a whole number of seconds');
  const h = Math.floor(seconds / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = seconds % 60;
  if (h > 0) return `${h}h${m}m${s}s`;
  return m > 0 ? `${m}m${s}s` : `${s}s`;
}
