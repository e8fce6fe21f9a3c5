/** A verifier as a real process, from the bundle that is shipped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { VerdictLine } from '../../../src/domain/verdict/record.ts';
import { script } from './operator.ts';
import { sumOf } from './samples.ts';
import { PATIENCE } from './timeline.ts';

const OVER_GRPC = 'serving verdicts over gRPC';
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class VerifierProcess {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #auditFile: string;
  readonly #isReadyWith: string;

  private constructor(child: ChildProcess, logFile: string, auditFile: string, isReadyWith: string) {
    this.#child = child;
    this.#logFile = logFile;
    this.#auditFile = auditFile;
    this.#isReadyWith = isReadyWith;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  /** Resolves when it says yes and no. `files` is the beginning of the names of what it writes. A flag with the value '' has none. */
  static async start(flags: Readonly<Record<string, string>>, files: string): Promise<VerifierProcess> {
    const [logFile, auditFile] = [`${files}.log`, `${files}.audit.jsonl`];
    const given = { 'audit-log': auditFile, ...flags };
    const args = Object.entries(given).map(([name, value]) => (value === '' ? `--${name}` : `--${name}=${value}`));
    const bundle = await script();
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [bundle, 'verifier', ...args], {
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH },
    });
    closeSync(log);
    const isReadyWith = 'grpc-bind-address' in flags ? OVER_GRPC : 'serving verdicts';
    const verifier = new VerifierProcess(child, logFile, auditFile, isReadyWith);
    await verifier.#untilReady();
    return verifier;
  }

  get port(): number {
    return this.#portOf('serving verdicts');
  }

  get isTls(): boolean {
    return this.#log().some(({ msg, tls }) => msg === 'serving verdicts' && tls === true);
  }

  get grpcPort(): number {
    return this.#portOf(OVER_GRPC);
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** How often the log says so. */
  said(text: string): number {
    return this.#log().filter(({ msg }) => msg === text).length;
  }

  get healthURL(): string {
    return `http://127.0.0.1:${this.#portOf('serving metrics')}/healthz`;
  }

  /** How many calls it has judged. With the flag no-metrics-auth. */
  async verdicts(): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.#portOf('serving metrics')}/metrics`);
    return sumOf(await answer.text(), 'tokenwright_verdicts_total');
  }

  audit(): VerdictLine[] {
    const lines = readFileSync(this.#auditFile, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await once(this.#child, 'exit');
  }

  #log(): { msg: string; port?: number; tls?: boolean }[] {
    const lines = readFileSync(this.#logFile, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  #portOf(text: string): number {
    const port = this.#log().find(({ msg }) => msg === text)?.port;
    if (port === undefined) throw new Error(`the verifier has not said: ${text}`);
    return port;
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + 1000 * PATIENCE;
    const isListening = () => this.#log().some(({ msg }) => msg === this.#isReadyWith);
    const isReady = async () => (await fetch(`http://127.0.0.1:${this.#portOf('serving metrics')}/readyz`)).ok;
    while (!isListening() || !(await isReady())) {
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the verifier is not ready; its log:\n${readFileSync(this.#logFile, 'utf8')}`);
      await wait(25);
    }
  }
}
