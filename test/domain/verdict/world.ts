/** All that a verdict depends on, as plain data that a test may change. */
import type { VersionRecord } from '../../../src/domain/seal.ts';
import { digestOf, type ParsedValue, type TokenID } from '../../../src/domain/value.ts';
import { type Audience, type Candidate, judge, type Needs, type Verdict } from '../../../src/domain/verdict/judge.ts';

export interface Policy {
  environments: string[];
  audiences: string[];
  subjects: string[];
  scopes: string[];
  sources: string[];
  /** Epoch seconds at which it refuses. */
  closed: number[];
}

export interface TokenFacts extends Omit<Candidate, 'isSealed' | 'versions'> {
  sealed: boolean;
  /** Reached by an order to revoke. */
  ordered: boolean;
  versions: VersionRecord[];
  policies: Policy[];
}

export interface World {
  environment: string;
  audience: Audience | undefined;
  value: ParsedValue;
  tokens: TokenFacts[];
  needs: Needs;
  source: string | undefined;
  now: number;
}

export const NOW = 1_800_000_000;

/** The value whose text, for these tests, is `text`. */
export function parsed(text: string, environment = 'production'): Extract<ParsedValue, { ok: true }> {
  return { ok: true, environment, tokenID: '7Yx3kQ2m' as TokenID, digest: digestOf(text) };
}

export function versionOf(text: string, more: Partial<VersionRecord> = {}): VersionRecord {
  return {
    version: 3,
    state: 'Current',
    digest: digestOf(text),
    issueTime: NOW - 100,
    expirationTime: NOW + 100,
    grant: {
      subject: 'agent:summarizer',
      environment: 'production',
      audiences: ['ai-gateway', 'search'],
      scopes: ['chat:write', 'models:gpt-4o'],
    },
    ...more,
  };
}

export function tokenOf(uid: string, versions: VersionRecord[], more: Partial<TokenFacts> = {}): TokenFacts {
  return {
    uid,
    namespace: 'support',
    name: 'summarizer',
    tokenID: '7Yx3kQ2m',
    versions,
    sealed: true,
    ordered: false,
    revokedThroughVersion: 0,
    spec: {
      environment: 'production',
      audiences: ['ai-gateway', 'search'],
      scopes: ['chat:write', 'models:gpt-4o'],
      suspended: false,
    },
    policies: [
      {
        environments: ['production'],
        audiences: ['ai-gateway', 'search'],
        subjects: ['agent:summarizer'],
        scopes: ['chat:write', 'models:gpt-4o'],
        sources: ['10.0.0.7'],
        closed: [],
      },
    ],
    ...more,
  };
}

/** A call that passes every check. */
export function passing(): World {
  return {
    environment: 'production',
    audience: {
      environments: ['production'],
      routes: [{ methods: ['POST'], path: '/v1/chat', scopes: ['chat:write'] }],
    },
    value: parsed('good'),
    tokens: [tokenOf('uid-1', [versionOf('good')])],
    needs: { audience: 'ai-gateway', scopes: ['chat:write'] },
    source: '10.0.0.7',
    now: NOW,
  };
}

export function judged(world: World, onSealCheck = (_uid: string) => {}): Verdict<TokenFacts & Candidate> {
  const candidates = world.tokens.map((token) => ({
    ...token,
    isSealed() {
      onSealCheck(token.uid);
      return token.sealed;
    },
  }));
  return judge({ value: world.value, source: world.source }, world.needs, {
    environment: world.environment,
    audience: world.audience,
    candidates,
    isOrderedRevoked: (token) => token.ordered,
    limitsOf: (token) =>
      token.policies.map(({ environments, audiences, subjects, scopes, sources, closed }) => ({
        allowsUse: ({ environment, audience, subject }) =>
          environments.includes(environment) && audiences.includes(audience) && subjects.includes(subject),
        allowsScope: (scope) => scopes.includes(scope),
        allowsSource: (address) => address !== undefined && sources.includes(address),
        allowsTime: (now) => !closed.includes(now),
      })),
    now: world.now,
  });
}
