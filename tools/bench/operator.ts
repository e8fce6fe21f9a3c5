/** The operator as a process of its own, and what can be read of it from outside. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

export const OPERATOR_NAMESPACE = 'tokenwright-system';

export interface OperatorOptions {
  kubeconfig: string;
  /** All namespaces unless given. */
  namespace: string | undefined;
  nodeOptions: string;
}

/** Counts by resource. */
export interface Calls {
  /** A page each. */
  lists: Record<string, number>;
  reads: Record<string, number>;
  writes: Record<string, number>;
}

export class Operator {
  readonly #child;
  readonly #exited: Promise<unknown>;
  #head = '';
  #port: string | undefined;
  #leadingAt: number | undefined;

  constructor(script: string, options: OperatorOptions) {
    const { kubeconfig, namespace, nodeOptions } = options;
    const flags = [
      '--metrics-bind-address=127.0.0.1:0',
      `--namespace=${OPERATOR_NAMESPACE}`,
      `--kubeconfig=${kubeconfig}`,
    ];
    if (namespace !== undefined) flags.push(`--watch-namespace=${namespace}`);
    this.#child = spawn(process.execPath, [script, 'operator', ...flags], {
      env: { PATH: process.env.PATH, NODE_OPTIONS: nodeOptions },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#exited = once(this.#child, 'exit');
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (this.#leadingAt !== undefined) return;
      this.#head += text;
      this.#port ??= /"port":(\d+).*serving metrics/.exec(this.#head)?.[1];
      if (/"leading"/.test(this.#head)) this.#leadingAt = performance.now();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** When it began to lead, by performance.now(). */
  async leading(): Promise<number> {
    const deadline = performance.now() + 60_000;
    while (this.#leadingAt === undefined) {
      this.check();
      if (performance.now() > deadline) throw new Error(`the operator does not lead: ${this.#head.slice(-2000)}`);
      await wait(5);
    }
    return this.#leadingAt;
  }

  check(): void {
    if (this.#child.exitCode !== null) throw new Error(`the operator ended: ${this.#head.slice(-2000)}`);
  }

  /** Answered calls for ApiTokens, Secrets and Events; throws on refused writes. */
  async calls(): Promise<Calls> {
    const text = await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text();
    const calls: Calls = { lists: {}, reads: {}, writes: {} };
    for (const line of text.split('\n').filter((one) => one.startsWith('tokenwright_api_calls_total{'))) {
      const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(line)?.[1] ?? '';
      const [verb, resource] = [label('verb'), label('resource')];
      if (!/^(apitokens|secrets|events)/.test(resource) || verb === 'watch') continue;
      if (verb !== 'get' && !label('code').startsWith('2'))
        throw new Error(`unexpected answer to the operator: ${line}`);
      const counts = { get: calls.reads, list: calls.lists }[verb] ?? calls.writes;
      counts[resource] = (counts[resource] ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return calls;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    await this.#exited;
  }

  rssMB(): number {
    return this.#memoryMB('VmRSS');
  }

  peakMB(): number {
    return this.#memoryMB('VmHWM');
  }

  cpuSeconds(): number {
    return cpuSecondsOf(this.pid);
  }

  #memoryMB(field: string): number {
    const kB = new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kB) / 1024;
  }
}

/** CPU that the threads of a process have used so far, to the nanosecond: a tick of /proc/<pid>/stat is 10 ms on Linux. */
export function cpuSecondsOf(pid: number): number {
  const threads = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(threads).map((id) =>
    Number(readFileSync(`${threads}/${id}/schedstat`, 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, used) => sum + used, 0) / 1e9;
}
