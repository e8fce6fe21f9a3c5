/** What holds where a spec says nothing. */

const RENEW_SHARE = 3;

export interface EffectiveTimes {
  renewBefore: number;
  overlap: number;
}

/** Whole seconds: renewBefore is a third of ttl unless given, and overlap is renewBefore unless given. */
export function effectiveTimes({
  ttl,
  renewBefore = Math.floor(ttl / RENEW_SHARE),
  overlap = renewBefore,
}: {
  ttl: number;
  renewBefore?: number | undefined;
  overlap?: number | undefined;
}): EffectiveTimes {
  return { renewBefore, overlap };
}
