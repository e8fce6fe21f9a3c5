/** A process as its pod would run it: with the arguments, environment and volumes of the Deployment, by its ServiceAccount's token. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { containerOf, type Deployment, type EnvironmentVariable } from './manifests.ts';

export interface PodOptions {
  /** What the image's entrypoint runs. */
  script: string;
  /** Stands for the token that the kubelet mounts. */
  kubeconfig: string;
  /** Its name. */
  pod: string;
  /** Folders that stand for volumes, by their name. */
  volumes?: Record<string, string>;
}

export class PodProcess {
  readonly #child: ChildProcess;
  readonly #port: string;
  #stdout = '';
  #stderr = '';

  constructor(deployment: Deployment, { script, kubeconfig, pod, volumes = {} }: PodOptions) {
    const { args, env, volumeMounts = [] } = containerOf(deployment);
    const fields = { 'metadata.name': pod, 'metadata.namespace': deployment.metadata.namespace ?? '' };
    const mounted = args.map((arg) =>
      volumeMounts.reduce((text, { name, mountPath }) => text.replace(mountPath, volumes[name] ?? mountPath), arg),
    );
    this.#port = args.find((arg) => arg.startsWith('--metrics-bind-address=:'))?.split(':')[1] ?? '';
    this.#child = spawn(process.execPath, [script, ...mounted], {
      env: {
        KUBECONFIG: kubeconfig,
        ...Object.fromEntries(env.map((variable) => [variable.name, resolved(variable, fields)])),
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
    const deadline = performance.now() + 60_000;
    while ((await this.#get('/readyz').catch(() => undefined))?.ok !== true) {
      if (this.#child.exitCode !== null || performance.now() > deadline)
        throw new Error(`the process is not ready:\n${this.#stderr}`);
      await wait(50);
    }
  }

  /** @param token of who asks, where not everybody may */
  async metrics(token?: string): Promise<string> {
    const response = await this.#get('/metrics', token === undefined ? {} : { authorization: `Bearer ${token}` });
    return response.ok ? response.text() : `${response.status}`;
  }

  /** As the kubelet ends a pod. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.kill('SIGTERM')) await once(this.#child, 'exit');
    return this.#child.exitCode;
  }

  #get(path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}${path}`, { headers });
  }
}

function resolved({ name, value, valueFrom }: EnvironmentVariable, fields: Record<string, string>): string {
  const found = value ?? fields[valueFrom?.fieldRef?.fieldPath ?? ''];
  if (found === undefined) throw new Error(`the value of ${name} is not known here`);
  return found;
}
