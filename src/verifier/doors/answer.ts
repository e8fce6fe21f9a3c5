/** From a decision to what every HTTP door says: status, headers, body. Constant where a caller must learn nothing. */
import type { VersionRecord } from '../../domain/seal.ts';
import { OUTCOMES } from '../../domain/verdict/outcome.ts';
import type { Quota } from '../../ports.ts';
import type { Call, Decision } from '../call.ts';

/** Several calls may share one. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
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

/** Where a token may stand: it is of no use to the backend, and must not get there. */
const TOKEN_HEADERS = ['authorization', 'x-api-key'];

export function answerFor(call: Call, decision: Decision): HttpAnswer {
  return decision.outcome === 'Allowed' ? allowed(call, decision) : denied(call, decision);
}

/** What becomes of the headers of a call that is allowed. */
export interface Passage {
  /** In place of what the client sent, on the way to the backend. */
  set: Record<string, string>;
  /** To be taken away on the way to the backend. */
  remove: readonly string[];
  /** For the client. */
  tell: Record<string, string>;
}

export function passageFor(call: Call, { token, version, scopes = [], quota, upstream }: Decision): Passage {
  const values: Record<(typeof IDENTITY_HEADERS)[number], string> = {
    // as sealed at mint: what the spec says now makes nobody of somebody else
    'x-tokenwright-identity': `${token?.namespace}/${version?.grant.subject}`,
    'x-tokenwright-namespace': token?.namespace ?? '',
    'x-tokenwright-subject': version?.grant.subject ?? '',
    'x-tokenwright-purpose': token?.purpose ?? '',
    'x-tokenwright-owner': token?.owner ?? '',
    'x-tokenwright-environment': version?.grant.environment ?? '',
    'x-tokenwright-audience': 'audience' in call.needs ? call.needs.audience : '',
    'x-tokenwright-scopes': scopes.join(' '),
    'x-tokenwright-token-id': token?.tokenID ?? '',
    'x-tokenwright-version': String(version?.version ?? ''),
  };
  const set: Record<string, string> = {};
  for (const name of IDENTITY_HEADERS) set[name] = fieldValue(values[name]);
  if (upstream) set[upstream.header] = upstream.value;
  return { set, remove: TOKEN_HEADERS.filter((name) => name !== upstream?.header), tell: rateLimitHeaders(quota) };
}

/** What the answer to a call that is allowed is made of. */
interface Known {
  door: Call['door'];
  audience: string;
  scopes: readonly string[];
  upstream: Decision['upstream'];
  answer: HttpAnswer;
}

/** The last of each version, which belongs to one state of one ApiToken: the next one is mostly alike. */
const known = new WeakMap<VersionRecord, Known>();

function allowed(call: Call, decision: Decision): HttpAnswer {
  const { version, scopes = [], quota, upstream } = decision;
  const { door, needs } = call;
  const audience = 'audience' in needs ? needs.audience : '';
  const last = version && known.get(version);
  const isAlike =
    last !== undefined &&
    last.door === door &&
    last.audience === audience &&
    last.upstream === upstream &&
    isSame(last.scopes, scopes);
  const answer = isAlike ? last.answer : welcome(call, decision);
  if (version && !isAlike) known.set(version, { door, audience, scopes, upstream, answer });
  return quota ? { ...answer, headers: { ...answer.headers, ...rateLimitHeaders(quota) } } : answer;
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some === others || (some.length === others.length && some.every((one, i) => one === others[i]));
}

function welcome(call: Call, decision: Decision): HttpAnswer {
  const { set, remove } = passageFor(call, decision);
  const headers: Record<string, string> = { 'cache-control': 'no-store', 'content-length': '0', ...set };
  // Envoy removes what it is told to; other gateways copy headers by name, so these are there to be copied, and empty
  if (call.door === 'envoy-http') headers['x-envoy-auth-headers-to-remove'] = remove.join(',');
  else for (const name of remove) headers[name] = '';
  return { status: 200, headers, body: '' };
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

/**
 * What is no visible ASCII (RFC 9110, section 5.5) is percent-encoded, and so are the percent sign and a space at either end: it can be read
 * back.
 */
function fieldValue(text: string): string {
  return PLAIN.test(text) ? text : text.toWellFormed().replace(NOT_PLAIN, (character) => encodeURIComponent(character));
}

const PLAIN = /^(?:[!-$&-~](?:[ -$&-~]*[!-$&-~])?)?$/;
const NOT_PLAIN = /[^ -$&-~]|^ | $/gu;
