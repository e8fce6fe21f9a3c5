/** What every process of Tokenwright counts of its talk with the API server, and how it shows the counts of its other parts. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { foldCode, Label } from './label.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class ClientMetrics {
  readonly #verbs = new Label({ limit: 16 });
  readonly #resources = new Label({ limit: 64 });
  readonly #watchReasons = new Label({ limit: 16 });
  readonly #calls;
  readonly #seconds;
  readonly #watches;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#calls = new Counter({
      name: 'tokenwright_api_calls_total',
      help: 'Calls to the API server by verb, resource and HTTP status; 0 where no answer came.',
      labelNames: ['verb', 'resource', 'code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: 'tokenwright_api_call_duration_seconds',
      help: 'Duration of a call to the API server in seconds.',
      labelNames: ['verb', 'resource'],
      buckets: SECONDS,
      registers,
    });
    this.#watches = new Counter({
      name: 'tokenwright_watch_restarts_total',
      help: 'Watches that were started again, by resource and reason.',
      labelNames: ['resource', 'reason'],
      registers,
    });
  }

  apiCall(verb: string, resource: string, code: number, seconds: number): void {
    const labels = { verb: this.#verbs.fold(verb), resource: this.#resources.fold(resource) };
    this.#calls.inc({ ...labels, code: foldCode(code) });
    this.#seconds.observe(labels, seconds);
  }

  watchRestarted(resource: string, reason: string): void {
    this.#watches.inc({ resource: this.#resources.fold(resource), reason: this.#watchReasons.fold(reason) });
  }
}

/** Always 1; the build is in the labels. */
export function registerBuild(registry: Registry, build: { version: string; revision: string }): void {
  new Gauge({
    name: 'tokenwright_build_info',
    help: 'Always 1; the build is in the labels.',
    labelNames: ['version', 'revision', 'node_version'],
    registers: [registry],
  }).set({ ...build, node_version: process.versions.node }, 1);
}

/** A counter that another part keeps, such as Events dropped. `name` without prefix, ending in `_total`. */
export function registerCounter(registry: Registry, name: string, help: string, read: () => number): void {
  let shown = 0;
  new Counter({
    name: `tokenwright_${name}`,
    help,
    registers: [registry],
    collect() {
      const value = read();
      this.inc(Math.max(0, value - shown));
      shown = value;
    },
  });
}

/** A gauge that another part keeps. NaN where it has no value. */
export function registerGauge(registry: Registry, name: string, help: string, read: () => number | undefined): void {
  new Gauge({
    name: `tokenwright_${name}`,
    help,
    registers: [registry],
    collect() {
      this.set(read() ?? Number.NaN);
    },
  });
}
