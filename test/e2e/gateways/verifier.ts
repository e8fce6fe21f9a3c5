/** A verifier as a real process, from the bundle that is shipped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import type { VerdictRecord } from '../../../src/domain/verdict/record.ts';
import { script } from '../harness/operator.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class VerifierProcess {
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #auditFile: string;

  private constructor(child: ChildProcess, logFile: string, auditFile: string) {
    this.#child = child;
    this.#logFile = logFile;
    this.#auditFile = auditFile;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  /** Resolves when it says yes and no. `files` is the beginning of the names of what it writes. */
  static async start(flags: Readonly<Record<string, string>>, files: string): Promise<VerifierProcess> {
    const [logFile, auditFile] = [`${files}.log`, `${files}.audit.jsonl`];
    const given = { 'audit-log': auditFile, ...flags };
    const args = Object.entries(given).map(([name, value]) => `--${name}=${value}`);
    const bundle = await script();
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [bundle, 'verifier', ...args], {
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH },
    });
    closeSync(log);
    const verifier = new VerifierProcess(child, logFile, auditFile);
    await verifier.#untilReady();
    return verifier;
  }

  get port(): number {
    return this.#portOf('serving verdicts');
  }

  get grpcPort(): number {
    return this.#portOf('serving verdicts over gRPC');
  }

  audit(): VerdictRecord[] {
    const lines = readFileSync(this.#auditFile, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await once(this.#child, 'exit');
  }

  #log(): { msg: string; port?: number }[] {
    const lines = readFileSync(this.#logFile, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line));
  }

  #portOf(text: string): number {
    const port = this.#log().find(({ msg }) => msg === text)?.port;
    if (port === undefined) throw new Error(`the verifier has not said: ${text}`);
    return port;
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + 30_000;
    const isListening = () => this.#log().some(({ msg }) => msg === 'serving verdicts over gRPC');
    const isReady = async () => (await fetch(`http://127.0.0.1:${this.#portOf('serving metrics')}/readyz`)).ok;
    while (!isListening() || !(await isReady())) {
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the verifier is not ready; its log:\n${readFileSync(this.#logFile, 'utf8')}`);
      await wait(25);
    }
  }
}
