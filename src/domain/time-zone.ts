export const TIME_ZONE_MAX = 64;

/** One spelling for each IANA time zone; undefined for what is none. */
export function canonicalZone(timeZone: string): string | undefined {
  if (timeZone.length > TIME_ZONE_MAX || !/^[A-Za-z]/.test(timeZone)) return undefined; // Intl takes "+02:00" too
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
