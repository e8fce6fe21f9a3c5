/** Joins the parts of `tokenwright operator`. Adapters are made here and nowhere else. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { openAuditLog } from '../audit/registry.ts';
import { LeaderElection } from '../engine/leader.ts';
import { ApiServerClient } from '../kube/client.ts';
import { ClusterConnection } from '../kube/connection.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { ServerClock } from '../kube/server-clock.ts';
import type { AuditLog, Logger } from '../ports.ts';
import { SealKeys } from '../reconcile/seal-keys/seal-keys.ts';
import { KubeEventRecorder } from '../telemetry/events.ts';
import { PrometheusMetrics } from '../telemetry/metrics.ts';
import { TelemetryServer } from '../telemetry/server.ts';
import { lead } from './leading.ts';
import type { OperatorConfig } from './operator-config.ts';
import { Watches } from './watches.ts';

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
    const leading = { config, identity, client, watches, sealKeys, auditLog, events, metrics, log, clock };
    if (!config.leaderElect) {
      metrics.leader(true);
      await lead(leading, stop);
      return 'stopped';
    }
    const { namespace, leaseName: name } = config;
    const timing = leaderTiming(config.leaseDurationSeconds * 1000);
    const election = new LeaderElection({ client, namespace, name, identity, clock, log, metrics, timing });
    return await election.run((signal) => lead(leading, signal), stop);
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

async function close(auditLog: AuditLog, log: Logger): Promise<void> {
  try {
    await auditLog.close();
  } catch (error) {
    log.error({ err: error }, 'audit log not closed cleanly');
  }
}
