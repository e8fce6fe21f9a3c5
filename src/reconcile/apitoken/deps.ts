/** What the ApiToken controller is given. */
import type { ApiToken } from '../../api/apitoken.ts';
import type { Compliance } from '../../domain/lifecycle/compliance.ts';
import type { Seen, Tuning } from '../../domain/lifecycle/seen.ts';
import type { PublicKeys, SigningKey } from '../../domain/seal.ts';
import type { Clock, EventRecorder, Issuer, KubeClient, Logger, Metrics, Store } from '../../ports.ts';
import type { AuditTrail } from './audit-trail.ts';
import type { Census } from './census.ts';
import type { RolloutBudget } from './rollout-budget.ts';
import type { Secret } from './secret.ts';
import type { ValueMemory } from './value-memory.ts';
import type { WorkloadIndex } from './workloads.ts';

export interface ApiTokenDeps {
  client: KubeClient;
  /** Take the replies of our own writes, so that their echo is no news. */
  tokens: Pick<Store<ApiToken>, 'observe'> & {
    /** Once, as the watch told it: who meets a conflict with it reads live. */
    takeUnissued(key: string): ApiToken | undefined;
  };
  secrets: Pick<Store<Secret>, 'observe'>;
  workloads: WorkloadIndex;
  revocations: {
    /** Those that match, and of the handled ones those that are past: see Seen. */
    of(token: ApiToken): Pick<Seen, 'orders' | 'pastOrders'>;
  };
  policies: {
    /** By the policies known now. @param now whole seconds since the epoch */
    judge(token: ApiToken, now: number): Compliance;
    /** There is no ApiToken of that key any more. */
    forget(key: string): void;
  };
  /** Has the ApiToken looked at again before others that no revocation concerns; by order, so that a broad one delays no other. */
  hurry(key: string, order: string): void;
  isNamespaceTerminating(namespace: string): boolean;
  issuer: Issuer;
  values: ValueMemory;
  rollouts: RolloutBudget;
  sealKeys: {
    signing(): SigningKey;
    trusted(): PublicKeys;
    /** For a key that is not known: reads the keys again, now and then. Whether there are others than before. */
    lookAgain(): Promise<boolean>;
  };
  census: Census;
  audit: AuditTrail;
  events: EventRecorder;
  metrics: Metrics;
  log: Logger;
  clock: Clock;
  tuning: Tuning;
}
