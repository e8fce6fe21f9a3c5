/** Keeps the status of a TokenPolicy: how many ApiTokens it governs, how many violate it, and whether it can be evaluated. */
import { isDeepStrictEqual } from 'node:util';
import { TOKEN_POLICIES, type TokenPolicy, type TokenPolicyStatus } from '../../api/token-policy.ts';
import { type Clock, type KubeClient, KubeError, type Logger, type Metrics } from '../../ports.ts';
import { stamped } from '../conditions.ts';
import type { GrantedNamespaces } from './granted-namespaces.ts';
import type { Counts, PolicyBook } from './policy-book.ts';

export interface PolicyDeps {
  client: Pick<KubeClient, 'replaceStatus'>;
  /** From the watch. Every write has the resourceVersion seen here as its precondition. */
  policies: { get(name: string): TokenPolicy | undefined; observe(policy: TokenPolicy): void };
  book: Pick<PolicyBook, 'countsOf' | 'problemOf'>;
  granted: Pick<GrantedNamespaces, 'keep'>;
  /** When each status was last written, by name: at most once in STATUS_INTERVAL, however fast the counts change. */
  written: Map<string, number>;
  metrics: Pick<Metrics, 'policy'>;
  log: Logger;
  clock: Clock;
}

/** Milliseconds. */
export const STATUS_INTERVAL = 3000;
/** After somebody else was faster, so that the watch may catch up. Milliseconds. */
const LOOK_AGAIN = 50;
/** As many as status takes. */
const MAX_NAMESPACES = 32;

/** @returns when to look again, in epoch milliseconds */
export async function reconcilePolicy(deps: PolicyDeps, name: string): Promise<{ requeueAt?: number }> {
  const policy = deps.policies.get(name);
  if (!policy) {
    deps.metrics.policy(name, undefined);
    deps.written.delete(name);
    await deps.granted.keep();
    return {};
  }
  const counts = deps.book.countsOf(name);
  if (counts) deps.metrics.policy(name, counts);
  const untold = await tellGrants(deps);
  const again = await keepStatus(deps, policy, statusOf(deps, policy, counts, untold));
  if (untold) throw untold;
  return again ?? (counts ? {} : { requeueAt: deps.clock.now() + STATUS_INTERVAL });
}

/** Ready tells that the API server knows of the policy: whoever waits for that may create ApiTokens. @returns why it does not, and will not soon */
async function tellGrants({ granted }: PolicyDeps): Promise<KubeError | undefined> {
  try {
    await granted.keep();
    return undefined;
  } catch (error) {
    if (!(error instanceof KubeError) || error.transient || error.reason === 'Conflict') throw error;
    return error;
  }
}

/** @returns when to look again, where it is not kept yet */
async function keepStatus(
  deps: PolicyDeps,
  policy: TokenPolicy,
  status: TokenPolicyStatus,
): Promise<{ requeueAt: number } | undefined> {
  const { name } = policy.metadata;
  if (isDeepStrictEqual(status, policy.status)) return undefined;
  const next = (deps.written.get(name) ?? 0) + STATUS_INTERVAL;
  if (deps.clock.now() < next) return { requeueAt: next };
  try {
    deps.policies.observe(await deps.client.replaceStatus(TOKEN_POLICIES, { ...policy, status }));
    deps.written.set(name, deps.clock.now());
  } catch (error) {
    if (!(error instanceof KubeError) || !['Conflict', 'NotFound'].includes(error.reason)) throw error;
    return { requeueAt: deps.clock.now() + LOOK_AGAIN };
  }
  const problem = deps.book.problemOf(name);
  if (problem !== undefined) deps.log.warn({ policy: name, problem }, 'policy cannot be evaluated');
  return undefined;
}

function statusOf(
  deps: PolicyDeps,
  { metadata, status }: TokenPolicy,
  counts: Counts | undefined,
  untold: KubeError | undefined,
): TokenPolicyStatus {
  const problem = deps.book.problemOf(metadata.name);
  const now = Math.floor(deps.clock.now() / 1000);
  return {
    // what another operator counted, until we have judged every ApiToken, or for good where it judges some of them
    ...(counts?.isWhole ? counted(counts) : status),
    observedGeneration: metadata.generation,
    conditions: stamped(conditionsOf(problem, untold), status?.conditions, metadata.generation, now),
  };
}

function counted({ tokens, violating, byNamespace }: Counts): TokenPolicyStatus {
  const violations = [...byNamespace]
    .map(([namespace, count]) => ({ namespace, count }))
    .sort((a, b) => b.count - a.count || (a.namespace < b.namespace ? -1 : 1))
    .slice(0, MAX_NAMESPACES);
  return { tokens, violating, ...(violations.length > 0 && { violations }) };
}

interface PolicyCondition {
  type: 'Ready' | 'Stalled';
  status: 'True' | 'False';
  reason: 'PolicyCompiled' | 'InvalidPolicy' | 'GrantsNotTold';
  message: string;
}

/** In the sense of kstatus: Stalled stands only while it is true. */
function conditionsOf(problem: string | undefined, untold: KubeError | undefined): PolicyCondition[] {
  if (problem === undefined && untold !== undefined) {
    const message = `the API server may refuse ApiTokens that it allows: GrantedNamespaces, of which the operator needs the CRD and the Role of its own release, is not written: ${untold.reason}`;
    return [{ type: 'Ready', status: 'False', reason: 'GrantsNotTold', message }];
  }
  if (problem === undefined) {
    const message = 'every part of the policy can be evaluated';
    return [{ type: 'Ready', status: 'True', reason: 'PolicyCompiled', message }];
  }
  const message = `it allows no mint until it is mended: ${problem}`;
  return [
    { type: 'Ready', status: 'False', reason: 'InvalidPolicy', message },
    { type: 'Stalled', status: 'True', reason: 'InvalidPolicy', message },
  ];
}
