/** What a TokenPolicy may ask of an ApiToken: a list of rules, each compiled once, in the order in which violations are told. */
import type { ApiTokenManifest, ApiTokenRateLimit } from '../../api/apitoken.ts';
import type { TokenPolicySpec } from '../../api/token-policy.ts';
import { parseDuration } from '../duration.ts';
import type { Labels } from '../label-selector.ts';
import { effectiveTimes } from '../lifecycle/effective.ts';
import { patterns } from './pattern.ts';

/** An ApiToken as somebody writes it, or as the API server answers it. */
export interface JudgedToken {
  metadata: ApiTokenManifest['metadata'] & { creationTimestamp?: string };
  spec: ApiTokenManifest['spec'];
}

export interface Namespace {
  name: string;
  /** Undefined where they are not known. */
  labels: Labels | undefined;
}

/**
 * What was asked and what is allowed; undefined where the rule holds. The words can be put together by an admission policy too: lists as
 * they were written, joined by ", ", and no figure that was computed.
 * @param now whole seconds since the epoch
 */
export type Judge = (token: JudgedToken, now: number, namespace: Namespace) => string | undefined;

export interface Rule {
  name: string;
  /** Undefined where the policy does not state the rule. @throws RangeError that says what cannot be read */
  compile(spec: TokenPolicySpec): Judge | undefined;
}

export const RULES: readonly Rule[] = [
  {
    name: 'Environments',
    compile: ({ allow }) =>
      given(allow?.environments, (names) => among(names, exactly(names), ({ spec }) => [spec.environment])),
  },
  {
    name: 'Audiences',
    compile: ({ allow }) =>
      given(allow?.audiences, (names) => among(names, exactly(names), ({ spec }) => spec.audiences)),
  },
  {
    name: 'Subjects',
    compile: ({ allow }) => given(allow?.subjects, (all) => among(all, patterns(all), ({ spec }) => [spec.subject])),
  },
  { name: 'Scopes', compile: ({ allow }) => given(allow?.scopes, (all) => among(all, patterns(all), scopesOf)) },
  { name: 'DeniedScopes', compile: ({ deny }) => given(deny?.scopes, noneOf) },
  {
    name: 'Owner',
    compile: requires('Owner', ({ spec }) =>
      spec.owner === undefined ? 'asked without an owner; allowed: with spec.owner' : undefined,
    ),
  },
  {
    name: 'RateLimits',
    compile: requires('RateLimits', (token) =>
      limitsOf(token).length === 0 ? 'asked without rate limits; allowed: with spec.rateLimits' : undefined,
    ),
  },
  {
    name: 'AutomaticRotation',
    compile: requires('AutomaticRotation', ({ spec }) =>
      spec.rotation?.mode === 'Manual' ? 'asked for rotation mode Manual; allowed: Automatic' : undefined,
    ),
  },
  { name: 'TTL', compile: ({ bounds }) => given(bounds?.ttl, ttlWithin) },
  { name: 'MaxOverlap', compile: ({ bounds }) => given(bounds?.maxOverlap, overlapWithin) },
  { name: 'MaxGrantLifetime', compile: ({ bounds }) => given(bounds?.maxGrantLifetime, grantWithin) },
  { name: 'MaxRequests', compile: ({ bounds }) => given(bounds?.maxRequests, requestsWithin) },
  { name: 'PurposeMinLength', compile: ({ bounds }) => given(bounds?.purposeMinLength, purposeOf) },
];

function given<T>(stated: T | undefined, compile: (stated: T) => Judge): Judge | undefined {
  return stated === undefined ? undefined : compile(stated);
}

export function exactly(names: readonly string[]): (asked: string) => boolean {
  const known = new Set(names);
  return (asked) => known.has(asked);
}

function among(
  allowed: readonly string[],
  isAllowed: (asked: string) => boolean,
  askedOf: (token: JudgedToken) => readonly string[],
): Judge {
  return (token) => {
    const asked = askedOf(token).filter((one) => !isAllowed(one));
    return asked.length > 0 ? `asked for ${list(asked)}; allowed: ${list(allowed)}` : undefined;
  };
}

function noneOf(denied: readonly string[]): Judge {
  const isDenied = patterns(denied);
  return (token) => {
    const asked = scopesOf(token).filter(isDenied);
    return asked.length > 0 ? `asked for ${list(asked)}; denied: ${list(denied)}` : undefined;
  };
}

function requires(what: NonNullable<TokenPolicySpec['require']>[number], judge: Judge): Rule['compile'] {
  return (policy) => (policy.require?.includes(what) ? judge : undefined);
}

function ttlWithin({ min, max }: { min?: string; max?: string }): Judge {
  const from = min === undefined ? 0 : seconds(min);
  const to = max === undefined ? Number.POSITIVE_INFINITY : seconds(max);
  const allowed = [min && `at least ${min}`, max && `at most ${max}`].filter(Boolean).join(' and ');
  return ({ spec: { ttl } }) => {
    const asked = asSeconds(ttl);
    return from <= asked && asked <= to ? undefined : `asked for a ttl of ${ttl}; allowed: ${allowed}`;
  };
}

function overlapWithin(max: string): Judge {
  const most = seconds(max);
  return ({ spec: { ttl, rotation = {} } }) => {
    const { overlap, renewBefore } = rotation;
    const times = effectiveTimes({
      ttl: asSeconds(ttl),
      renewBefore: renewBefore === undefined ? undefined : asSeconds(renewBefore),
      overlap: overlap === undefined ? undefined : asSeconds(overlap),
    });
    if (times.overlap <= most) return undefined;
    const asked =
      overlap !== undefined
        ? `for an overlap of ${overlap}`
        : renewBefore !== undefined
          ? `without an overlap, which so is renewBefore, ${renewBefore}`
          : `without an overlap, which so is a third of the ttl of ${ttl}`;
    return `asked ${asked}; allowed: at most ${max}`;
  };
}

function grantWithin(max: string): Judge {
  const most = seconds(max) * 1000;
  return ({ metadata: { creationTimestamp }, spec: { notAfter } }, now) => {
    const allowed = `allowed: at most ${max} after its creation`;
    if (notAfter === undefined) return `asked without a notAfter; ${allowed}`;
    const created = creationTimestamp === undefined ? now * 1000 : Date.parse(creationTimestamp);
    return Date.parse(notAfter) - created <= most ? undefined : `asked for a notAfter of ${notAfter}; ${allowed}`;
  };
}

/** One limit is enough that keeps to it by itself: a span is covered by as many of its own spans as begin in it. */
function requestsWithin({ requests, per }: ApiTokenRateLimit): Judge {
  const span = seconds(per);
  const keeps = (limit: ApiTokenRateLimit) => limit.requests * Math.ceil(span / asSeconds(limit.per)) <= requests;
  const shown = (limit: ApiTokenRateLimit) => `${limit.requests} in ${limit.per}`;
  return (token) => {
    const limits = limitsOf(token);
    if (limits.some(keeps)) return undefined;
    const asked = limits.length === 0 ? 'without rate limits' : `for ${list(limits.map(shown))}`;
    return `asked ${asked}; allowed: at most ${requests} in ${per}`;
  };
}

function purposeOf(least: number): Judge {
  return ({ spec: { purpose } }) =>
    // as CEL's trim() and size() have it: Unicode's white space, and code points
    [...purpose.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '')].length >= least
      ? undefined
      : `asked with a shorter purpose; allowed: at least ${least} characters`;
}

function scopesOf({ spec }: JudgedToken): readonly string[] {
  return spec.scopes ?? [];
}

function limitsOf({ spec }: JudgedToken): readonly ApiTokenRateLimit[] {
  return spec.rateLimits ?? [];
}

/** What cannot be read compares as no number does: within no bound. */
function asSeconds(text: string): number {
  return parseDuration(text) ?? Number.NaN;
}

function seconds(text: string): number {
  const parsed = parseDuration(text);
  if (parsed === undefined) throw new RangeError(`${JSON.stringify(text)} is no duration such as 1h30m`);
  return parsed;
}

/** A sentence of an admission policy has at most 5 KiB, so that a list of theirs ends there too. */
const LIST_MAX = 1000;

function list(items: readonly string[]): string {
  const text = items.join(', ');
  return text.length > LIST_MAX ? `${text.slice(0, LIST_MAX)}...` : text;
}
