/** A program that makes load or measures: what shares no process with the test and the proxies is not held up by them. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Program<Seen> {
  /** Rejects when it failed. */
  readonly seen: Promise<Seen>;
  readonly #child: Child;

  private constructor(script: string, job: unknown) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, 'programs', `${script}.ts`)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    running.add(this.#child);
    this.#child.stdin.write(`${JSON.stringify(job)}\n`);
    this.seen = this.#read(script);
    // told to whoever waits for it
    this.seen.catch(() => {});
  }

  /** `script` is one of the folder programs, and carries out a `Job`. */
  static start<Job, Seen>(script: string, job: Job): Program<Seen> {
    return new Program<Seen>(script, job);
  }

  /** Ends what goes on until it is stopped. */
  stop(): Promise<Seen> {
    this.#child.stdin.end();
    return this.seen;
  }

  async #read(script: string): Promise<Seen> {
    const ended = new Promise<void>((resolve) => this.#child.once('close', () => resolve()));
    const [line, complaint] = await Promise.all([text(this.#child.stdout), text(this.#child.stderr), ended]);
    running.delete(this.#child);
    if (this.#child.exitCode !== 0) throw new Error(`the program ${script} failed:\n${complaint}`);
    return JSON.parse(line);
  }
}
