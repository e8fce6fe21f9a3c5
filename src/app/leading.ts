/** What the operator does while it leads: three controllers, each a queue and its workers. */
import { randomBytes } from 'node:crypto';
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { GRANTED_NAMESPACES_NAME } from '../api/granted-namespaces.ts';
import type { JsonLinesAuditLog } from '../audit/json-lines.ts';
import { fired, pause } from '../engine/pause.ts';
import { WorkQueue } from '../engine/queue.ts';
import { type Reconcile, Workers } from '../engine/workers.ts';
import { issuers } from '../issuers/registry.ts';
import type { ApiServerClient, ReadOptions } from '../kube/client.ts';
import type { Clock, EventRecorder, Logger } from '../ports.ts';
import { auditTrail } from '../reconcile/apitoken/audit-trail.ts';
import { Census } from '../reconcile/apitoken/census.ts';
import type { ApiTokenDeps } from '../reconcile/apitoken/deps.ts';
import { reconcile } from '../reconcile/apitoken/reconcile.ts';
import { RolloutBudget } from '../reconcile/apitoken/rollout-budget.ts';
import { ValueMemory } from '../reconcile/apitoken/value-memory.ts';
import { keyOf } from '../reconcile/apitoken/write-status.ts';
import type { SealKeys } from '../reconcile/seal-keys/seal-keys.ts';
import { GrantedNamespaces } from '../reconcile/tokenpolicy/granted-namespaces.ts';
import { type PolicyDeps, reconcilePolicy, STATUS_INTERVAL } from '../reconcile/tokenpolicy/reconcile.ts';
import { type IsConcerned, Sweep } from '../reconcile/tokenpolicy/sweep.ts';
import { type RevocationDeps, reconcileRevocation } from '../reconcile/tokenrevocation/reconcile.ts';
import type { PrometheusMetrics } from '../telemetry/metrics.ts';
import { watchGranted } from './granted-watch.ts';
import type { OperatorConfig } from './operator-config.ts';
import { rollCall } from './verifier-lease.ts';
import type { Watches } from './watches.ts';

/** There are few of them, and none may wait for a broad one. */
const REVOCATION_WORKERS = 4;
const POLICY_WORKERS = 2;
/** Seal keys are looked at twice a minute. */
const SEAL_KEY_REFRESH_MS = 30_000;

export interface Leading {
  config: OperatorConfig;
  /** Of this process, in audit records. */
  identity: string;
  client: ApiServerClient;
  watches: Watches;
  sealKeys: SealKeys;
  auditLog: JsonLinesAuditLog;
  events: EventRecorder;
  metrics: PrometheusMetrics;
  log: Logger;
  clock: Clock;
}

/** Until `signal` fires, and what was begun has ended. */
export async function lead(leading: Leading, signal: AbortSignal): Promise<void> {
  // while we stood by, another leader may have rotated the keys and written to a shared audit file
  await Promise.all([leading.sealKeys.refresh(), leading.auditLog.refresh()]);
  const tokens = queueOf(leading, 'apitoken');
  await Promise.all([
    controlTokens(leading, tokens, signal),
    controlRevocations(leading, tokens, signal),
    controlPolicies(leading, tokens, signal),
  ]);
}

async function controlTokens(leading: Leading, queue: WorkQueue, signal: AbortSignal): Promise<void> {
  const { watches, sealKeys, log, clock, config } = leading;
  const deps = tokenDeps(leading, queue);
  const addAll = () => {
    for (const key of watches.tokenKeys()) queue.add(key);
  };
  await control(leading, signal, {
    controller: 'apitoken',
    queue,
    concurrency: config.workers,
    reconcile: (key) => reconcile(deps, key),
    begin: (add) => {
      watches.rollingOut((key, workloads) => deps.rollouts.observe(key, workloads, clock.now()));
      const unsubscribe = watches.onTokenDue(add);
      for (const key of deps.census.keys()) add(key);
      addAll();
      const refresh = setInterval(() => {
        sealKeys.refresh().then(
          (changed) => changed && addAll(),
          (error: unknown) => log.warn({ err: error }, 'seal keys not refreshed'),
        );
      }, SEAL_KEY_REFRESH_MS);
      return [() => clearInterval(refresh), unsubscribe];
    },
  });
}

function tokenDeps(leading: Leading, queue: WorkQueue): ApiTokenDeps {
  const { config, identity, client, watches, sealKeys, auditLog, events, metrics, log, clock } = leading;
  const { policyBook } = watches;
  const { defaultPolicy } = config;
  return {
    client,
    tokens: watches.tokens,
    secrets: watches.secrets,
    workloads: watches.workloads,
    revocations: watches.orders,
    hurry: (key, order) => queue.add(key, order),
    policies: {
      judge: (token, now) => policyBook.judge(token, { now, defaultPolicy }),
      forget: (key) => policyBook.forget(key),
    },
    isNamespaceTerminating: (namespace) => watches.isNamespaceTerminating(namespace),
    issuer: issuers.opaque({ random: { bytes: (length) => randomBytes(length) } }),
    values: new ValueMemory(),
    rollouts: new RolloutBudget(config.maxConcurrentRollouts, (key) => queue.add(key)),
    sealKeys,
    census: new Census(auditLog.living()),
    audit: auditTrail(auditLog, `operator:${identity}`),
    events,
    metrics,
    log,
    clock,
    tuning: {
      settleAfter: config.settleAfterSeconds,
      orphanAfter: config.leaseDurationSeconds,
      minHealInterval: config.minHealIntervalSeconds,
    },
  };
}

async function controlRevocations(leading: Leading, tokens: WorkQueue, signal: AbortSignal): Promise<void> {
  const { config, client, watches, log, clock } = leading;
  const hurry = (key: string, order: string) => tokens.add(key, order);
  const deps: RevocationDeps = {
    client,
    tokenPages: (options) => tokenPages(client, options),
    governed: config.watchNamespaces,
    namespaces: watches.namespaces,
    revocations: watches.revocations,
    book: watches.orders,
    hurry,
    verifiers: rollCall(client, config.namespace, clock),
    log,
    clock,
    retention: config.revocationRetentionSeconds,
  };
  await control(leading, signal, {
    controller: 'tokenrevocation',
    concurrency: REVOCATION_WORKERS,
    reconcile: (key) => reconcileRevocation(deps, key),
    begin: (add) => {
      for (const key of watches.revocationKeys()) add(key);
      return [watches.onRevocationDue(add), watches.orders.listen({ tokenDue: hurry, carriedOut: add })];
    },
  });
}

async function controlPolicies(leading: Leading, tokens: WorkQueue, signal: AbortSignal): Promise<void> {
  const { config, client, watches, metrics, log, clock } = leading;
  const { policyBook } = watches;
  const { namespace, defaultPolicy } = config;
  const granted = new GrantedNamespaces({
    client,
    namespace,
    policies: () => policyBook.policies,
    defaultPolicy,
    pause: (ms) => pause(ms, signal),
    log,
  });
  const deps: PolicyDeps = {
    client,
    policies: watches.policies,
    book: policyBook,
    granted,
    written: new Map(),
    metrics,
    log,
    clock,
  };
  const sweep = new Sweep({
    tokenPages: (options) => tokenPages(client, options),
    tokenKeys: () => watches.tokenKeys(),
    isEverywhere: config.watchNamespaces.length === 0,
    isNews: (token, now) => policyBook.isNews(token, { now, defaultPolicy }),
    tell: (token) => tokens.add(keyOf(token)),
    tellNamespaces: (isConcerned) => watches.tellNamespaces(isConcerned),
    pause,
    log,
    clock,
  });
  const queue = queueOf(leading, 'tokenpolicy');
  await control(leading, signal, {
    controller: 'tokenpolicy',
    queue,
    concurrency: POLICY_WORKERS,
    reconcile: (name) => reconcilePolicy(deps, name),
    begin: (add) => {
      for (const name of watches.policyNames()) add(name);
      // a look at any name keeps it, whether or not there is such a policy
      const grantsDue = () => add(GRANTED_NAMESPACES_NAME);
      grantsDue();
      const tokensDue = (isConcerned: IsConcerned) => sweep.add(isConcerned);
      const countsChanged = (name: string) => queue.addAfter(name, STATUS_INTERVAL);
      return [
        watches.onPolicyDue(add),
        policyBook.listen({ tokensDue, countsChanged }),
        () => sweep.stop(),
        watchGranted({ client, log, metrics, namespace }, granted, grantsDue),
      ];
    },
  });
}

interface Controller {
  controller: string;
  queue?: WorkQueue;
  concurrency: number;
  reconcile: Reconcile;
  /** Adds what is due now, subscribes to what comes to be due, and returns how to end that. */
  begin(add: (key: string) => void): (() => unknown)[];
}

async function control(leading: Leading, signal: AbortSignal, controlled: Controller): Promise<void> {
  const { config, metrics, log } = leading;
  const { controller, concurrency, reconcile, queue = queueOf(leading, controller) } = controlled;
  const workers = new Workers({ controller, queue, reconcile, log, metrics, concurrency });
  const ends = controlled.begin((key) => queue.add(key));
  workers.start();
  await fired(signal);
  await Promise.all(ends.map((end) => end()));
  const deadlineMs = config.shutdownTimeoutSeconds * 1000;
  const drained = await workers.stop(deadlineMs);
  if (!drained) log.warn({ controller, deadlineMs }, 'stopped with work unfinished');
}

function queueOf({ clock, metrics }: Leading, controller: string): WorkQueue {
  return new WorkQueue({ controller, clock, metrics });
}

async function* tokenPages(client: ApiServerClient, options: ReadOptions): AsyncGenerator<readonly ApiToken[]> {
  let page = await client.listPage(API_TOKENS, options);
  yield page.items;
  while (page.next !== undefined) {
    page = await client.listPage(API_TOKENS, options, page.next);
    yield page.items;
  }
}
