/** A verifier over an index that a test fills, with the calls that it is asked about. */
import type { UseLimits } from '../../src/domain/verdict/judge.ts';
import type { RateLimitAnswer } from '../../src/ports.ts';
import type { Call, Decision } from '../../src/verifier/call.ts';
import type { IndexedToken } from '../../src/verifier/indexed-token.ts';
import type { Lookups } from '../../src/verifier/lookups.ts';
import { TokenIndex } from '../../src/verifier/token-index.ts';
import { type KnownAudience, Verifier } from '../../src/verifier/verifier.ts';
import { indexed, NOW, tokenValue, type Wanted } from './tokens.ts';

export function callOf(more: Partial<Call> = {}): Call {
  return {
    door: 'authorize',
    token: { text: tokenValue('uid-1') },
    needs: { audience: 'ai-gateway', scopes: ['chat:write'] },
    source: '192.0.2.7',
    traceparent: undefined,
    ...more,
  };
}

export class VerifierWorld {
  readonly index = new TokenIndex();
  readonly audiences = new Map<string, KnownAudience>();
  /** UIDs whose every version an order reaches. */
  readonly ordered = new Set<string>();
  readonly recorded: [Call, Decision][] = [];
  /** Each look-up of what the index does not know; undefined: there is nothing to wait for. */
  lookUp: Lookups['lookUp'] = () => undefined;
  rateLimit: RateLimitAnswer | Promise<RateLimitAnswer> = { allowed: true };
  /** Token ids that were counted. */
  readonly taken: string[] = [];
  limits: UseLimits[] = [];
  /** Seconds. */
  age = 0;
  /** Epoch milliseconds. */
  now = NOW * 1000;
  hasRecorder = true;
  readonly verifier: Verifier;

  constructor() {
    this.declare();
    this.verifier = new Verifier({
      environment: 'production',
      index: this.index,
      audience: (name) => this.audiences.get(name),
      orders: { reaches: ({ uid }) => this.ordered.has(uid) },
      limitsOf: () => this.limits,
      freshness: { age: () => this.age },
      lookups: { lookUp: (sought) => this.lookUp(sought) },
      rateLimiter: {
        take: async (tokenID) => {
          this.taken.push(tokenID);
          return this.rateLimit;
        },
      },
      record: {
        verdict: (call, decision) => {
          this.recorded.push([call, decision]);
          return this.hasRecorder;
        },
      },
      clock: { now: () => this.now },
    });
  }

  declare(more: Partial<KnownAudience> = {}, name = 'ai-gateway'): void {
    const routes = [{ methods: ['POST'], path: '/v1/chat', scopes: ['chat:write'] }];
    this.audiences.set(name, {
      environments: ['production'],
      routes,
      stalenessSeconds: 30,
      upstream: undefined,
      ...more,
    });
  }

  put(wanted: Wanted = {}): IndexedToken {
    const token = indexed(wanted);
    this.index.put(token);
    return token;
  }

  check(more: Partial<Call> = {}): Decision | Promise<Decision> {
    return this.verifier.check(callOf(more));
  }

  async outcome(more: Partial<Call> = {}): Promise<string> {
    return (await this.check(more)).outcome;
  }
}
