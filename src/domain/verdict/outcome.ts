/** How a call may end. A closed set: audit, metrics and alerts rely on it; renaming one is a breaking change. */

export interface Answer {
  /** HTTP status that the caller sees. */
  status: 200 | 400 | 401 | 403 | 429 | 500 | 503;
  /** RFC 6750, section 3.1. Alike for all that must not be told apart. */
  error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  /** The true reason, for audit and metrics. */
  means: string;
}

/** In the order in which they are checked. */
export const OUTCOMES = {
  // ---- the gateway is not set up right: never "no requirement"
  NeedsUnclear: { status: 500, means: 'The gateway did not say, exactly once, what the call needs.' },
  AudienceUnknown: { status: 500, means: 'No TokenAudience declares the audience that the gateway named.' },
  Stale: {
    status: 503,
    means: 'The verifier has been cut off from the API server for longer than the audience allows.',
  },

  // ---- the token, in the fixed order
  TokenMissing: { status: 401, means: 'The call carries no token.' },
  TokenAmbiguous: {
    status: 400,
    error: 'invalid_request',
    means: 'The call carries several tokens, or one in its URL.',
  },
  Malformed: { status: 401, error: 'invalid_token', means: 'Not the shape of a token.' },
  ChecksumWrong: { status: 401, error: 'invalid_token', means: 'A typo, or not a token of ours.' },
  TokenUnknown: { status: 401, error: 'invalid_token', means: 'No ApiToken has this token id.' },
  ValueUnknown: {
    status: 401,
    error: 'invalid_token',
    means: 'No version of the ApiToken has this value: retired or revoked long ago, or never minted.',
  },
  SealInvalid: {
    status: 401,
    error: 'invalid_token',
    means: 'The status that holds the value is not sealed by the operator.',
  },
  Expired: { status: 401, error: 'invalid_token', means: 'The version is past its expiry.' },
  Retired: { status: 401, error: 'invalid_token', means: 'The version is Previous, and its overlap is over.' },
  Revoked: { status: 401, error: 'invalid_token', means: 'The version is revoked.' },
  Suspended: { status: 401, error: 'invalid_token', means: 'The ApiToken is suspended.' },
  EnvironmentWrong: {
    status: 401,
    error: 'invalid_token',
    means: 'The token is for another environment than this verifier or this audience.',
  },
  AudienceWrong: { status: 401, error: 'invalid_token', means: 'The token is for other audiences.' },

  // ---- the call
  UseDenied: {
    status: 403,
    error: 'insufficient_scope',
    means: 'A policy refuses the environment, the audience or the subject.',
  },
  RouteUnknown: {
    status: 403,
    error: 'insufficient_scope',
    means: 'No route of the TokenAudience has this method and path.',
  },
  ScopeMissing: {
    status: 403,
    error: 'insufficient_scope',
    means: 'The grant, the spec or a policy leaves out a scope that the call needs.',
  },
  SourceDenied: { status: 403, error: 'insufficient_scope', means: 'A policy refuses calls from this address.' },
  HoursDenied: { status: 403, error: 'insufficient_scope', means: 'A policy refuses calls at this time.' },
  UpstreamMissing: { status: 503, means: 'The Secret with the key of the upstream API, or its key, is missing.' },
  RateLimited: { status: 429, means: 'More calls than the rate limit allows.' },
  AuditUnavailable: { status: 503, means: 'The verdict cannot be recorded, and --audit-when-slow is refuse.' },
  Allowed: { status: 200, means: 'Every check passed.' },
} as const satisfies Record<string, Answer>;

export type Outcome = keyof typeof OUTCOMES;
export type Denial = Exclude<Outcome, 'Allowed'>;
