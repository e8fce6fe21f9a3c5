import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import type { Cluster, KubeConfig } from '@kubernetes/client-node';
import { type Dispatcher, Pool, ProxyAgent } from 'undici';

/** A way to one API server. */
export interface Connection {
  readonly origin: string;
  /** What goes before /api and /apis: empty but behind some proxies. Without a trailing slash. */
  readonly basePath: string;
  readonly requests: Dispatcher;
  /** Watches have a pool of their own, so that they neither wait for requests nor hold them up. */
  readonly watches: Dispatcher;
  /**
   * Headers that say who we are. Credentials are read again every 30 s; at once when `refused` is the object that this
   * gave last, and got a 401.
   */
  authorize(refused?: Headers): Promise<Headers>;
  /** Waits for requests in flight, cuts watches. */
  close(): Promise<void>;
}

export type Headers = Readonly<Record<string, string>>;

const refreshMs = 30_000;
/** A 401 is no reason to read the credentials more often than this. */
const eagerRefreshMs = 1000;
const requestConnections = 32;

interface Pools {
  readonly requests: Dispatcher;
  readonly watches: Dispatcher;
}

/** Connections kept open by undici, with what a KubeConfig says of TLS, proxy and credentials. */
export class ClusterConnection implements Connection {
  readonly origin: string;
  readonly basePath: string;
  readonly #config: KubeConfig;
  readonly #cluster: Cluster;
  readonly #userAgent: string;
  #pools: Pools;
  #headers: Headers;
  #material: string;
  #readAt: number;
  #reading: Promise<Headers> | undefined;
  readonly #former = new Set<Pools>();

  /** Reads the credentials once, so that a broken kubeconfig fails here. `version` goes into the User-Agent. */
  static async open(config: KubeConfig, version: string): Promise<ClusterConnection> {
    const cluster = config.getCurrentCluster();
    if (cluster === null) throw new Error('no cluster is known: the kubeconfig has no current context');
    return new ClusterConnection(config, cluster, `tokenwright/${version}`, await readCredentials(config));
  }

  private constructor(config: KubeConfig, cluster: Cluster, userAgent: string, credentials: RequestOptions) {
    const url = new URL(cluster.server);
    this.origin = url.origin;
    this.basePath = url.pathname.replace(/\/+$/, '');
    this.#config = config;
    this.#cluster = cluster;
    this.#userAgent = userAgent;
    this.#headers = this.#identity(credentials);
    this.#material = digest(credentials);
    this.#pools = this.#open(credentials);
    this.#readAt = performance.now();
  }

  get requests(): Dispatcher {
    return this.#pools.requests;
  }

  get watches(): Dispatcher {
    return this.#pools.watches;
  }

  async authorize(refused?: Headers): Promise<Headers> {
    const age = performance.now() - this.#readAt;
    const due = age >= refreshMs || (refused === this.#headers && age >= eagerRefreshMs);
    if (!due && this.#reading === undefined) return this.#headers;
    this.#reading ??= this.#refresh().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async close(): Promise<void> {
    const all = [this.#pools, ...this.#former];
    // Settled: a pool that is closed already says so by a rejection.
    await Promise.allSettled(all.flatMap(({ requests, watches }) => [requests.close(), watches.destroy()]));
  }

  async #refresh(): Promise<Headers> {
    this.#readAt = performance.now();
    let credentials: RequestOptions;
    try {
      credentials = await readCredentials(this.#config);
    } catch {
      // A credential plugin that fails now may work in 30 s, and what we hold may be good until then.
      return this.#headers;
    }
    const material = digest(credentials);
    if (material !== this.#material) this.#replacePools(credentials, material);
    this.#headers = this.#identity(credentials);
    return this.#headers;
  }

  #replacePools(credentials: RequestOptions, material: string): void {
    const former = this.#pools;
    this.#pools = this.#open(credentials);
    this.#material = material;
    // Graceful: a watch ends by its own timeout, minutes from now.
    this.#former.add(former);
    Promise.all([former.requests.close(), former.watches.close()])
      .catch(() => {})
      .finally(() => this.#former.delete(former));
  }

  #identity(credentials: RequestOptions): Headers {
    const headers: Record<string, string> = { 'user-agent': this.#userAgent };
    for (const [name, value] of Object.entries(credentials.headers ?? {})) headers[name.toLowerCase()] = String(value);
    if (typeof credentials.auth === 'string') {
      headers.authorization = `Basic ${Buffer.from(credentials.auth).toString('base64')}`;
    }
    return headers;
  }

  #open(credentials: RequestOptions): Pools {
    return {
      requests: this.#pool(credentials, requestConnections),
      watches: this.#pool(credentials, null),
    };
  }

  #pool(credentials: RequestOptions, connections: number | null): Dispatcher {
    const { ca, cert, key, passphrase, pfx, rejectUnauthorized, servername } = credentials;
    const given = Object.entries({ ca, cert, key, passphrase, pfx, rejectUnauthorized, servername });
    const tls = Object.fromEntries(given.filter(([, value]) => value !== undefined));
    const options: Pool.Options = {
      connections,
      // One dead HTTP/2 connection would hold every call until its ping fails; here it costs one call.
      allowH2: false,
      keepAliveTimeout: 30_000,
      // Deadlines are transport.ts's.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const proxy = this.#cluster.proxyUrl;
    if (!proxy) {
      const connect = { ...tls, timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 };
      return new Pool(this.origin, { ...options, connect });
    }
    if (!/^https?:/.test(proxy))
      throw new Error('the kubeconfig names a proxy that is not HTTP, which is not supported');
    return new ProxyAgent({ ...options, uri: proxy, requestTls: tls, proxyTunnel: true });
  }
}

/** TLS options and headers of the current user, as the package reads them: files, exec plugin, OIDC. */
async function readCredentials(config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options);
    const tokenFile: unknown = config.getCurrentUser()?.authProvider?.config?.tokenFile;
    if (typeof tokenFile === 'string') {
      // The package keeps a token for a minute and does not trim it.
      options.headers = { ...options.headers, Authorization: `Bearer ${readFileSync(tokenFile, 'utf8').trim()}` };
    }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new Error(`the credentials for the cluster cannot be read${code}`);
  }
  return options;
}

/** Tells whether TLS material changed, without keeping a second copy of a private key. */
function digest({ ca, cert, key }: RequestOptions): string {
  const hash = createHash('sha256');
  for (const part of [ca, cert, key]) hash.update(String(part)).update('\0');
  return hash.digest('base64');
}
