/** Prometheus metrics of the verifier. Their number is bounded: outcomes are a closed set, audiences a capped one. */
import { Counter, Histogram, Registry } from 'prom-client';
import { OUTCOMES, type Outcome } from '../domain/verdict/outcome.ts';
import { ClientMetrics, registerBuild, registerCounter, registerGauge } from './client-metrics.ts';
import { Label } from './label.ts';
import { registerProcessMetrics } from './process-metrics.ts';

const VERDICT_SECONDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1];
const PROPAGATION_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];

export interface VerifierMetricsOptions {
  version: string;
  environment: string;
  indexSize: () => number;
  /** Seconds. */
  staleness: () => number;
  pendingRevocations: () => number;
}

export class VerifierMetrics {
  readonly #registry = new Registry();
  readonly #client = new ClientMetrics(this.#registry);
  readonly #environment: string;
  readonly #audiences = new Label({ limit: 200 });
  readonly #outcomes = new Label({ known: Object.keys(OUTCOMES) });
  readonly #verdicts;
  /** By outcome and audience, since the last scrape: to find a series by its labels takes longer than the verdict itself. */
  readonly #untold = new Map<string, Map<string, number>>();
  readonly #seconds;
  readonly #propagation;

  constructor(options: VerifierMetricsOptions) {
    const registers = [this.#registry];
    this.#environment = options.environment;
    this.#verdicts = new Counter({
      name: 'tokenwright_verdicts_total',
      help: 'Calls judged, by true outcome, audience and environment.',
      labelNames: ['outcome', 'audience', 'environment'],
      registers,
      collect: () => this.#tell(),
    });
    this.#seconds = new Histogram({
      name: 'tokenwright_verdict_duration_seconds',
      help: 'Time from the question to the verdict in seconds, without the network.',
      buckets: VERDICT_SECONDS,
      registers,
    });
    this.#propagation = new Histogram({
      name: 'tokenwright_revocation_propagation_seconds',
      help: 'Time from the creation of a revocation, in whole seconds as the API server keeps it, until it is refused here.',
      buckets: PROPAGATION_SECONDS,
      registers,
    });
    const shows = (name: string, help: string, read: () => number) => registerGauge(this.#registry, name, help, read);
    shows('index_tokens', 'ApiTokens in the index.', options.indexSize);
    shows('staleness_seconds', 'Seconds since it was last proved which revocations there are.', options.staleness);
    shows('pending_revocations', 'Revocations that are not sealed yet.', options.pendingRevocations);
    registerBuild(this.#registry, { version: options.version, revision: 'unknown' });
    registerProcessMetrics(this.#registry);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  async *render(): AsyncGenerator<string> {
    yield await this.#registry.metrics();
  }

  verdict(outcome: Outcome, audience: string | undefined, seconds: number): void {
    const labels = { outcome: this.#outcomes.fold(outcome), audience: this.#audiences.fold(audience ?? 'none') };
    const counts = this.#untold.get(labels.outcome) ?? new Map<string, number>();
    this.#untold.set(labels.outcome, counts.set(labels.audience, (counts.get(labels.audience) ?? 0) + 1));
    this.#seconds.observe(seconds);
  }

  #tell(): void {
    for (const [outcome, counts] of this.#untold) {
      for (const [audience, count] of counts)
        this.#verdicts.inc({ outcome, audience, environment: this.#environment }, count);
    }
    this.#untold.clear();
  }

  propagated(seconds: number): void {
    this.#propagation.observe(seconds);
  }

  apiCall(verb: string, resource: string, code: number, seconds: number): void {
    this.#client.apiCall(verb, resource, code, seconds);
  }

  watchRestarted(resource: string, reason: string): void {
    this.#client.watchRestarted(resource, reason);
  }

  /** A counter that another adapter keeps. `name` without prefix, ending in `_total`. */
  exposeCounter(name: string, help: string, read: () => number): void {
    registerCounter(this.#registry, name, help, read);
  }
}
