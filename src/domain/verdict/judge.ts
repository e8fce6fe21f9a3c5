/** The verdict on one call: a pure function of what was presented, what the call needs and what is known, checked in a fixed order. */
import type { VersionRecord } from '../seal.ts';
import { type ParsedValue, sameDigest } from '../value.ts';
import type { Denial } from './outcome.ts';
import { type Route, scopesFor } from './route.ts';

/** What the call needs, as the gateway's own configuration states it. */
export interface Needs {
  audience: string;
  /** Stated by the gateway, or to be found among the routes of the TokenAudience. */
  scopes: readonly string[] | { method: string; path: string };
}

/** What a verifier knows of an ApiToken. Times are whole seconds since the epoch. */
export interface Candidate {
  uid: string;
  namespace: string;
  name: string;
  tokenID: string;
  versions: readonly VersionRecord[];
  /** Checked when first asked for. */
  isSealed(): boolean;
  revokedThroughVersion: number;
  /** As the spec stands now: it narrows what the grant says, and never widens it. */
  spec: {
    environment: string;
    audiences: readonly string[];
    scopes: readonly string[];
    suspended: boolean;
  };
}

export interface Audience {
  environments: readonly string[];
  routes: readonly Route[];
}

/** What a policy that was narrowed after the mint may no longer allow. */
export interface Use {
  environment: string;
  audience: string;
  /** `<kind>:<name>`. */
  subject: string;
}

/** What one matching policy leaves of the use of a token. */
export interface UseLimits {
  allowsUse(use: Use): boolean;
  allowsScope(scope: string): boolean;
  allowsSource(address: string | undefined): boolean;
  allowsTime(now: number): boolean;
}

/** What is known of the world. */
export interface Knowledge<C extends Candidate = Candidate> {
  /** Of this verifier. */
  environment: string;
  audience: Audience | undefined;
  /** Several ApiTokens may share a token id. */
  candidates: readonly C[];
  /** Whether an order to revoke, not yet sealed, reaches this version. */
  isOrderedRevoked(token: C, version: VersionRecord): boolean;
  limitsOf(token: C): readonly UseLimits[];
  now: number;
}

export interface Presented {
  value: ParsedValue;
  /** Address of the caller, as far as it can be trusted. */
  source: string | undefined;
}

export type Verdict<C extends Candidate = Candidate> =
  | { outcome: 'Allowed'; token: C; version: VersionRecord; scopes: readonly string[] }
  | { outcome: Denial; token?: C; version?: VersionRecord };

/** All checks but the rate limit, which counts only what passed the others. */
export function judge<C extends Candidate>(presented: Presented, needs: Needs, known: Knowledge<C>): Verdict<C> {
  const { audience, now } = known;
  if (audience === undefined) return { outcome: 'AudienceUnknown' };
  const { value } = presented;
  if (!value.ok) return { outcome: value.problem === 'shape' ? 'Malformed' : 'ChecksumWrong' };
  if (known.candidates.length === 0) return { outcome: 'TokenUnknown' };
  const found = find(known.candidates, value);
  if (found === undefined) {
    const [only, ...others] = known.candidates;
    return { outcome: 'ValueUnknown', ...(only && others.length === 0 && { token: only }) };
  }
  const { token, version } = found;
  const denied = (outcome: Denial): Verdict<C> => ({ outcome, token, version });
  if (!token.isSealed()) return denied('SealInvalid');
  if (now >= version.expirationTime) return denied('Expired');
  if (version.acceptedUntilTime !== undefined && now >= version.acceptedUntilTime) return denied('Retired');
  if (version.version <= token.revokedThroughVersion) return denied('Revoked');
  if (known.isOrderedRevoked(token, version)) return denied('Revoked');
  if (token.spec.suspended) return denied('Suspended');
  if (value.environment !== known.environment) return denied('EnvironmentWrong');
  const limits = known.limitsOf(token);
  const left = leftOf({ token, version, needs, audience, limits, environment: known.environment });
  if (typeof left === 'string') return denied(left);
  if (!limits.every((limit) => limit.allowsSource(presented.source))) return denied('SourceDenied');
  if (!limits.every((limit) => limit.allowsTime(now))) return denied('HoursDenied');
  return { outcome: 'Allowed', token, version, scopes: left };
}

/** What of a call stays the same from one to the next. */
interface Asked {
  token: Candidate;
  version: VersionRecord;
  needs: Needs;
  audience: Audience;
  limits: readonly UseLimits[];
  /** Of the verifier. */
  environment: string;
}

/** The last of each version, and what came of it: the next one is mostly the same. */
const settled = new WeakMap<VersionRecord, Asked & { left: readonly string[] | Denial }>();

function leftOf(asked: Asked): readonly string[] | Denial {
  const last = settled.get(asked.version);
  if (
    last !== undefined &&
    last.token === asked.token &&
    last.needs === asked.needs &&
    last.audience === asked.audience &&
    last.limits === asked.limits &&
    last.environment === asked.environment
  )
    return last.left;
  const left = settle(asked);
  if (!('path' in asked.needs.scopes)) settled.set(asked.version, { ...asked, left });
  return left;
}

/** The scopes that the token has, where neither time nor source nor who revoked it matters; or why it has none. */
function settle({ token, version, needs, audience, limits, environment }: Asked): readonly string[] | Denial {
  const { grant } = version;
  const { spec } = token;
  if (
    grant.environment !== environment ||
    spec.environment !== environment ||
    !audience.environments.includes(environment)
  )
    return 'EnvironmentWrong';
  if (!grant.audiences.includes(needs.audience) || !spec.audiences.includes(needs.audience)) return 'AudienceWrong';
  const use = { environment, audience: needs.audience, subject: grant.subject };
  if (!limits.every((limit) => limit.allowsUse(use))) return 'UseDenied';
  const scopes = 'path' in needs.scopes ? scopesFor(needs.scopes, audience.routes) : needs.scopes;
  if (scopes === undefined) return 'RouteUnknown';
  const leaves = (scope: string) =>
    grant.scopes.includes(scope) && spec.scopes.includes(scope) && limits.every((limit) => limit.allowsScope(scope));
  return scopes.every(leaves) ? grant.scopes.filter(leaves) : 'ScopeMissing';
}

/** Whose it is by a seal, before whoever merely wrote down the same digest: that could otherwise shut out the owner. */
function find<C extends Candidate>(
  candidates: readonly C[],
  { digest }: Extract<ParsedValue, { ok: true }>,
): { token: C; version: VersionRecord } | undefined {
  let unsealed: { token: C; version: VersionRecord } | undefined;
  for (const token of candidates) {
    const version = token.versions.find((one) => sameDigest(one.digest, digest));
    if (version === undefined) continue;
    if (token.isSealed()) return { token, version };
    unsealed ??= { token, version };
  }
  return unsealed;
}
