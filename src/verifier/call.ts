/** One call as a door hands it over, and what becomes of it. */
import type { VersionRecord } from '../domain/seal.ts';
import type { Needs } from '../domain/verdict/judge.ts';
import type { Outcome } from '../domain/verdict/outcome.ts';
import type { Quota } from '../ports.ts';
import type { IndexedToken } from './indexed-token.ts';

/** Where the gateway's configuration leaves open what is needed, the call is refused, never "no requirement". */
export type StatedNeeds = Needs | { unclear: string };

export type PresentedToken = { text: string } | 'missing' | 'ambiguous';

export interface Call {
  door: 'authorize' | 'introspect' | 'envoy-http' | 'envoy-grpc';
  token: PresentedToken;
  needs: StatedNeeds;
  /** Address of the caller, as far as it can be trusted. */
  source: string | undefined;
  /** W3C Trace Context, to find the call again. */
  traceparent: string | undefined;
}

export interface Decision {
  outcome: Outcome;
  token?: IndexedToken;
  /** As the value says it; proof of nothing. Where no one ApiToken is meant. */
  tokenID?: string;
  version?: VersionRecord;
  /** Those that the token has for this call; of an allowed one only. */
  scopes?: readonly string[];
  quota?: Quota;
  /** Goes to the gateway for the upstream request only. */
  upstream?: UpstreamCredential;
  /** For 5xx, to whoever runs the gateway: what to mend. Holds nothing of the call. */
  hint?: string;
}

export interface UpstreamCredential {
  header: string;
  value: string;
}
