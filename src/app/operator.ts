/** Joins the parts of `tokenwright operator`. Adapters are made here and nowhere else. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { API_TOKENS, type ApiToken } from '../api/apitoken.ts';
import { GRANTED_NAMESPACES_NAME } from '../api/granted-namespaces.ts';
import { openAuditLog } from '../audit/registry.ts';
import { LeaderElection } from '../engine/leader.ts';
import { pause } from '../engine/pause.ts';
import { WorkQueue } from '../engine/queue.ts';
import { Workers } from '../engine/workers.ts';
import { issuers } from '../issuers/registry.ts';
import { ApiServerClient, type ReadOptions } from '../kube/client.ts';
import { ClusterConnection } from '../kube/connection.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { ServerClock } from '../kube/server-clock.ts';
import type { AuditLog, Logger } from '../ports.ts';
import { auditTrail } from '../reconcile/apitoken/audit-trail.ts';
import { Census } from '../reconcile/apitoken/census.ts';
import type { ApiTokenDeps } from '../reconcile/apitoken/deps.ts';
import { reconcile } from '../reconcile/apitoken/reconcile.ts';
import { RolloutBudget } from '../reconcile/apitoken/rollout-budget.ts';
import { ValueMemory } from '../reconcile/apitoken/value-memory.ts';
import { keyOf } from '../reconcile/apitoken/write-status.ts';
import { SealKeys } from '../reconcile/seal-keys/seal-keys.ts';
import { GrantedNamespaces } from '../reconcile/tokenpolicy/granted-namespaces.ts';
import { type PolicyDeps, reconcilePolicy, STATUS_INTERVAL } from '../reconcile/tokenpolicy/reconcile.ts';
import { type IsConcerned, Sweep } from '../reconcile/tokenpolicy/sweep.ts';
import { type RevocationDeps, reconcileRevocation } from '../reconcile/tokenrevocation/reconcile.ts';
import { KubeEventRecorder } from '../telemetry/events.ts';
import { PrometheusMetrics } from '../telemetry/metrics.ts';
import { TelemetryServer } from '../telemetry/server.ts';
import { watchGranted } from './granted-watch.ts';
import type { OperatorConfig } from './operator-config.ts';
import { rollCall } from './verifier-lease.ts';
import { Watches } from './watches.ts';

const CONTROLLER = 'apitoken';
const REVOCATIONS = 'tokenrevocation';
const POLICIES = 'tokenpolicy';
/** There are few of them, and none may wait for a broad one. */
const REVOCATION_WORKERS = 4;
const POLICY_WORKERS = 2;
/** Seal keys are looked at twice a minute. */
const SEAL_KEY_REFRESH_MS = 30_000;

export interface OperatorOptions {
  config: OperatorConfig;
  version: string;
  log: Logger;
  /** Fires when the operator is to finish what it began and end. */
  stop: AbortSignal;
}

/** Runs until `stop` fires or leadership is lost. Throws on what makes a start impossible, with a sentence that says what to do. */
export async function runOperator({ config, version, log, stop }: OperatorOptions): Promise<'stopped' | 'lost'> {
  const clock = new ServerClock();
  const metrics = new PrometheusMetrics({ version, tokenLimit: config.tokenMetricsLimit });
  const kubeConfig = loadKubeConfig({ kubeconfig: config.kubeconfig, context: config.context });
  const connection = await ClusterConnection.open(kubeConfig, version);
  const client = new ApiServerClient({ connection, metrics, onDate: (date) => clock.observe(date) });
  const identity = `${process.env.POD_NAME ?? hostname()}_${randomBytes(4).toString('hex')}`;
  const auditLog = await openAuditLog(config.auditLog, log);
  const events = new KubeEventRecorder({ client, clock, reportingInstance: process.env.POD_NAME ?? hostname() });
  metrics.exposeCounter('events_dropped_total', 'Kubernetes Events that were lost.', () => events.counts.dropped);
  metrics.exposeCounter(
    'audit_failures_total',
    'Audit records that could not be kept in time.',
    () => auditLog.counts.failed,
  );
  const reopen = () => {
    auditLog.refresh().catch((error: unknown) => log.error({ err: error }, 'audit log not opened again'));
  };
  const watches = new Watches({ client, log, metrics, namespaces: config.watchNamespaces });
  let sealKeys: SealKeys | undefined;
  const server = new TelemetryServer({
    ...config.metricsBindAddress,
    metrics,
    checks: [
      { name: 'caches', problem: () => (watches.synced ? undefined : 'not synced') },
      { name: 'audit', problem: () => auditLog.problem() },
      { name: 'seal-keys', problem: () => (sealKeys ? undefined : 'not loaded') },
    ],
  });
  process.on('SIGHUP', reopen);
  try {
    const address = await server.listen();
    log.info({ address: address.address, port: address.port, version }, 'serving metrics');
    if (config.defaultPolicy === 'Allow')
      log.warn({}, '--default-policy=Allow: tokens are minted in namespaces that no TokenPolicy governs');
    sealKeys = await SealKeys.load({ client, namespace: config.namespace, clock });
    watches.start();
    await watches.whenSynced(stop);
    if (stop.aborted) return 'stopped';
    const keys = sealKeys;
    const lead = async (signal: AbortSignal) => {
      // while we stood by, another leader may have rotated the keys and written to a shared audit file
      await Promise.all([keys.refresh(), auditLog.refresh()]);
      const { policyBook } = watches;
      const { defaultPolicy } = config;
      const queue = new WorkQueue({ controller: CONTROLLER, clock, metrics });
      const hurry = (key: string, order: string) => queue.add(key, order);
      const deps: ApiTokenDeps = {
        client,
        tokens: watches.tokens,
        secrets: watches.secrets,
        workloads: watches.workloads,
        revocations: watches.orders,
        hurry,
        policies: {
          judge: (token, now) => policyBook.judge(token, { now, defaultPolicy }),
          forget: (key) => policyBook.forget(key),
        },
        isNamespaceTerminating: (namespace) => watches.isNamespaceTerminating(namespace),
        issuer: issuers.opaque({ random: { bytes: (length) => randomBytes(length) } }),
        values: new ValueMemory(),
        rollouts: new RolloutBudget(config.maxConcurrentRollouts, (key) => queue.add(key)),
        sealKeys: keys,
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
      const workers = new Workers({
        controller: CONTROLLER,
        queue,
        reconcile: (key) => reconcile(deps, key),
        log,
        metrics,
        concurrency: config.workers,
      });
      const revocations = new WorkQueue({ controller: REVOCATIONS, clock, metrics });
      const revocationDeps: RevocationDeps = {
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
      const revocationWorkers = new Workers({
        controller: REVOCATIONS,
        queue: revocations,
        reconcile: (key) => reconcileRevocation(revocationDeps, key),
        log,
        metrics,
        concurrency: REVOCATION_WORKERS,
      });
      const policies = new WorkQueue({ controller: POLICIES, clock, metrics });
      const granted = new GrantedNamespaces({
        client,
        namespace: config.namespace,
        policies: () => policyBook.policies,
        defaultPolicy,
        pause: (ms) => pause(ms, signal),
        log,
      });
      const policyDeps: PolicyDeps = {
        client,
        policies: watches.policies,
        book: policyBook,
        granted,
        written: new Map(),
        metrics,
        log,
        clock,
      };
      const policyWorkers = new Workers({
        controller: POLICIES,
        queue: policies,
        reconcile: (name) => reconcilePolicy(policyDeps, name),
        log,
        metrics,
        concurrency: POLICY_WORKERS,
      });
      const sweep = new Sweep({
        tokenPages: (options) => tokenPages(client, options),
        tokenKeys: () => watches.tokenKeys(),
        isEverywhere: config.watchNamespaces.length === 0,
        isNews: (token, now) => policyBook.isNews(token, { now, defaultPolicy }),
        tell: (token) => queue.add(keyOf(token)),
        tellNamespaces: (isConcerned) => watches.tellNamespaces(isConcerned),
        pause,
        log,
        clock,
      });
      const deadlineMs = config.shutdownTimeoutSeconds * 1000;
      await Promise.all([
        control(watches, deps, keys, queue, workers, signal, deadlineMs),
        controlBeside(revocations, revocationWorkers, signal, deadlineMs, (add) => {
          for (const key of watches.revocationKeys()) add(key);
          return [watches.onRevocationDue(add), watches.orders.listen({ tokenDue: hurry, carriedOut: add })];
        }),
        controlBeside(policies, policyWorkers, signal, deadlineMs, (add) => {
          for (const name of watches.policyNames()) add(name);
          // a look at any name keeps it, whether or not there is such a policy
          const grantsDue = () => add(GRANTED_NAMESPACES_NAME);
          grantsDue();
          const tokensDue = (isConcerned: IsConcerned) => sweep.add(isConcerned);
          const countsChanged = (name: string) => policies.addAfter(name, STATUS_INTERVAL);
          return [
            watches.onPolicyDue(add),
            policyBook.listen({ tokensDue, countsChanged }),
            () => sweep.stop(),
            watchGranted({ client, log, metrics, namespace: config.namespace }, granted, grantsDue),
          ];
        }),
      ]);
    };
    if (!config.leaderElect) {
      metrics.leader(true);
      await lead(stop);
      return 'stopped';
    }
    const { namespace, leaseName: name } = config;
    const timing = leaderTiming(config.leaseDurationSeconds * 1000);
    return await new LeaderElection({ client, namespace, name, identity, clock, log, metrics, timing }).run(lead, stop);
  } finally {
    process.off('SIGHUP', reopen);
    await watches.stop();
    await events.stop();
    await close(auditLog, log);
    await server.close();
    await connection.close();
  }
}

/** client-go's proportions: a lease of 15 s is renewed within 10 s and tried every 2 s. */
function leaderTiming(leaseMs: number): { leaseMs: number; renewMs: number; retryMs: number } {
  return { leaseMs, renewMs: (leaseMs * 2) / 3, retryMs: Math.min(2000, (leaseMs * 2) / 15) };
}

/** From leading to leading no more. */
async function control(
  watches: Watches,
  deps: ApiTokenDeps,
  sealKeys: SealKeys,
  queue: WorkQueue,
  workers: Workers,
  signal: AbortSignal,
  deadlineMs: number,
): Promise<void> {
  const everything = () => {
    for (const key of watches.tokenKeys()) queue.add(key);
  };
  watches.rollingOut((key, workloads) => deps.rollouts.observe(key, workloads, deps.clock.now()));
  const unsubscribe = watches.onTokenDue((key) => queue.add(key));
  for (const key of deps.census.keys()) queue.add(key);
  everything();
  workers.start();
  const refresh = setInterval(() => {
    sealKeys.refresh().then(
      (changed) => changed && everything(),
      (error: unknown) => deps.log.warn({ err: error }, 'seal keys not refreshed'),
    );
  }, SEAL_KEY_REFRESH_MS);
  await fired(signal);
  clearInterval(refresh);
  unsubscribe();
  const drained = await workers.stop(deadlineMs);
  if (!drained) deps.log.warn({ deadlineMs }, 'stopped with work unfinished');
}

/** The same for what stands beside the ApiTokens. `begin` subscribes to what is due, and returns how to end that. */
async function controlBeside(
  queue: WorkQueue,
  workers: Workers,
  signal: AbortSignal,
  deadlineMs: number,
  begin: (add: (key: string) => void) => (() => unknown)[],
): Promise<void> {
  const ends = begin((key) => queue.add(key));
  workers.start();
  await fired(signal);
  await Promise.all(ends.map((end) => end()));
  await workers.stop(deadlineMs);
}

async function* tokenPages(client: ApiServerClient, options: ReadOptions): AsyncGenerator<readonly ApiToken[]> {
  let page = await client.listPage(API_TOKENS, options);
  yield page.items;
  while (page.next !== undefined) {
    page = await client.listPage(API_TOKENS, options, page.next);
    yield page.items;
  }
}

function fired(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function close(auditLog: AuditLog, log: Logger): Promise<void> {
  try {
    await auditLog.close();
  } catch (error) {
    log.error({ err: error }, 'audit log not closed cleanly');
  }
}
