/** `tokenwright` as it is shipped: the bundle, run as a program. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { SCRATCH, script } from '../e2e/harness/operator.ts';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: NodeJS.ProcessEnv;
}

const running = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

let building: Promise<string> | undefined;

/** The folder with the program, under all the names that it has; to be put on PATH. */
export function programs(): Promise<string> {
  building ??= (async () => {
    const file = await script();
    const folder = join(SCRATCH, 'bin');
    mkdirSync(folder);
    for (const name of ['tokenwright', 'kubectl-tokenwright', 'kubectl_complete-tokenwright'])
      symlinkSync(file, join(folder, name));
    return folder;
  })();
  return building;
}

/** A program that may take its time. */
export class Running {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  stdout = '';
  stderr = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'close');
    running.add(child);
    child.once('close', () => running.delete(child));
    child.stdout?.on('data', (part) => {
      this.stdout += part;
    });
    child.stderr?.on('data', (part) => {
      this.stderr += part;
    });
  }

  static async start(args: readonly string[], { input, env = {} }: RunOptions = {}, name = 'tokenwright') {
    const bin = await programs();
    const path = `${bin}:${join(process.execPath, '..')}:${process.env.PATH}`;
    // nothing of the machine's own clusters or colours
    const child = spawn(name, args, {
      env: { PATH: path, HOME: SCRATCH, NODE_COMPILE_CACHE: join(SCRATCH, 'compile-cache'), ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin?.on('error', () => {}); // it may end before it has read all
    child.stdin?.end(input ?? '');
    return new Running(child);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until it has said that. */
  async says(text: string | RegExp): Promise<void> {
    const isSo = () => (this.stdout + this.stderr).search(text) !== -1;
    while (!isSo()) {
      const news = [this.#child.stdout, this.#child.stderr].flatMap((s) => (s === null ? [] : [once(s, 'data')]));
      const end = this.#ended.then(() => {
        if (!isSo()) throw new Error(`ended without saying ${text}: ${this.stdout}${this.stderr}`);
      });
      await Promise.race([...news, end]);
    }
  }

  async end(): Promise<Outcome> {
    await this.#ended;
    const { exitCode, signalCode } = this.#child;
    // as a shell tells that a signal ended it
    const code = exitCode ?? 128 + constants.signals[signalCode ?? 'SIGKILL'];
    return { code, stdout: this.stdout, stderr: this.stderr };
  }
}

export async function tokenwright(args: readonly string[], options?: RunOptions, name?: string): Promise<Outcome> {
  return (await Running.start(args, options, name)).end();
}
