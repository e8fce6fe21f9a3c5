/** What the TokenPolicies leave of the use of tokens: asked on every call, and so worked out once for each namespace. */
import type { TokenPolicy } from '../api/token-policy.ts';
import type { Labels } from '../domain/label-selector.ts';
import { useLimits } from '../domain/policy/evaluate.ts';
import { type CompiledPolicy, compilePolicy } from '../domain/policy/policy.ts';
import type { UseLimits } from '../domain/verdict/judge.ts';

interface Held {
  uid: string;
  generation: number;
  compiled: CompiledPolicy;
}

const NONE: readonly UseLimits[] = [];

export class UsePolicies {
  readonly #labelsOf: (namespace: string) => Labels | undefined;
  readonly #held = new Map<string, Held>();
  /** By namespace, until anything changes. */
  readonly #limits = new Map<string, readonly UseLimits[]>();

  /** @param labelsOf undefined where they are not known */
  constructor(labelsOf: (namespace: string) => Labels | undefined) {
    this.#labelsOf = labelsOf;
  }

  /** The same array until something changes. */
  limitsOf(namespace: string): readonly UseLimits[] {
    if (this.#held.size === 0) return NONE;
    return this.#limits.get(namespace) ?? this.#workOut(namespace);
  }

  /** One that cannot be compiled leaves in force what stood before it. @returns what is wrong with it */
  put(policy: TokenPolicy): string | undefined {
    const { name, uid, generation } = policy.metadata;
    const before = this.#held.get(name);
    if (before?.uid === uid && before.generation === generation) return undefined;
    const compiled = compilePolicy(policy);
    const isUsable = compiled.problem === undefined || before?.uid !== uid;
    this.#held.set(name, { uid, generation, compiled: isUsable ? compiled : before.compiled });
    this.#limits.clear();
    return compiled.problem;
  }

  remove(name: string): void {
    this.#held.delete(name);
    this.#limits.clear();
  }

  /** Its labels may be others, or it is gone. */
  namespaceChanged(namespace: string): void {
    this.#limits.delete(namespace);
  }

  #workOut(namespace: string): readonly UseLimits[] {
    const policies = [...this.#held.values()].map(({ compiled }) => compiled);
    const limits = useLimits(policies, { name: namespace, labels: this.#labelsOf(namespace) });
    this.#limits.set(namespace, limits);
    return limits;
  }
}
