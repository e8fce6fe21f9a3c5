/** What the operator does next with a revocation itself, once or while its ApiTokens carry it out. Pure. */

export interface RevocationSeen {
  deleting: boolean;
  /** Epoch seconds. */
  createdTime: number;
  /** Our finalizer is on it. */
  held: boolean;
  /** The label by which verifiers list what is pending. */
  labelled: boolean;
  /** Epoch seconds; undefined while it is not sealed. */
  sealedTime?: number;
  /** Block: it goes on for as long as it stands. */
  lasts: boolean;
  /** ApiTokens that match and have yet to carry it out. */
  left: number;
}

export type RevocationStep =
  /** Finalizer and label. */
  | { do: 'hold' }
  /** Say in status how many match. */
  | { do: 'report' }
  /** Find out live that nobody is left, and say so in status. */
  | { do: 'seal' }
  /** Finalizer and label off. */
  | { do: 'release' }
  | { do: 'delete' }
  /** Nothing before `until` (epoch seconds), unless something changes. */
  | { do: 'wait'; until?: number };

/**
 * A verifier whose watch is deaf finds it by its lists, one of which was asked for in every so many seconds. After a longer gap it lists
 * the ApiTokens.
 */
export const LONGEST_GAP = 15;
/** So it stays to be found for this long after it is sealed, in seconds: for such a gap, a list that is slow, and clocks that differ. */
export const FOUND_FOR = 30;
/** Most are sealed sooner, and need no report before. */
const REPORT_AFTER = 5;

export function nextStep(seen: RevocationSeen, now: number, retention: number): RevocationStep {
  const { deleting, createdTime, held, labelled, sealedTime, lasts, left } = seen;
  if (sealedTime === undefined) {
    // the API server takes no finalizer for what is being deleted
    if ((!held || !labelled) && !deleting) return { do: 'hold' };
    if (left === 0) return { do: 'seal' };
    const until = createdTime + REPORT_AFTER;
    return now < until ? { do: 'wait', until } : { do: 'report' };
  }
  if (held || labelled) {
    const until = sealedTime + FOUND_FOR;
    return now < until ? { do: 'wait', until } : { do: 'release' };
  }
  if (lasts || deleting) return { do: 'wait' };
  const until = sealedTime + retention;
  return now < until ? { do: 'wait', until } : { do: 'delete' };
}

export interface RevocationCondition {
  type: 'Ready' | 'Reconciling';
  status: 'True' | 'False';
  reason: 'Sealed' | 'Sealing';
  message: string;
}

/** In the sense of kstatus: Reconciling stands only while it is true. */
export function conditionsOf(matched: number, sealed: boolean, lasts: boolean): RevocationCondition[] {
  const whom = matched === 1 ? '1 ApiToken matches' : `${matched} ApiTokens match`;
  if (!sealed) {
    const message = `${whom}; verifiers refuse what is revoked while the operator seals them`;
    return [
      { type: 'Ready', status: 'False', reason: 'Sealing', message },
      { type: 'Reconciling', status: 'True', reason: 'Sealing', message },
    ];
  }
  const done =
    matched === 0 ? 'no ApiToken matches: see whether spec.match says what you mean' : `${whom}, and all are sealed`;
  const more = lasts ? '; nothing is minted for what matches until this object is deleted' : '';
  return [{ type: 'Ready', status: 'True', reason: 'Sealed', message: done + more }];
}
