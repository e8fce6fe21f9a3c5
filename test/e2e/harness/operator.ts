/** An operator as a real process, from the bundle that is shipped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bundle } from '../../../tools/build/bundle.ts';
import { sumOf } from './samples.ts';
import { PATIENCE } from './timeline.ts';

/** Files of this test process; gone with it. */
export const SCRATCH = mkdtempSync(join(tmpdir(), 'tokenwright-e2e-'));
const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(SCRATCH, { recursive: true, force: true });
});

let built: Promise<string> | undefined;

/** The bundle, made once. */
export function script(): Promise<string> {
  const folder = join(SCRATCH, 'bundle');
  built ??= bundle(folder).then(() => join(folder, 'tokenwright.js'));
  return built;
}

export class OperatorProcess {
  #child: ChildProcess;
  #exited: Promise<unknown>;
  #isToEnd = false;
  readonly #spawn: () => ChildProcess;
  readonly logFile: string;
  /** How long the log was before. */
  readonly #logged: number;
  #metricsURL: string | undefined;

  private constructor(start: () => ChildProcess, logFile: string, logged: number) {
    this.#spawn = start;
    this.logFile = logFile;
    this.#logged = logged;
    this.#child = start();
    this.#exited = this.#watch();
  }

  /** stdout and stderr go to the end of `logFile`. */
  static async start(flags: readonly string[], logFile: string): Promise<OperatorProcess> {
    const file = await script();
    const logged = existsSync(logFile) ? statSync(logFile).size : 0;
    const start = () => {
      const log = openSync(logFile, 'a');
      try {
        return spawn(process.execPath, [file, 'operator', ...flags], {
          stdio: ['ignore', log, log],
          env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(SCRATCH, 'compile-cache') },
        });
      } finally {
        closeSync(log);
      }
    };
    return new OperatorProcess(start, logFile, logged);
  }

  /** As a kubelet does: one that ends by itself, for it lost its Lease on a busy machine, is started again. */
  async #watch(): Promise<void> {
    for (;;) {
      running.add(this.#child);
      await once(this.#child, 'exit');
      running.delete(this.#child);
      if (this.#isToEnd) return;
      await wait(250);
      if (this.#isToEnd) return;
      this.#metricsURL = undefined;
      this.#child = this.#spawn();
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** At once, as a crash does. */
  kill(): void {
    this.#isToEnd = true;
    this.#child.kill('SIGKILL');
  }

  /** SIGTERM, and its exit code. */
  async stop(): Promise<number | null> {
    await this.keepMetrics();
    this.#isToEnd = true;
    if (!this.ended) this.#child.kill('SIGTERM');
    await this.#exited;
    return this.#child.exitCode;
  }

  async whenEnded(): Promise<void> {
    await this.#exited;
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** As /metrics answers. Waits until the operator listens. */
  async metrics(): Promise<string> {
    return (await this.#fetch('/metrics')).text();
  }

  /** The sum of a metric's samples whose labels contain these texts. 0 where there is none. */
  async metric(name: string, ...labels: string[]): Promise<number> {
    return sumOf(await this.metrics(), name, ...labels);
  }

  /** Beside the log, for the search for leaked values. One that has ended, or ends now, has none any more. */
  async keepMetrics(): Promise<void> {
    if (!this.ended) appendFileSync(`${this.logFile}.metrics`, await this.metrics().catch(() => ''));
  }

  async isLeading(): Promise<boolean> {
    return (await this.metric('tokenwright_leader')) === 1;
  }

  async isReady(): Promise<boolean> {
    return (await this.#fetch('/readyz')).ok;
  }

  async #fetch(path: string): Promise<Response> {
    this.#metricsURL ??= await this.#address();
    return fetch(this.#metricsURL + path);
  }

  async #address(): Promise<string> {
    const deadline = performance.now() + 1000 * PATIENCE;
    while (performance.now() < deadline && !this.ended) {
      const log = readFileSync(this.logFile).subarray(this.#logged).toString();
      const found = [...log.matchAll(/"port":(\d+).*serving metrics/g)].at(-1);
      if (found) return `http://127.0.0.1:${found[1]}`;
      await wait(25);
    }
    throw new Error(`the operator serves no metrics; its log: ${this.log().slice(-2000)}`);
  }
}
