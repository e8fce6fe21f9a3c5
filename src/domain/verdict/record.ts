/** The audit record of one verdict: what was asked, by whom as far as it is known, and the true reason of the answer. */
import type { Outcome } from './outcome.ts';

export const VERDICT_SCHEMA = 'tokenwright.dev/verdict/v1';

/** What the records of many calls have in common. */
export interface VerdictSubject {
  outcome: Outcome;
  /** Which verifier said so. */
  verifier: string;
  door: string;
  environment: string;
  audience?: string | undefined;
  /** What the call needed, as the gateway stated it. */
  scopes?: readonly string[] | undefined;
  tokenID?: string | undefined;
  uid?: string | undefined;
  namespace?: string | undefined;
  name?: string | undefined;
  /** `<namespace>/<subject>`. */
  identity?: string | undefined;
  purpose?: string | undefined;
  version?: number | undefined;
}

/** What each call has of its own. */
export interface VerdictCall {
  /** RFC 3339 with milliseconds. */
  time: string;
  /** More than one where several alike calls are told together. */
  count?: number | undefined;
  method?: string | undefined;
  path?: string | undefined;
  source?: string | undefined;
  traceparent?: string | undefined;
}

/** `subject` is the same object wherever it is the same, and is not changed. */
export interface VerdictRecord extends VerdictCall {
  subject: VerdictSubject;
}

/** As it is written. */
export type VerdictLine = VerdictCall & VerdictSubject;
