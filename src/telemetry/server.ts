/** HTTP for probes and Prometheus: /healthz, /readyz, /metrics. Nothing here is secret, and nothing here may cost much. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** A condition for readiness. `problem` answers undefined when it holds, else one short reason. */
export interface ReadyCheck {
  name: string;
  problem(): string | undefined;
}

export interface TelemetryServerOptions {
  /** All interfaces unless given. */
  host?: string | undefined;
  /** 0 takes a free port. */
  port: number;
  checks: readonly ReadyCheck[];
  /** Whether who sends this Authorization may read the metrics. Everybody unless given. */
  admit?: ((authorization: string | undefined) => Promise<Admission>) | undefined;
  metrics: { readonly contentType: string; render(): AsyncIterable<string> };
  /** How long the reader of a scrape may take. 30 s unless given. */
  scrapeMilliseconds?: number;
}

/** 'unavailable': nobody can be asked. */
export type Admission = 'allowed' | 'unauthenticated' | 'forbidden' | 'unavailable';

const REFUSALS: Record<Exclude<Admission, 'allowed'>, Answer> = {
  unauthenticated: { status: 401, body: 'show a token of Kubernetes\n', headers: { 'www-authenticate': 'Bearer' } },
  forbidden: { status: 403, body: 'RBAC must grant you get on the URL /metrics\n' },
  unavailable: { status: 503, body: 'the API server cannot be asked who you are\n', headers: { 'retry-after': '1' } },
};

type Answer = { status: number; body: string | AsyncIterable<string>; type?: string; headers?: Record<string, string> };

const TEXT = 'text/plain; charset=utf-8';

const CONCURRENT_SCRAPES = 4;

const SCRAPE_MILLISECONDS = 30_000;

/** Serves from `listen` until `close`. */
export class TelemetryServer {
  readonly #options: TelemetryServerOptions;
  readonly #server: Server;
  #scrapes = 0;

  constructor(options: TelemetryServerOptions) {
    this.#options = options;
    this.#server = createServer(
      {
        maxHeaderSize: 8 << 10,
        headersTimeout: 5_000,
        requestTimeout: 10_000,
        keepAliveTimeout: 65_000,
        connectionsCheckingInterval: 5_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = 128;
    // A reader that takes nothing for this long is cut off.
    this.#server.timeout = 70_000;
  }

  /** Resolves with the address once connections are accepted. Rejects when it cannot be bound, with the address in the message. */
  listen(): Promise<AddressInfo> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.on('error', (error: NodeJS.ErrnoException) =>
        reject(
          new Error(`Cannot serve metrics on ${host ?? ''}:${port} (${error.code ?? error.message})`, { cause: error }),
        ),
      );
      this.#server.listen(port, host, () => {
        const address = this.#server.address();
        if (address === null || typeof address === 'string') reject(new Error('The metrics server has no address'));
        else resolve(address);
      });
    });
  }

  /** Answers what has been asked, refuses what is new; after `graceMilliseconds` it cuts whoever is left. */
  async close(graceMilliseconds = 2_000): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMilliseconds);
    await closed;
    clearTimeout(cut);
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = (await this.#refusal(request)) ?? this.#answer(request);
    // its connection may stay open for another request, which will not be answered any more
    response.once('close', () => {
      if (!this.#server.listening) setImmediate(() => this.#server.closeIdleConnections());
    });
    response.writeHead(answer.status, {
      'content-type': answer.type ?? TEXT,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(typeof answer.body === 'string' ? { 'content-length': Buffer.byteLength(answer.body) } : {}),
      ...(this.#server.listening ? {} : { connection: 'close' }),
      ...answer.headers,
    });
    if (request.method === 'HEAD') response.end();
    else if (typeof answer.body === 'string')
      response.end(answer.body, () => answer.status === 413 && request.destroy());
    else await this.#stream(answer.body, response);
  }

  /** A scrape that fails halfway, or whose reader dawdles, is cut, so that no half is taken for the whole. */
  async #stream(body: AsyncIterable<string>, response: ServerResponse): Promise<void> {
    this.#scrapes++;
    try {
      const signal = AbortSignal.timeout(this.#options.scrapeMilliseconds ?? SCRAPE_MILLISECONDS);
      await pipeline(Readable.from(body, { objectMode: false }), response, { signal });
    } catch {
      response.destroy();
    } finally {
      this.#scrapes--;
    }
  }

  async #refusal(request: IncomingMessage): Promise<Answer | undefined> {
    const { admit } = this.#options;
    if (admit === undefined || pathOf(request) !== '/metrics') return undefined;
    const admission = await admit(request.headers.authorization);
    return admission === 'allowed' ? undefined : REFUSALS[admission];
  }

  #answer(request: IncomingMessage): Answer {
    // No door here takes a body; reading one would be work for whoever sends it.
    if (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0)
      return { status: 413, body: 'no request body is accepted\n', headers: { connection: 'close' } };
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { status: 405, body: 'only GET and HEAD\n', headers: { allow: 'GET, HEAD' } };
    switch (pathOf(request)) {
      case '/healthz':
        return { status: 200, body: 'ok\n' };
      case '/readyz':
        return this.#readiness();
      case '/metrics': {
        const { contentType, render } = this.#options.metrics;
        if (this.#scrapes >= CONCURRENT_SCRAPES)
          return { status: 503, body: 'too many scrapes at once\n', headers: { 'retry-after': '1' } };
        return { status: 200, body: render.call(this.#options.metrics), type: contentType };
      }
      default:
        return { status: 404, body: 'not found: try /healthz, /readyz or /metrics\n' };
    }
  }

  /** In the form of the API server's /readyz?verbose. */
  #readiness(): Answer {
    let ready = true;
    let body = '';
    for (const check of this.#options.checks) {
      const problem = problemOf(check);
      if (problem !== undefined) ready = false;
      body += problem === undefined ? `[+]${check.name} ok\n` : `[-]${check.name} not ready: ${problem}\n`;
    }
    return { status: ready ? 200 : 503, body: `${body}${ready ? 'ready' : 'not ready'}\n` };
  }
}

function pathOf({ url = '/' }: IncomingMessage): string | undefined {
  return url.split('?', 1)[0];
}

/** A check that throws is a check that fails. */
function problemOf(check: ReadyCheck): string | undefined {
  try {
    return check.problem();
  } catch {
    return 'the check failed';
  }
}
