/** Policies and tokens, for the tests of the evaluator. */
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import type { JudgedToken } from '../../../src/domain/policy/asked.ts';
import { type Evaluation, evaluate, type Question } from '../../../src/domain/policy/evaluate.ts';
import { type CompiledPolicy, compilePolicy } from '../../../src/domain/policy/policy.ts';

export const NOW = 1_800_000_000;

export function policyOf(spec: Partial<TokenPolicySpec>, name = 'prod-ai'): CompiledPolicy {
  return compilePolicy({ metadata: { name }, spec: { match: { everything: true }, ...spec } });
}

export function tokenOf(spec: Partial<JudgedToken['spec']> = {}, metadata: object = {}): JudgedToken {
  return {
    metadata: { name: 'summarizer', namespace: 'support', ...metadata },
    spec: {
      subject: 'agent:summarizer',
      purpose: 'Summarise incoming tickets',
      environment: 'production',
      audiences: ['ai-gateway'],
      scopes: ['chat:write', 'models:gpt-4o'],
      ttl: '24h',
      ...spec,
    },
  };
}

export function evaluated(
  policies: CompiledPolicy[],
  token: JudgedToken = tokenOf(),
  more: Partial<Question> = {},
): Evaluation {
  const namespace = { name: 'support', labels: { tier: 'prod' } };
  return evaluate({ token, namespace, policies, now: NOW, defaultPolicy: 'Deny', ...more });
}

/** What the one policy says of the token. */
export function told(spec: Partial<TokenPolicySpec>, token?: JudgedToken): string[] {
  return evaluated([policyOf(spec)], token).violations.map(({ message }) => message);
}
