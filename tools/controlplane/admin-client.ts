import { readFile } from 'node:fs/promises';
import { Pool } from 'undici';
import { parse } from 'yaml';
import type { TlsFiles } from './credentials.ts';

export interface Answer {
  status: number;
  body: unknown;
}

interface InlineKubeconfig {
  clusters: [{ cluster: { server: string; 'certificate-authority-data': string } }];
  users: [{ user: { 'client-certificate-data': string; 'client-key-data': string } }];
}

/** JSON over mutual TLS to one server: just what starting a control plane needs, and no more. */
export class AdminClient {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** From a kubeconfig as credentials.ts writes it: one cluster, one user, all data inline. */
  static async fromKubeconfig(path: string): Promise<AdminClient> {
    const config: InlineKubeconfig = parse(await readFile(path, 'utf8'));
    const { cluster } = config.clusters[0];
    const { user } = config.users[0];
    const text = (base64: string) => Buffer.from(base64, 'base64').toString('utf8');
    return AdminClient.fromPem(
      cluster.server,
      text(cluster['certificate-authority-data']),
      text(user['client-certificate-data']),
      text(user['client-key-data']),
    );
  }

  static fromPem(server: string, ca: string, cert: string, key: string): AdminClient {
    const connect = { ca, cert, key, timeout: 2_000 };
    return new AdminClient(new Pool(server, { connect, connections: 4, headersTimeout: 10_000, bodyTimeout: 10_000 }));
  }

  static async fromFiles(server: string, { caFile, certFile, keyFile }: TlsFiles): Promise<AdminClient> {
    const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map((file) => readFile(file, 'utf8')));
    return AdminClient.fromPem(server, ca ?? '', cert ?? '', key ?? '');
  }

  async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
    const answer = await this.#pool.request({
      method,
      path,
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return { status: answer.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text };
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
