/** What a TokenPolicy may ask of an ApiToken: a list of rules, each compiled once, in the order in which violations are told. */
import type { ApiTokenRateLimit } from '../../api/apitoken.ts';
import type { TokenPolicySpec } from '../../api/token-policy.ts';
import { parseDuration } from '../duration.ts';
import type { Asked } from './asked.ts';
import { patterns } from './pattern.ts';

/**
 * What was asked and what is allowed; undefined where the rule holds. The words can be put together by an admission policy too: lists as
 * they were written, joined by ", ", and no figure that was computed. Many policies judge every ApiToken: where the rule holds, nothing
 * is allocated.
 */
export type Judge = (asked: Asked) => string | undefined;

export interface Rule {
  name: string;
  /** What it judges of an ApiToken; undefined where that is not known. */
  field: readonly string[] | undefined;
  /** Undefined where the policy does not state the rule. @throws RangeError that says what cannot be read */
  compile(spec: TokenPolicySpec): Judge | undefined;
}

export const RULES: readonly Rule[] = [
  {
    name: 'Environments',
    field: ['spec', 'environment'],
    compile: ({ allow }) =>
      given(allow?.environments, (names) => among(names, exactly(names), ({ token }) => [token.spec.environment])),
  },
  {
    name: 'Audiences',
    field: ['spec', 'audiences'],
    compile: ({ allow }) =>
      given(allow?.audiences, (names) => among(names, exactly(names), ({ token }) => token.spec.audiences)),
  },
  {
    name: 'Subjects',
    field: ['spec', 'subject'],
    compile: ({ allow }) =>
      given(allow?.subjects, (all) => among(all, patterns(all), ({ token }) => [token.spec.subject])),
  },
  {
    name: 'Scopes',
    field: ['spec', 'scopes'],
    compile: ({ allow }) => given(allow?.scopes, (all) => among(all, patterns(all), ({ scopes }) => scopes)),
  },
  { name: 'DeniedScopes', field: ['spec', 'scopes'], compile: ({ deny }) => given(deny?.scopes, noneOf) },
  {
    name: 'Owner',
    field: ['spec', 'owner'],
    compile: requires('Owner', ({ token }) =>
      token.spec.owner === undefined ? 'asked without an owner; allowed: with spec.owner' : undefined,
    ),
  },
  {
    name: 'RateLimits',
    field: ['spec', 'rateLimits'],
    compile: requires('RateLimits', ({ rateLimits }) =>
      rateLimits.length === 0 ? 'asked without rate limits; allowed: with spec.rateLimits' : undefined,
    ),
  },
  {
    name: 'AutomaticRotation',
    field: ['spec', 'rotation', 'mode'],
    compile: requires('AutomaticRotation', ({ token }) =>
      token.spec.rotation?.mode === 'Manual' ? 'asked for rotation mode Manual; allowed: Automatic' : undefined,
    ),
  },
  { name: 'TTL', field: ['spec', 'ttl'], compile: ({ bounds }) => given(bounds?.ttl, ttlWithin) },
  {
    name: 'MaxOverlap',
    field: ['spec', 'rotation', 'overlap'],
    compile: ({ bounds }) => given(bounds?.maxOverlap, overlapWithin),
  },
  {
    name: 'MaxGrantLifetime',
    field: ['spec', 'notAfter'],
    compile: ({ bounds }) => given(bounds?.maxGrantLifetime, grantWithin),
  },
  {
    name: 'MaxRequests',
    field: ['spec', 'rateLimits'],
    compile: ({ bounds }) => given(bounds?.maxRequests, requestsWithin),
  },
  {
    name: 'PurposeMinLength',
    field: ['spec', 'purpose'],
    compile: ({ bounds }) => given(bounds?.purposeMinLength, purposeOf),
  },
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
  askedOf: (asked: Asked) => readonly string[],
): Judge {
  return (asked) => {
    const all = askedOf(asked);
    if (all.every(isAllowed)) return undefined;
    return `asked for ${list(all.filter((one) => !isAllowed(one)))}; allowed: ${list(allowed)}`;
  };
}

function noneOf(denied: readonly string[]): Judge {
  const isDenied = patterns(denied);
  return ({ scopes }) =>
    scopes.some(isDenied) ? `asked for ${list(scopes.filter(isDenied))}; denied: ${list(denied)}` : undefined;
}

function requires(what: NonNullable<TokenPolicySpec['require']>[number], judge: Judge): Rule['compile'] {
  return (policy) => (policy.require?.includes(what) ? judge : undefined);
}

function ttlWithin({ min, max }: { min?: string; max?: string }): Judge {
  const from = min === undefined ? 0 : seconds(min);
  const to = max === undefined ? Number.POSITIVE_INFINITY : seconds(max);
  const allowed = [min && `at least ${min}`, max && `at most ${max}`].filter(Boolean).join(' and ');
  return ({ ttl, token }) =>
    from <= ttl && ttl <= to ? undefined : `asked for a ttl of ${token.spec.ttl}; allowed: ${allowed}`;
}

function overlapWithin(max: string): Judge {
  const most = seconds(max);
  return (asks) => {
    if (asks.overlap <= most) return undefined;
    const { ttl, rotation: { overlap, renewBefore } = {} } = asks.token.spec;
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
  return ({ token: { metadata, spec }, now }) => {
    const { notAfter } = spec;
    const { creationTimestamp } = metadata;
    const allowed = `allowed: at most ${max} after its creation`;
    if (notAfter === undefined) return `asked without a notAfter; ${allowed}`;
    const created = creationTimestamp === undefined ? now * 1000 : Date.parse(creationTimestamp);
    return Date.parse(notAfter) - created <= most ? undefined : `asked for a notAfter of ${notAfter}; ${allowed}`;
  };
}

/** One limit is enough that keeps to it by itself: a span is covered by as many of its own spans as begin in it. */
function requestsWithin({ requests, per }: ApiTokenRateLimit): Judge {
  const span = seconds(per);
  const keeps = (limit: Asked['rateLimits'][number]) => limit.requests * Math.ceil(span / limit.seconds) <= requests;
  const shown = (limit: ApiTokenRateLimit) => `${limit.requests} in ${limit.per}`;
  return ({ rateLimits }) => {
    if (rateLimits.some(keeps)) return undefined;
    const asked = rateLimits.length === 0 ? 'without rate limits' : `for ${list(rateLimits.map(shown))}`;
    return `asked ${asked}; allowed: at most ${requests} in ${per}`;
  };
}

function purposeOf(least: number): Judge {
  return ({ purposeLength }) =>
    purposeLength >= least ? undefined : `asked with a shorter purpose; allowed: at least ${least} characters`;
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
