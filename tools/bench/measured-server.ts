/** A process under measurement. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { cpuSecondsOf } from './operator.ts';

const SERVER_CORE = '0';
/** For callers, and the control plane. */
export const CALLER_CORE = '1';

/** Has one core to itself. */
export class MeasuredServer {
  readonly #child;
  readonly port: number;

  private constructor(child: ReturnType<typeof spawn>, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** @param ready the line that says, in its first group, the port */
  static async start(args: string[], env: Record<string, string>, ready: RegExp): Promise<MeasuredServer> {
    const options = {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'],
    };
    const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, ...args], options);
    const port = await new Promise<number>((resolve, reject) => {
      const said: string[] = [];
      for (const input of [child.stdout, child.stderr]) {
        createInterface({ input }).on('line', (line) => {
          const found = ready.exec(line)?.[1];
          if (found) resolve(Number(found));
          else if (said.length < 50) said.push(line);
        });
      }
      child.once('exit', () => reject(new Error(`the server ended: ${said.join('\n')}`)));
    });
    return new MeasuredServer(child, port);
  }

  cpuSeconds(): number {
    return cpuSecondsOf(this.#child.pid ?? 0);
  }

  rssMB(): number {
    const kB = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1];
    return Number(kB) / 1024;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    await once(this.#child, 'exit');
  }
}
