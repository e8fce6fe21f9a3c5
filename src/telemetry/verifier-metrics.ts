/** Prometheus metrics of the verifier. Their number is bounded: outcomes are a closed set, audiences a capped one. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { OUTCOMES, type Outcome } from '../domain/verdict/outcome.ts';
import { foldCode, Label } from './label.ts';
import { registerProcessMetrics } from './process-metrics.ts';

const VERDICT_SECONDS = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 1];
const PROPAGATION_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];
const API_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

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
  readonly #registers = [this.#registry];
  readonly #environment: string;
  readonly #audiences = new Label({ limit: 200 });
  readonly #verbs = new Label({ limit: 16 });
  readonly #resources = new Label({ limit: 64 });
  readonly #watchReasons = new Label({ limit: 16 });
  readonly #outcomes = new Label({ known: Object.keys(OUTCOMES) });
  readonly #verdicts;
  readonly #seconds;
  readonly #propagation;
  readonly #apiCalls;
  readonly #apiSeconds;
  readonly #watches;

  constructor(options: VerifierMetricsOptions) {
    const registers = this.#registers;
    this.#environment = options.environment;
    this.#verdicts = new Counter({
      name: 'tokenwright_verdicts_total',
      help: 'Calls judged, by true outcome, audience and environment.',
      labelNames: ['outcome', 'audience', 'environment'],
      registers,
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
    this.#apiCalls = new Counter({
      name: 'tokenwright_api_calls_total',
      help: 'Calls to the API server by verb, resource and HTTP status; 0 where no answer came.',
      labelNames: ['verb', 'resource', 'code'],
      registers,
    });
    this.#apiSeconds = new Histogram({
      name: 'tokenwright_api_call_duration_seconds',
      help: 'Duration of a call to the API server in seconds.',
      labelNames: ['verb', 'resource'],
      buckets: API_SECONDS,
      registers,
    });
    this.#watches = new Counter({
      name: 'tokenwright_watch_restarts_total',
      help: 'Watches that were started again, by resource and reason.',
      labelNames: ['resource', 'reason'],
      registers,
    });
    this.#shows('index_tokens', 'ApiTokens in the index.', options.indexSize);
    this.#shows(
      'staleness_seconds',
      'Seconds since it was last proved which revocations there are.',
      options.staleness,
    );
    this.#shows('pending_revocations', 'Revocations that are not sealed yet.', options.pendingRevocations);
    new Gauge({
      name: 'tokenwright_build_info',
      help: 'Always 1; the build is in the labels.',
      labelNames: ['version', 'node_version'],
      registers,
    }).set({ version: options.version, node_version: process.versions.node }, 1);
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
    this.#verdicts.inc({ ...labels, environment: this.#environment });
    this.#seconds.observe(seconds);
  }

  propagated(seconds: number): void {
    this.#propagation.observe(seconds);
  }

  apiCall(verb: string, resource: string, code: number, seconds: number): void {
    const labels = { verb: this.#verbs.fold(verb), resource: this.#resources.fold(resource) };
    this.#apiCalls.inc({ ...labels, code: foldCode(code) });
    this.#apiSeconds.observe(labels, seconds);
  }

  watchRestarted(resource: string, reason: string): void {
    this.#watches.inc({ resource: this.#resources.fold(resource), reason: this.#watchReasons.fold(reason) });
  }

  /** A counter that another adapter keeps. `name` without prefix, ending in `_total`. */
  exposeCounter(name: string, help: string, read: () => number): void {
    let shown = 0;
    new Counter({
      name: `tokenwright_${name}`,
      help,
      registers: this.#registers,
      collect() {
        const value = read();
        this.inc(Math.max(0, value - shown));
        shown = value;
      },
    });
  }

  #shows(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `tokenwright_${name}`,
      help,
      registers: this.#registers,
      collect() {
        this.set(read());
      },
    });
  }
}
