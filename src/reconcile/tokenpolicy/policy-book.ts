/**
 * Which TokenPolicies there are, whom each concerns, and what they made of every ApiToken when it was last looked at: a look costs
 * what the policies of its namespace cost, and the counts are kept as they change.
 */
import { createHash } from 'node:crypto';
import type { ApiToken } from '../../api/apitoken.ts';
import type { TokenPolicy } from '../../api/token-policy.ts';
import { type Compliance, complianceOf } from '../../domain/lifecycle/compliance.ts';
import { compliant } from '../../domain/lifecycle/describe.ts';
import { evaluateBy, type Governing, governing, type Question } from '../../domain/policy/evaluate.ts';
import { type CompiledPolicy, compilePolicy, matches, type Namespace } from '../../domain/policy/policy.ts';
import type { Namespaces } from '../tokenrevocation/proof.ts';

export interface PolicyBookOptions {
  namespaces: Namespaces;
  /** Namespaces whose ApiTokens are judged here. Empty: all. */
  governed: readonly string[];
  /** Keys of all ApiTokens that are known. */
  tokenKeys(): Iterable<string>;
}

export interface PolicyListener {
  /** The ApiTokens of these namespaces are to be judged again. */
  tokensDue(isConcerned: (namespace: string) => boolean): void;
  /** What is counted for this policy has changed. */
  countsChanged(policy: string): void;
}

export interface Counts {
  tokens: number;
  violating: number;
  /** How many violate it, by namespace. */
  byNamespace: ReadonlyMap<string, number>;
  /** False where the policy matches namespaces that another operator governs. */
  isWhole: boolean;
}

interface Held {
  uid: string;
  generation: number;
  compiled: CompiledPolicy;
}

/** One for all ApiTokens of a namespace that violate nothing. */
interface Judged {
  governedBy: readonly string[];
  violates: readonly string[];
  /** What was said, or its digest: sentences are long, and there may be many ApiTokens. */
  said: string;
}

interface Place {
  governing: Governing;
  clean: { satisfied: Judged; ungoverned: Judged };
}

const NOBODY: Judged = { governedBy: [], violates: [], said: '' };

export class PolicyBook {
  readonly #options: PolicyBookOptions;
  readonly #held = new Map<string, Held>();
  /** By namespace, until anything changes. */
  readonly #places = new Map<string, Place>();
  /** By key of the ApiToken. */
  readonly #judged = new Map<string, Judged>();
  readonly #tokens = new Map<string, number>();
  readonly #violating = new Map<string, Map<string, number>>();
  #policies: readonly CompiledPolicy[] | undefined;
  #listener: PolicyListener | undefined;
  #isComplete = false;

  constructor(options: PolicyBookOptions) {
    this.#options = options;
  }

  /** One listener at a time. Returns how to end it. */
  listen(listener: PolicyListener): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  put(policy: TokenPolicy): void {
    const { name, uid, generation } = policy.metadata;
    const before = this.#held.get(name);
    if (before?.uid === uid && before.generation === generation) return;
    const compiled = compilePolicy(policy);
    this.#held.set(name, { uid, generation, compiled });
    this.#changed(before ? [before.compiled, compiled] : [compiled]);
  }

  remove({ metadata: { name, uid } }: TokenPolicy): void {
    const before = this.#held.get(name);
    if (before?.uid !== uid) return;
    this.#held.delete(name);
    this.#changed([before.compiled]);
  }

  /** Its labels are others, or it came or went. */
  namespaceChanged(namespace: string): void {
    this.#places.delete(namespace);
    this.#listener?.tokensDue((one) => one === namespace);
    if (this.#options.governed.length > 0) for (const name of this.#held.keys()) this.#listener?.countsChanged(name);
  }

  /** The same array until one of them changes. */
  get policies(): readonly CompiledPolicy[] {
    this.#policies ??= [...this.#held.values()].map(({ compiled }) => compiled);
    return this.#policies;
  }

  /** Why the policy is broken; undefined where it is whole. */
  problemOf(policy: string): string | undefined {
    return this.#held.get(policy)?.compiled.problem;
  }

  /** Judges the ApiToken by the policies known now, and counts it. */
  judge(
    { metadata, spec }: Pick<ApiToken, 'metadata' | 'spec'>,
    { now, defaultPolicy }: Pick<Question, 'now' | 'defaultPolicy'>,
  ): Compliance {
    const { governing, clean } = this.#placeOf(metadata.namespace);
    const evaluation = evaluateBy(governing, { token: { metadata, spec }, now, defaultPolicy });
    const broken = [...evaluation.violations, ...evaluation.audited].flatMap(({ policy }) => policy ?? []);
    const compliance = complianceOf(evaluation);
    const judged =
      broken.length === 0
        ? clean[evaluation.violations.length === 0 ? 'satisfied' : 'ungoverned']
        : { governedBy: governing.names, violates: [...new Set(broken)], said: digestOf(compliance, broken) };
    this.#count(metadata.namespace, metadata.name, judged);
    return compliance;
  }

  /**
   * Judges it and counts it too. Whether it is to be looked at again: its status says something else, or what was judged last did,
   * which a look under way may be about to write.
   */
  isNews(token: ApiToken, asked: Pick<Question, 'now' | 'defaultPolicy'>): boolean {
    const key = `${token.metadata.namespace}/${token.metadata.name}`;
    const before = this.#judged.get(key)?.said;
    const { type, status, reason, message } = compliant(this.judge(token, asked));
    const said = token.status?.conditions?.find((condition) => condition.type === type);
    return (
      this.#judged.get(key)?.said !== before ||
      said?.status !== status ||
      said.reason !== reason ||
      said.message !== message
    );
  }

  /** There is no such ApiToken any more. */
  forget(key: string): void {
    const [namespace = '', name = ''] = key.split('/');
    this.#count(namespace, name, undefined);
  }

  /** Undefined until every ApiToken was judged: what is counted by then would only seem to have fallen. */
  countsOf(policy: string): Counts | undefined {
    this.#isComplete ||= [...this.#options.tokenKeys()].every((key) => this.#judged.has(key));
    if (!this.#isComplete) return undefined;
    const byNamespace = this.#violating.get(policy) ?? new Map<string, number>();
    const violating = [...byNamespace.values()].reduce((sum, count) => sum + count, 0);
    return { tokens: this.#tokens.get(policy) ?? 0, violating, byNamespace, isWhole: this.#isWhole(policy) };
  }

  #isWhole(policy: string): boolean {
    const { governed, namespaces } = this.#options;
    const compiled = this.#held.get(policy)?.compiled;
    if (governed.length === 0 || !compiled) return governed.length === 0;
    const reached = [...namespaces.keys()].filter((name) => matches(compiled, this.#namespace(name)) !== false);
    return reached.length > 0 && reached.every((name) => governed.includes(name));
  }

  #changed(policies: readonly CompiledPolicy[]): void {
    this.#policies = undefined;
    this.#places.clear();
    this.#listener?.tokensDue((name) => {
      const namespace = this.#namespace(name);
      return policies.some((policy) => matches(policy, namespace) !== false);
    });
  }

  #namespace(name: string): Namespace {
    return { name, labels: this.#options.namespaces.get(name) };
  }

  #placeOf(namespace: string): Place {
    const known = this.#places.get(namespace);
    if (known) return known;
    const found = governing(this.policies, this.#namespace(namespace));
    const clean = (said: Compliance['reason']): Judged => ({ governedBy: found.names, violates: [], said });
    const place = { governing: found, clean: { satisfied: clean('PolicySatisfied'), ungoverned: clean('NoPolicy') } };
    this.#places.set(namespace, place);
    return place;
  }

  #count(namespace: string, name: string, judged: Judged | undefined): void {
    const key = `${namespace}/${name}`;
    const before = this.#judged.get(key) ?? NOBODY;
    if (before === judged) return;
    if (judged) this.#judged.set(key, judged);
    else this.#judged.delete(key);
    const after = judged ?? NOBODY;
    const changed = new Set<string>();
    for (const [policy, step] of steps(before.governedBy, after.governedBy)) {
      bump(this.#tokens, policy, step);
      changed.add(policy);
    }
    for (const [policy, step] of steps(before.violates, after.violates)) {
      const counts = this.#violating.get(policy) ?? new Map<string, number>();
      bump(counts, namespace, step);
      if (counts.size === 0) this.#violating.delete(policy);
      else this.#violating.set(policy, counts);
      changed.add(policy);
    }
    for (const policy of changed) this.#listener?.countsChanged(policy);
  }
}

/** The message names no audited violation where there is another, and few of many. */
function digestOf({ reason, message }: Compliance, violates: readonly string[]): string {
  return createHash('sha256')
    .update([reason, message, ...violates].join('\n'))
    .digest('base64');
}

/** The names that came and that went. Where thousands are looked at again, most are the same as before. */
function steps(before: readonly string[], after: readonly string[]): [name: string, step: 1 | -1][] {
  if (before.length === after.length && before.every((name, index) => name === after[index])) return [];
  const [were, are] = [new Set(before), new Set(after)];
  return [
    ...after.filter((name) => !were.has(name)).map((name): [string, 1] => [name, 1]),
    ...before.filter((name) => !are.has(name)).map((name): [string, -1] => [name, -1]),
  ];
}

function bump(counts: Map<string, number>, key: string, step: number): void {
  const count = (counts.get(key) ?? 0) + step;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}
