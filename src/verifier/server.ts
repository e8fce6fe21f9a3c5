/** The verifier's HTTP server: routes a request to a door, bounds everything that a client can make large or slow. */
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Call } from './call.ts';
import { answerFor, type HttpAnswer } from './doors/answer.ts';
import { authorizeCall } from './doors/authorize.ts';
import { ENVOY_PREFIX, envoyCall } from './doors/envoy-http.ts';
import { type Address, listen } from './listen.ts';
import type { SourceOf } from './source.ts';
import type { Verifier } from './verifier.ts';

export interface TlsMaterial {
  cert: string | Buffer;
  key: string | Buffer;
}

/** A door that is more than a question of headers, such as `/introspect`. */
export interface BodyDoor {
  path: string;
  handle(request: IncomingMessage): Promise<HttpAnswer>;
}

export interface VerifierServerOptions extends Address {
  /** Plain HTTP where undefined. */
  tls: TlsMaterial | undefined;
  verifier: Verifier;
  sourceOf: SourceOf;
  doors?: readonly BodyDoor[];
  timing?: Partial<typeof TIMING>;
}

/** A gateway's request to authorise may carry the client's headers: as much as gateways themselves take. */
const MAX_HEADER_SIZE = 32 << 10;
/** Milliseconds. */
const TIMING = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 2_000,
};
const HANDSHAKE_TIMEOUT = 5_000;
const MAX_CONNECTIONS = 10_000;

export class VerifierServer {
  readonly #options: VerifierServerOptions;
  readonly #server: Server | TlsServer;
  #isRetiring = false;
  /** Answers of this turn of the event loop. */
  #due: { response: ServerResponse; body: string }[] = [];

  constructor(options: VerifierServerOptions) {
    this.#options = options;
    const { tls } = options;
    const handle = (request: IncomingMessage, response: ServerResponse) => this.#handle(request, response);
    const settings = { maxHeaderSize: MAX_HEADER_SIZE, keepAlive: true, ...TIMING, ...options.timing };
    this.#server = tls
      ? createHttpsServer({ ...settings, ...secure(tls), handshakeTimeout: HANDSHAKE_TIMEOUT }, handle)
      : createHttpServer(settings, handle);
    this.#server.maxConnections = MAX_CONNECTIONS;
    // all of them: beyond a number, Node would leave out the last ones without a word, and a second token with them
    this.#server.maxHeadersCount = 0;
  }

  /** Rejects when the address cannot be bound, with the address in the message. */
  listen(): Promise<AddressInfo> {
    return listen(this.#server, 'verdicts', this.#options);
  }

  /** New connections use it; those that stand keep what they have. */
  renew(tls: TlsMaterial): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(secure(tls));
  }

  /** From now on each answer ends its connection: gateways open the next one elsewhere, before `close` ends idle ones under their hands. */
  retire(): void {
    this.#isRetiring = true;
  }

  /** Answers what was asked; after `graceMilliseconds` cuts whoever is left. */
  async close(graceMilliseconds = 5_000): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMilliseconds);
    await closed;
    clearTimeout(cut);
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const target = request.url ?? '/';
    const end = target.indexOf('?');
    const path = end < 0 ? target : target.slice(0, end);
    if (path === '/authorize') {
      this.#check(authorizeCall(target, request.rawHeaders, this.#sourceOf(request)), request, response);
    } else if (path === ENVOY_PREFIX || path.startsWith(`${ENVOY_PREFIX}/`)) {
      const method = request.method ?? '';
      this.#check(envoyCall(method, target, request.rawHeaders, this.#sourceOf(request)), request, response);
    } else {
      void this.#other(path, request, response);
    }
  }

  #sourceOf(request: IncomingMessage): string | undefined {
    return this.#options.sourceOf(request.socket.remoteAddress, request.rawHeaders);
  }

  #check(call: Call, request: IncomingMessage, response: ServerResponse): void {
    const decision = this.#options.verifier.check(call);
    if (decision instanceof Promise) {
      void decision.then((late) => this.#send(request, response, answerFor(call, late)));
    } else {
      this.#send(request, response, answerFor(call, decision));
    }
  }

  async #other(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const door = this.#options.doors?.find((one) => one.path === path);
    try {
      this.#send(request, response, door ? await door.handle(request) : NOT_FOUND);
    } catch {
      // whoever asked has gone away in the middle of it
      request.destroy();
    }
  }

  #send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: HttpAnswer): void {
    // some gateways forward the body of the call: it is nothing to us, and is not waited for
    const hasMore = !request.complete && hasBody(request);
    if (hasMore || this.#isRetiring || !this.#server.listening) response.setHeader('connection', 'close');
    if (hasMore) response.once('finish', () => request.complete || request.destroy());
    response.writeHead(status, headers);
    if (this.#due.length === 0) setImmediate(() => this.#flush());
    this.#due.push({ response, body });
  }

  /** All at once, when every call that was there has its verdict: to wake the gateway for each of them costs more than a verdict. */
  #flush(): void {
    const due = this.#due;
    this.#due = [];
    for (const { response, body } of due) response.end(body);
  }
}

const NOT_FOUND: HttpAnswer = {
  status: 404,
  headers: { 'content-type': 'application/json', 'content-length': '21' },
  body: '{"error":"not_found"}',
};

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function secure({ cert, key }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' } as const;
}
