/**
 * Prometheus metrics, in the conventions of cert-manager and controller-runtime. Their number is bounded: a label has a closed or a
 * capped set of values, and beyond a limit ApiTokens are only counted.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { REASONS } from '../api/reasons.ts';
import type { KubeErrorReason, Metrics, TokenFacts } from '../ports.ts';
import { ClientMetrics, registerBuild, registerCounter, registerGauge } from './client-metrics.ts';
import { Label } from './label.ts';
import { registerProcessMetrics } from './process-metrics.ts';
import { TokenSeries } from './token-series.ts';

export interface MetricsOptions {
  version: string;
  /** Commit that the build is from. */
  revision?: string;
  /** ApiTokens with series of their own. 10,000 unless given. */
  tokenLimit?: number;
}

const DEFAULT_TOKEN_LIMIT = 10_000;
/** TokenPolicies with series of their own. */
const POLICY_LIMIT = 1000;

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WAITING_SECONDS = [0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300];

/** What failed at the API server and was given no reason of ours. */
const KUBE_REASONS: readonly KubeErrorReason[] = [
  'NotFound',
  'AlreadyExists',
  'Conflict',
  'Invalid',
  'BadRequest',
  'Forbidden',
  'Unauthorized',
  'Gone',
  'TooManyRequests',
  'Timeout',
  'Unavailable',
  'Unknown',
];

/** What the operator counts, and the text that Prometheus scrapes. */
export class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #client = new ClientMetrics(this.#registry);
  readonly #tokens: TokenSeries;

  readonly #policies = new Set<string>();

  readonly #controllers = new Label({ limit: 16 });
  readonly #reasons = new Label({ known: [...Object.keys(REASONS), ...KUBE_REASONS] });
  readonly #kinds = new Label({ known: ['Deployment', 'StatefulSet', 'DaemonSet'] });

  readonly #reconciles = this.#counter(
    'reconcile_total',
    'Reconciles by controller and result.',
    'controller',
    'result',
  );
  readonly #reconcileSeconds = this.#histogram(
    'reconcile_duration_seconds',
    'Duration of a reconcile in seconds.',
    SECONDS,
    'controller',
  );
  readonly #depth = this.#gauge('workqueue_depth', 'Items that wait in the work queue.', 'controller');
  readonly #adds = this.#counter('workqueue_adds_total', 'Items added to the work queue.', 'controller');
  readonly #retries = this.#counter(
    'workqueue_retries_total',
    'Items put back into the work queue after a failure.',
    'controller',
  );
  readonly #waited = this.#histogram(
    'workqueue_queue_duration_seconds',
    'How long an item waited in the work queue before it was taken, in seconds.',
    WAITING_SECONDS,
    'controller',
  );
  readonly #leader = this.#gauge('leader', 'Whether this operator is the leader (1) or stands by (0).');
  readonly #minted = this.#counter('mints_total', 'Versions minted, by cause.', 'cause');
  readonly #rotated = this.#counter('rotations_total', 'Versions after the first that were delivered.');
  readonly #retired = this.#counter(
    'retirements_total',
    'Previous versions whose acceptance ended, by reason.',
    'reason',
  );
  readonly #revoked = this.#counter('revocations_total', 'Versions that were revoked, by reason.', 'reason');
  readonly #failed = this.#counter('failures_total', 'Reconciles that ended in a failure, by reason.', 'reason');
  readonly #restarted = this.#counter(
    'restarts_total',
    'Workloads restarted to take up a new version, by kind.',
    'kind',
  );
  readonly #policyTokens = this.#gauge('policy_tokens', 'ApiTokens that a TokenPolicy governs.', 'policy');
  readonly #policyViolations = this.#gauge('policy_violations', 'ApiTokens that violate a TokenPolicy.', 'policy');

  constructor(options: MetricsOptions) {
    this.#tokens = new TokenSeries(options.tokenLimit ?? DEFAULT_TOKEN_LIMIT);
    registerBuild(this.#registry, { version: options.version, revision: options.revision ?? 'unknown' });
    this.#registerTotals();
    registerProcessMetrics(this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in Prometheus text format, in blocks. */
  async *render(): AsyncGenerator<string> {
    yield await this.#registry.metrics();
    yield* this.#tokens.render();
  }

  /** Shows a counter that another adapter keeps, such as Events dropped. `name` without prefix, ending in `_total`. */
  exposeCounter(name: string, help: string, read: () => number): void {
    registerCounter(this.#registry, name, help, read);
  }

  reconciled(controller: string, result: 'success' | 'requeue' | 'error', seconds: number): void {
    const name = this.#controllers.fold(controller);
    this.#reconciles.inc({ controller: name, result });
    this.#reconcileSeconds.observe({ controller: name }, seconds);
  }

  queueDepth(controller: string, depth: number): void {
    this.#depth.set({ controller: this.#controllers.fold(controller) }, depth);
  }

  queueAdded(controller: string): void {
    this.#adds.inc({ controller: this.#controllers.fold(controller) });
  }

  queueWaited(controller: string, seconds: number): void {
    this.#waited.observe({ controller: this.#controllers.fold(controller) }, seconds);
  }

  queueRetried(controller: string): void {
    this.#retries.inc({ controller: this.#controllers.fold(controller) });
  }

  apiCall(verb: string, resource: string, code: number, seconds: number): void {
    this.#client.apiCall(verb, resource, code, seconds);
  }

  leader(isLeader: boolean): void {
    this.#leader.set(isLeader ? 1 : 0);
  }

  watchRestarted(resource: string, reason: string): void {
    this.#client.watchRestarted(resource, reason);
  }

  minted(cause: string): void {
    this.#minted.inc({ cause: this.#reasons.fold(cause) });
  }

  rotated(): void {
    this.#rotated.inc();
  }

  retired(reason: string): void {
    this.#retired.inc({ reason: this.#reasons.fold(reason) });
  }

  revoked(reason: string): void {
    this.#revoked.inc({ reason: this.#reasons.fold(reason) });
  }

  failed(reason: string): void {
    this.#failed.inc({ reason: this.#reasons.fold(reason) });
  }

  restarted(kind: string): void {
    this.#restarted.inc({ kind: this.#kinds.fold(kind) });
  }

  token(key: string, facts: TokenFacts | undefined): void {
    this.#tokens.set(key, facts);
  }

  policy(policy: string, counts: { tokens: number; violating: number } | undefined): void {
    if (counts === undefined) {
      this.#policies.delete(policy);
      this.#policyTokens.remove({ policy });
      this.#policyViolations.remove({ policy });
    } else if (this.#policies.has(policy) || this.#policies.size < POLICY_LIMIT) {
      this.#policies.add(policy);
      this.#policyTokens.set({ policy }, counts.tokens);
      this.#policyViolations.set({ policy }, counts.violating);
    }
  }

  #registerTotals(): void {
    const total = (
      name: string,
      help: string,
      read: (totals: ReturnType<TokenSeries['totals']>) => number | undefined,
    ) => {
      registerGauge(this.#registry, name, help, () => read(this.#tokens.totals()));
    };
    total('tokens', 'ApiTokens that are governed.', (totals) => totals.tokens);
    total('tokens_ready', 'ApiTokens that are Ready.', (totals) => totals.ready);
    total('tokens_stalled', 'ApiTokens that are Stalled: somebody has to act.', (totals) => totals.stalled);
    total('pending_restarts', 'Workloads that still have to be restarted.', (totals) => totals.pendingRestarts);
    total(
      'tokens_earliest_expiration_timestamp_seconds',
      'When the first of all current versions expires, in seconds since the epoch. NaN when there is none.',
      (totals) => totals.earliestExpiration,
    );
    total(
      'tokens_without_series',
      'ApiTokens beyond --token-metrics-limit, which have no series of their own.',
      (totals) => totals.overflow,
    );
  }

  #counter<T extends string>(name: string, help: string, ...labelNames: T[]): Counter<T> {
    return new Counter({ name: `tokenwright_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #gauge<T extends string>(name: string, help: string, ...labelNames: T[]): Gauge<T> {
    return new Gauge({ name: `tokenwright_${name}`, help, labelNames, registers: [this.#registry] });
  }

  #histogram<T extends string>(name: string, help: string, buckets: number[], ...labelNames: T[]): Histogram<T> {
    return new Histogram({ name: `tokenwright_${name}`, help, labelNames, buckets, registers: [this.#registry] });
  }
}
