/** The operator as its pod would run it: with the arguments and the environment of the Deployment, by its ServiceAccount's token. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { containerOf, type Deployment, type EnvironmentVariable } from './manifests.ts';

export class OperatorProcess {
  readonly #child: ChildProcess;
  readonly #port: string;
  #stdout = '';
  #stderr = '';

  /** `script` is what the image's entrypoint runs; `kubeconfig` stands for the token that the kubelet mounts. */
  constructor(deployment: Deployment, script: string, kubeconfig: string) {
    const { args, env } = containerOf(deployment);
    const pod = {
      'metadata.name': 'tokenwright-operator-0',
      'metadata.namespace': deployment.metadata.namespace ?? '',
    };
    this.#port = args.find((arg) => arg.startsWith('--metrics-bind-address=:'))?.split(':')[1] ?? '';
    this.#child = spawn(process.execPath, [script, ...args], {
      env: {
        KUBECONFIG: kubeconfig,
        ...Object.fromEntries(env.map((variable) => [variable.name, resolved(variable, pod)])),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
  }

  /** Audit records. */
  get stdout(): string {
    return this.#stdout;
  }

  /** Its log. */
  get stderr(): string {
    return this.#stderr;
  }

  async ready(): Promise<void> {
    const deadline = performance.now() + 20_000;
    while ((await this.#get('/readyz'))?.ok !== true) {
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the operator is not ready:\n${this.#stderr}`);
      await wait(50);
    }
  }

  async metrics(): Promise<string> {
    return (await this.#get('/metrics'))?.text() ?? '';
  }

  /** As the kubelet ends a pod. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  #get(path: string): Promise<Response | undefined> {
    return fetch(`http://127.0.0.1:${this.#port}${path}`).catch(() => undefined);
  }
}

function resolved({ name, value, valueFrom }: EnvironmentVariable, pod: Record<string, string>): string {
  const found = value ?? pod[valueFrom?.fieldRef?.fieldPath ?? ''];
  if (found === undefined) throw new Error(`the value of ${name} is not known here`);
  return found;
}
