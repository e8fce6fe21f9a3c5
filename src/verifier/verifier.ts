/** Says yes or no to a call: what the index knows, the verdict, the rate limit, the record of it. */
import type { VersionRecord } from '../domain/seal.ts';
import { type ParsedValue, parseValue } from '../domain/value.ts';
import { type Audience, judge, type Knowledge, type Needs, type UseLimits } from '../domain/verdict/judge.ts';
import type { Clock, RateLimiter } from '../ports.ts';
import type { Call, Decision, UpstreamCredential } from './call.ts';
import type { Freshness } from './freshness.ts';
import type { IndexedToken } from './indexed-token.ts';
import type { Lookups } from './lookups.ts';
import type { TokenIndex } from './token-index.ts';

export interface KnownAudience extends Audience {
  /** How long a verifier that is cut off goes on saying yes. */
  stalenessSeconds: number;
  /** Undefined where no upstream is declared; 'missing' where its Secret or key is not there. */
  upstream: UpstreamCredential | 'missing' | undefined;
}

export interface VerifierDeps {
  environment: string;
  index: TokenIndex;
  audience(name: string): KnownAudience | undefined;
  orders: { reaches(token: IndexedToken, version: VersionRecord): boolean };
  limitsOf(token: IndexedToken): readonly UseLimits[];
  freshness: Pick<Freshness, 'age'>;
  lookups: Pick<Lookups, 'lookUp'>;
  rateLimiter: RateLimiter;
  record: VerdictRecorder;
  clock: Clock;
}

/** Audit and metrics of a verdict. */
export interface VerdictRecorder {
  /** False when it cannot be recorded and the verdict must not stand. */
  verdict(call: Call, decision: Decision, seconds: number): boolean;
}

export class Verifier {
  readonly #deps: VerifierDeps;
  /** Made once, since it is asked for on every call. */
  readonly #isOrderedRevoked: Knowledge<IndexedToken>['isOrderedRevoked'];

  constructor(deps: VerifierDeps) {
    this.#deps = deps;
    this.#isOrderedRevoked = (token, version) => deps.orders.reaches(token, version);
  }

  /** Answers at once where nothing has to be waited for, which is nearly always. Never throws or rejects. */
  check(call: Call): Decision | Promise<Decision> {
    const began = performance.now();
    const decision = this.#decide(call);
    return decision instanceof Promise
      ? decision.then((late) => this.#recorded(call, late, began))
      : this.#recorded(call, decision, began);
  }

  #recorded(call: Call, decision: Decision, began: number): Decision {
    const recorded = this.#deps.record.verdict(call, decision, (performance.now() - began) / 1000);
    return recorded ? decision : { outcome: 'AuditUnavailable', hint: 'the audit log takes no records' };
  }

  #decide(call: Call, isLast = false): Decision | Promise<Decision> {
    const { needs, token } = call;
    if ('unclear' in needs) return { outcome: 'NeedsUnclear', hint: needs.unclear };
    const audience = this.#deps.audience(needs.audience);
    if (audience === undefined) {
      return { outcome: 'AudienceUnknown', hint: `no TokenAudience is named ${JSON.stringify(needs.audience)}` };
    }
    if (this.#deps.freshness.age() > audience.stalenessSeconds) return { outcome: 'Stale' };
    if (token === 'missing') return { outcome: 'TokenMissing' };
    if (token === 'ambiguous') return { outcome: 'TokenAmbiguous' };
    const value = parseValue(token.text);
    const decision = this.#judge(call, value, needs, audience);
    const isUnknown = decision.outcome === 'TokenUnknown' || decision.outcome === 'ValueUnknown';
    // a watch may be late
    const wait = value.ok && isUnknown && !isLast ? this.#deps.lookups.lookUp(value) : undefined;
    return wait?.then(() => this.#decide(call, true)) ?? this.#limited(decision, audience);
  }

  #judge(call: Call, value: ParsedValue, needs: Needs, audience: KnownAudience): Decision {
    const { environment, index, limitsOf, clock } = this.#deps;
    const known: Knowledge<IndexedToken> = {
      environment,
      audience,
      candidates: value.ok ? index.find(value.tokenID) : [],
      isOrderedRevoked: this.#isOrderedRevoked,
      limitsOf,
      now: Math.floor(clock.now() / 1000),
    };
    const verdict = judge({ value, source: call.source }, needs, known);
    return value.ok && verdict.token === undefined ? { ...verdict, tokenID: value.tokenID } : verdict;
  }

  #limited(decision: Decision, audience: KnownAudience): Decision | Promise<Decision> {
    const { outcome, token } = decision;
    if (outcome !== 'Allowed' || token === undefined) return decision;
    const { upstream } = audience;
    if (upstream === 'missing')
      return {
        ...decision,
        outcome: 'UpstreamMissing',
        hint: 'the upstream Secret of the TokenAudience, or its key, is missing',
      };
    const allowed: Decision = upstream ? { ...decision, upstream } : decision;
    if (token.rateLimits.length === 0) return allowed;
    return this.#deps.rateLimiter.take(token.tokenID, token.rateLimits).then(({ allowed: isWithin, quota }) => ({
      ...(isWithin ? allowed : { ...decision, outcome: 'RateLimited' as const }),
      ...(quota && { quota }),
    }));
  }
}
