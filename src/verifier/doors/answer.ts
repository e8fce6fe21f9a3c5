/** From a decision to what every HTTP door says: status, headers, body. Constant where a caller must learn nothing. */
import { OUTCOMES } from '../../domain/verdict/outcome.ts';
import type { Quota } from '../../ports.ts';
import type { Call, Decision } from '../call.ts';

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** All of them on every 200, even empty: a header that is left out would let a forged one of the client pass through the gateway. */
export const IDENTITY_HEADERS = [
  'x-tokenwright-identity',
  'x-tokenwright-namespace',
  'x-tokenwright-subject',
  'x-tokenwright-purpose',
  'x-tokenwright-owner',
  'x-tokenwright-environment',
  'x-tokenwright-audience',
  'x-tokenwright-scopes',
  'x-tokenwright-token-id',
  'x-tokenwright-version',
] as const;

const JSON_TYPE = { 'content-type': 'application/json', 'cache-control': 'no-store' };

export function answerFor(call: Call, decision: Decision): HttpAnswer {
  return decision.outcome === 'Allowed' ? allowed(call, decision) : denied(call, decision);
}

function allowed(call: Call, { token, version, scopes = [], quota, upstream }: Decision): HttpAnswer {
  const audience = 'audience' in call.needs ? call.needs.audience : '';
  const values: Record<(typeof IDENTITY_HEADERS)[number], string> = {
    'x-tokenwright-identity': `${token?.namespace}/${token?.subject}`,
    'x-tokenwright-namespace': token?.namespace ?? '',
    'x-tokenwright-subject': token?.subject ?? '',
    'x-tokenwright-purpose': token?.purpose ?? '',
    'x-tokenwright-owner': token?.owner ?? '',
    'x-tokenwright-environment': version?.grant.environment ?? '',
    'x-tokenwright-audience': audience,
    'x-tokenwright-scopes': scopes.join(' '),
    'x-tokenwright-token-id': token?.tokenID ?? '',
    'x-tokenwright-version': String(version?.version ?? ''),
  };
  const headers: Record<string, string> = { 'cache-control': 'no-store', 'content-length': '0' };
  for (const name of IDENTITY_HEADERS) headers[name] = fieldValue(values[name]);
  // empty, so that the governed token goes no further where the gateway copies this header
  headers.authorization = '';
  if (upstream) headers[upstream.header] = upstream.value;
  return { status: 200, headers: { ...headers, ...rateLimitHeaders(quota) }, body: '' };
}

function denied(call: Call, { outcome, quota, hint }: Decision): HttpAnswer {
  const answer: { status: number; error?: string } = OUTCOMES[outcome];
  const { status, error } = answer;
  const body = JSON.stringify(
    status >= 500 ? { error: outcome, ...(hint && { hint }) } : { error: error ?? BODY[status] },
  );
  const headers: Record<string, string> = { ...JSON_TYPE, 'content-length': String(Buffer.byteLength(body)) };
  if (status === 401 || status === 403 || status === 400) headers['www-authenticate'] = challenge(call, error);
  if (status === 503) headers['retry-after'] = '1';
  if (status === 429) headers['retry-after'] = String(Math.max(1, quota?.resetSeconds ?? 1));
  return { status, headers: { ...headers, ...rateLimitHeaders(quota) }, body };
}

const BODY: Record<number, string> = { 401: 'unauthorized', 429: 'rate_limited' };

/** RFC 6750, section 3. Without an error code where no token was presented. */
function challenge({ needs }: Call, error: string | undefined): string {
  if (error === undefined) return 'Bearer realm="tokenwright"';
  const scope =
    error === 'insufficient_scope' && 'audience' in needs && Array.isArray(needs.scopes) ? needs.scopes.join(' ') : '';
  return `Bearer realm="tokenwright", error="${error}"${scope && `, scope="${scope}"`}`;
}

/** draft-ietf-httpapi-ratelimit-headers-10: RateLimit-Policy and RateLimit. */
function rateLimitHeaders(quota: Quota | undefined): Record<string, string> {
  if (quota === undefined) return {};
  const { limit, windowSeconds, remaining, resetSeconds } = quota;
  return {
    'ratelimit-policy': `"token";q=${limit};w=${windowSeconds}`,
    ratelimit: `"token";r=${remaining};t=${resetSeconds}`,
  };
}

/** What is no visible ASCII (RFC 9110, section 5.5) is percent-encoded, and so is the percent sign: it can be read back. */
function fieldValue(text: string): string {
  return PLAIN.test(text) ? text : text.replace(/[^ -$&-~]/gu, (character) => encodeURIComponent(character));
}

const PLAIN = /^[ -$&-~]*$/;
