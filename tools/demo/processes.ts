/** The operator and a verifier, as processes of this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../controlplane/free-port.ts';
import { createAuthority } from '../controlplane/x509.ts';
import { until } from './console.ts';
import { VERIFIER_HOST } from './gateway.ts';
import { NAMESPACE } from './kubectl.ts';

export const MAIN = join(import.meta.dirname, '../../src/main.ts');

export class Service {
  readonly name: string;
  readonly metricsURL: string;
  readonly ended: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #logFile: string;

  private constructor(name: string, child: ChildProcess, metricsPort: number, logFile: string) {
    this.name = name;
    this.#child = child;
    this.#logFile = logFile;
    this.metricsURL = `http://127.0.0.1:${metricsPort}`;
    this.ended = once(child, 'exit');
  }

  static async start(name: 'operator' | 'verifier', folder: string, flags: Record<string, string>): Promise<Service> {
    const metricsPort = await freePort();
    const logFile = join(folder, `${name}.log`);
    const log = openSync(logFile, 'a');
    const all = { ...flags, 'metrics-bind-address': `127.0.0.1:${metricsPort}`, namespace: NAMESPACE };
    const args = Object.entries(all).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn(process.execPath, [MAIN, name, ...args], { stdio: ['ignore', log, log] });
    closeSync(log);
    return new Service(name, child, metricsPort, logFile);
  }

  async whenReady(): Promise<void> {
    await until(`the ${this.name}`, async () => {
      if (this.#child.exitCode !== null)
        throw new Error(`The ${this.name} ended with exit code ${this.#child.exitCode}.`);
      const answer = await fetch(`${this.metricsURL}/readyz`).catch(() => undefined);
      return answer?.ok ? true : undefined;
    });
  }

  async lastLines(): Promise<string> {
    const lines = (await readFile(this.#logFile, 'utf8')).trimEnd().split('\n').slice(-12);
    return `The ${this.name}'s last log lines:\n${lines.join('\n')}`;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGTERM');
    const force = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(force);
  }
}

/** For the verifier, from an authority that lives as long as the demo. */
export async function verifierCertificate(folder: string): Promise<{ ca: string; cert: string; key: string }> {
  const authority = createAuthority('tokenwright-demo');
  const pair = authority.issue({ commonName: VERIFIER_HOST, hosts: [VERIFIER_HOST], usages: ['server'] });
  const texts = { ca: authority.certificate, cert: pair.certificate, key: pair.privateKey };
  const files = { ca: join(folder, 'ca.crt'), cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  for (const name of ['ca', 'cert', 'key'] as const) await writeFile(files[name], texts[name], { mode: 0o600 });
  return files;
}
