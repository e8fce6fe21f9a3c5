/** One ApiToken, judged. */
import { type Evaluation, evaluate, type Question } from '../../domain/policy/evaluate.ts';
import type { Ground } from './ground.ts';
import type { DeclaredToken } from './manifests.ts';

export interface Checked extends Omit<DeclaredToken, 'namespace' | 'token'> {
  readonly namespace: string;
  /** Undefined where there are problems. */
  readonly evaluation: Evaluation | undefined;
}

export interface JudgeOptions {
  readonly defaultPolicy: Question['defaultPolicy'];
  /** Epoch seconds. */
  readonly now: number;
}

export async function judge(
  { token, ...declared }: DeclaredToken,
  ground: Ground,
  { defaultPolicy, now }: JudgeOptions,
): Promise<Checked> {
  const name = declared.namespace ?? ground.defaultNamespace;
  if (token === undefined) return { ...declared, namespace: name, evaluation: undefined };
  const policies = ground.policies.map(({ compiled }) => compiled);
  const judged = { ...token, metadata: { ...token.metadata, namespace: name } };
  const namespace = await ground.namespace(name);
  return {
    ...declared,
    namespace: name,
    evaluation: evaluate({ token: judged, namespace, policies, now: Math.floor(now), defaultPolicy }),
  };
}
