/** The cluster as its users reach it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export const NAMESPACE = 'tokenwright-demo';

export class Kubectl {
  readonly kubeconfig: string;
  readonly #program: string;

  constructor(kubeconfig: string, program: string) {
    this.kubeconfig = kubeconfig;
    this.#program = program;
  }

  async run(args: string[], input = ''): Promise<{ ok: boolean; out: string; error: string }> {
    return new Promise((done) => {
      const all = ['--kubeconfig', this.kubeconfig, '--request-timeout=20s', ...args];
      const child = execFile(this.#program, all, { maxBuffer: 1 << 24 }, (error, out, stderr) =>
        done({ ok: error === null, out, error: stderr || (error?.message ?? '') }),
      );
      child.stdin?.on('error', () => {}); // it ended before it read all
      child.stdin?.end(input);
    });
  }

  async must(args: string[], input = ''): Promise<string> {
    const { ok, out, error } = await this.run(args, input);
    if (!ok) throw new Error(`kubectl ${args.join(' ')}: ${error.trim()}`);
    return out;
  }

  async get<T>(...what: string[]): Promise<T | undefined> {
    const { ok, out } = await this.run(['get', '-n', NAMESPACE, ...what, '-o', 'json']);
    return ok ? (JSON.parse(out) as T) : undefined;
  }

  /** Tells of a value whenever it changes, as a file in a pod does. */
  follow(jsonPath: string, what: string[], onLine: (line: string) => void): ChildProcess {
    const output = `jsonpath=${jsonPath}{"\\n"}`;
    const args = ['--kubeconfig', this.kubeconfig, 'get', '-n', NAMESPACE, ...what, '--watch', '-o', output];
    const child = spawn(this.#program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    createInterface({ input: child.stdout }).on('line', onLine);
    return child;
  }
}
