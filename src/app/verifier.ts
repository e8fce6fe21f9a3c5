/** Joins the parts of `tokenwright verifier`. Adapters are made here and nowhere else. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openVerdictLog } from '../audit/registry.ts';
import { fired } from '../engine/pause.ts';
import { ApiServerClient } from '../kube/client.ts';
import { ClusterConnection } from '../kube/connection.ts';
import { loadKubeConfig } from '../kube/kubeconfig.ts';
import { Reviews } from '../kube/reviews.ts';
import { ServerClock } from '../kube/server-clock.ts';
import { openRateLimits } from '../limits/registry.ts';
import type { Logger } from '../ports.ts';
import { TelemetryServer } from '../telemetry/server.ts';
import { VerifierMetrics } from '../telemetry/verifier-metrics.ts';
import { Callers } from '../verifier/callers.ts';
import { IntrospectDoor } from '../verifier/doors/introspect.ts';
import { LastUseDoor } from '../verifier/doors/last-use.ts';
import { Freshness } from '../verifier/freshness.ts';
import type { GrpcServerOptions } from '../verifier/grpc-server.ts';
import { LastUse } from '../verifier/last-use.ts';
import { Lookups } from '../verifier/lookups.ts';
import { keepProving } from '../verifier/proofs.ts';
import { Receipts, writeReceipt } from '../verifier/receipts.ts';
import { Recorder } from '../verifier/recorder.ts';
import { type TlsMaterial, VerifierServer } from '../verifier/server.ts';
import { sourceReader } from '../verifier/source.ts';
import { Verifier } from '../verifier/verifier.ts';
import { PublishedKeys } from './public-keys.ts';
import { readTls, watchTls } from './tls-files.ts';
import type { VerifierConfig } from './verifier-config.ts';
import { keepLease } from './verifier-lease.ts';
import { VerifierWatches } from './verifier-watches.ts';

/** How long gateways are sent elsewhere before connections that are idle are closed, at most. Milliseconds. */
const RETIRING = 1000;
const SUMMARY_INTERVAL = 60_000;

export interface VerifierOptions {
  config: VerifierConfig;
  version: string;
  log: Logger;
  /** Fires when the verifier is to finish what it began and end. */
  stop: AbortSignal;
}

/** Runs until `stop` fires. Throws on what makes a start impossible, with a sentence that says what to do. */
export async function runVerifier({ config, version, log, stop }: VerifierOptions): Promise<'stopped'> {
  const tls = config.tls && (await readTls(config.tls));
  const clock = new ServerClock();
  const freshness = new Freshness();
  const lastUse = new LastUse();
  const metrics: VerifierMetrics = new VerifierMetrics({
    version,
    environment: config.environment,
    indexSize: () => watches.index.size,
    staleness: () => freshness.age(),
    pendingRevocations: () => watches.orders.size,
  });
  const kubeConfig = loadKubeConfig({ kubeconfig: config.kubeconfig, context: config.context });
  const connection = await ClusterConnection.open(kubeConfig, version);
  const client = new ApiServerClient({ connection, metrics, onDate: (date) => clock.observe(date) });
  const verdicts = await openVerdictLog(config.auditLog, log);
  metrics.exposeCounter(
    'audit_records_dropped_total',
    'Verdicts that could not be recorded.',
    () => verdicts.counts.dropped,
  );
  const seals = new PublishedKeys({ client, namespace: config.namespace, log });
  const receipts = new Receipts({
    verifier: config.name,
    environment: config.environment,
    write: (revocation, receipt) => writeReceipt(client, revocation, receipt),
    now: () => clock.now(),
    log,
  });
  metrics.exposeCounter(
    'receipts_dropped_total',
    'Receipts of revocations that were not written.',
    () => receipts.dropped,
  );
  const watches = new VerifierWatches({
    client,
    log,
    metrics,
    seals,
    upstreamNamespace: config.upstreamNamespace,
    onForce: (revocation) => metrics.propagated(receipts.inForce(revocation) / 1000),
    onTokenPut: (id) => lookups.changed(id),
    onTokenGone: (uid) => lastUse.forget(uid),
  });
  const lookups: Lookups = new Lookups({
    index: watches.index,
    refresh: (token) => watches.refresh(token),
    search: (id, signal) => watches.search(id, signal),
  });
  const rateLimits = openRateLimits({ ...config.rateLimits, log });
  const recorder = new Recorder({
    verifier: config.name,
    environment: config.environment,
    audit: config.auditLevel,
    whenSlow: config.auditWhenSlow,
    log: verdicts,
    metrics,
    lastUse,
    now: () => clock.now(),
  });
  const verifier = new Verifier({
    environment: config.environment,
    index: watches.index,
    audience: (name) => watches.audience(name),
    orders: watches.orders,
    limitsOf: ({ namespace }) => watches.policies.limitsOf(namespace),
    freshness,
    lookups,
    rateLimiter: rateLimits,
    record: recorder,
    clock,
  });
  const callers = new Callers(new Reviews(client));
  const sourceOf = sourceReader({ header: config.sourceHeader, trustedProxies: config.trustedProxies });
  const server = new VerifierServer({
    ...config.bindAddress,
    tls,
    verifier,
    sourceOf,
    doors: [
      new IntrospectDoor({ verifier, callers, sourceOf }),
      new LastUseDoor(callers, lastUse, { verifier: config.name, environment: config.environment }, clock.now()),
    ],
  });
  const grpc = config.grpcBindAddress && (await grpcServer({ ...config.grpcBindAddress, tls, verifier, sourceOf }));
  const telemetry = new TelemetryServer({
    ...config.metricsBindAddress,
    metrics,
    // true outcomes are an oracle to whoever guesses tokens
    admit: config.metricsAuth
      ? (authorization) => callers.admit(authorization, { nonResourceAttributes: { path: '/metrics', verb: 'get' } })
      : undefined,
    checks: [
      { name: 'caches', problem: () => (watches.synced ? undefined : 'not synced') },
      {
        name: 'revocations',
        problem: () => (freshness.age() < Number.POSITIVE_INFINITY ? undefined : 'not listed yet'),
      },
      { name: 'seal-keys', problem: () => seals.problem() },
      { name: 'audit', problem: () => verdicts.problem() },
    ],
  });
  const summaries = setInterval(() => recorder.flush(), SUMMARY_INTERVAL);
  const renew = (renewed: TlsMaterial) => {
    server.renew(renewed);
    grpc?.renew(renewed);
  };
  const unwatch = config.tls && tls && watchTls(config.tls, tls, renew, log);
  const { namespace, environment } = config;
  const ending = new AbortController();
  let proving: Promise<void> | undefined;
  let releaseLease: (() => Promise<void>) | undefined;
  try {
    const { address, port } = await telemetry.listen();
    log.info({ address, port, version }, 'serving metrics');
    await seals.start();
    const known = watches.whenSynced();
    const list = watches.listPending.bind(watches);
    const relist = watches.relist.bind(watches);
    const strictest = watches.strictest.bind(watches);
    const ended = AbortSignal.any([stop, ending.signal]);
    proving = keepProving({ freshness, list, known, relist, strictest, log }, ended);
    watches.start();
    await Promise.race([known, fired(stop)]);
    if (stop.aborted) return 'stopped';
    // what the first lists were made of: left alone, it stays for long
    globalThis.gc?.();
    releaseLease = keepLease({ client, namespace, verifier: config.name, environment, now: () => clock.now(), log });
    const at = await server.listen();
    log.info(
      { address: at.address, port: at.port, environment: config.environment, tls: tls !== undefined },
      'serving verdicts',
    );
    if (grpc) log.info({ ...(await grpc.listen()), tls: tls !== undefined }, 'serving verdicts over gRPC');
    await fired(stop);
    const grace = config.shutdownTimeoutSeconds * 1000;
    server.retire();
    await sleep(Math.min(RETIRING, grace / 2));
    await Promise.all([server.close(grace), grpc?.close(grace)]);
    return 'stopped';
  } finally {
    clearInterval(summaries);
    unwatch?.();
    seals.stop();
    ending.abort();
    await proving;
    await releaseLease?.();
    await receipts.stop();
    await rateLimits.close();
    await watches.stop();
    recorder.flush();
    await verdicts.close().catch((error: unknown) => log.error({ err: error }, 'audit log not closed cleanly'));
    await telemetry.close();
    await connection.close();
  }
}

/** By server-side apply, under a field manager of our own: what other verifiers wrote stays. */
/** Its packages take memory and a moment to load, so they are loaded only where it is wanted. */
async function grpcServer(options: GrpcServerOptions) {
  const { VerifierGrpcServer } = await import('../verifier/grpc-server.ts');
  return new VerifierGrpcServer(options);
}
