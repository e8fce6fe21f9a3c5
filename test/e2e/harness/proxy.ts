/**
 * Between an operator or a verifier and the API server: plain HTTP in, its account out. Sees every call, can kill the operator or lose a
 * reply at any of them, and can freeze.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { Connection } from '../../../src/kube/connection.ts';
import { OPERATOR, type User } from '../../crds/api-server.ts';

export interface Call {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  /** Plural, and the subresource after a slash. */
  resource: string;
  namespace: string | undefined;
  name: string | undefined;
  path: string;
  body: string;
  /** HTTP status of the answer; undefined while there is none, or none came. */
  status: number | undefined;
  /** performance.now() at its arrival. */
  at: number;
}

export const POINTS = ['before-send', 'after-commit', 'after-reply', 'lost-reply'] as const;
/**
 * before-send: killed, and the call never reaches the API server. after-commit: killed when the API server has answered,
 * and the answer is thrown away. after-reply: killed when the operator has read the answer; what it sends then is not sent
 * on. lost-reply: the answer is thrown away, and the operator lives.
 */
export type Point = (typeof POINTS)[number];

export interface Fault {
  point: Point;
  /** Asked once a call, in the order of arrival; with the answer's status where the fault comes after it. */
  strikes(call: Call): boolean;
  /** Ends the operator. Not called for `lost-reply`. */
  kill(): void;
}

/** Long enough for the operator to take in an answer that leads to no further call. */
const AFTER_REPLY_MS = 150;
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host', 'content-length', 'date']);

interface Reply {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
}

export class ApiProxy {
  /** In the order of arrival, watches and reads included. */
  readonly calls: Call[] = [];
  /** Called before a call is sent on: throws when it must not be made, and what it throws is kept in `objections`. */
  inspect: ((call: Call) => void) | undefined;
  readonly objections: string[] = [];
  /** Called when a call was answered. */
  onAnswer: ((call: Call) => void) | undefined;
  /** Delays a call before it is sent on. */
  hold: ((call: Call) => Promise<void>) | undefined;
  readonly #upstream: Connection;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #fault: Fault | undefined;
  #struck: PromiseWithResolvers<Call> | undefined;
  /** Set between a reply that the operator is to take in and its death. */
  #dying: (() => void) | undefined;
  #isCut = false;
  /** While frozen: what everything waits for. */
  #thawed: PromiseWithResolvers<void> | undefined;
  readonly #user: User;

  private constructor(upstream: Connection, user: User) {
    this.#upstream = upstream;
    this.#user = user;
    this.#server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async open(upstream: Connection, user = OPERATOR): Promise<ApiProxy> {
    const proxy = new ApiProxy(upstream, user);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** One fault, once. Resolves with the call that it struck. */
  arm(fault: Fault): Promise<Call> {
    this.#fault = fault;
    this.#struck = Promise.withResolvers();
    return this.#struck.promise;
  }

  /** Answers again after a kill. */
  resume(): void {
    this.#isCut = false;
  }

  /** Nothing of what is under way is answered, and nothing is sent on any more. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** As a machine that hangs: connections stay open and new ones are taken, and nothing comes through, watches included. */
  freeze(): void {
    this.#thawed ??= Promise.withResolvers();
  }

  /** What came meanwhile goes through, in its order. */
  thaw(): void {
    this.#thawed?.resolve();
    this.#thawed = undefined;
  }

  async close(): Promise<void> {
    this.thaw();
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = parse(request, (await buffer(request)).toString('utf8'));
    if (this.#dying) return this.#dying();
    if (this.#isCut) return void response.destroy();
    this.calls.push(call);
    try {
      this.inspect?.(call);
    } catch (error) {
      this.objections.push(error instanceof Error ? error.message : String(error));
    }
    if (this.hold) await this.hold(call);
    await this.#thawed?.promise;
    if (call.verb === 'watch') return this.#stream(call, request, response);
    const isBefore = this.#fault?.point === 'before-send' && this.#fault.strikes(call);
    if (isBefore) return this.#strike(call);
    const reply = await this.#send(call, request);
    call.status = reply.status;
    await this.#thawed?.promise;
    if (this.#isCut || this.#dying) return void response.destroy();
    const fault = this.#fault;
    if (!fault || fault.point === 'before-send' || !fault.strikes(call)) {
      response.writeHead(reply.status, reply.headers).end(reply.body);
      this.onAnswer?.(call);
      return;
    }
    if (fault.point === 'after-commit') return this.#strike(call);
    if (fault.point === 'lost-reply') {
      this.#fault = undefined;
      response.destroy();
      this.#struck?.resolve(call);
      return;
    }
    const timer = setTimeout(() => this.#dying?.(), AFTER_REPLY_MS);
    this.#dying = () => {
      clearTimeout(timer);
      this.#dying = undefined;
      this.#strike(call);
    };
    response.writeHead(reply.status, reply.headers).end(reply.body);
  }

  #strike(call: Call): void {
    this.#fault?.kill();
    this.#fault = undefined;
    this.cut();
    this.#struck?.resolve(call);
  }

  async #send(call: Call, request: IncomingMessage): Promise<Reply> {
    const answer = await this.#upstream.requests.request({
      origin: this.#upstream.origin,
      path: this.#upstream.basePath + call.path,
      method: request.method as 'GET',
      headers: await this.#headers(request),
      ...(call.body === '' ? {} : { body: call.body }),
    });
    const body = Buffer.from(await answer.body.arrayBuffer());
    return { status: answer.statusCode, headers: passed(answer.headers), body };
  }

  async #stream(call: Call, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const ended = new AbortController();
    response.on('close', () => ended.abort());
    const answer = await this.#upstream.watches.request({
      origin: this.#upstream.origin,
      path: this.#upstream.basePath + call.path,
      method: 'GET',
      headers: await this.#headers(request),
      signal: ended.signal,
    });
    call.status = answer.statusCode;
    response.writeHead(answer.statusCode, passed(answer.headers));
    response.flushHeaders();
    await pipeline(answer.body, (chunks) => this.#unlessFrozen(chunks), response);
  }

  async *#unlessFrozen(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      await this.#thawed?.promise;
      yield chunk;
    }
  }

  async #headers(request: IncomingMessage): Promise<Record<string, string | string[]>> {
    const { name, groups = [], pod } = this.#user;
    return {
      ...passed(request.headers),
      ...(await this.#upstream.authorize()),
      'impersonate-user': name,
      'impersonate-group': [...groups],
      ...(pod !== undefined && { 'impersonate-extra-authentication.kubernetes.io%2fpod-name': pod }),
    };
  }
}

function passed(headers: Record<string, string | string[] | undefined>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] => entry[1] !== undefined && !HOP_BY_HOP.has(entry[0]),
    ),
  );
}

const VERBS: Record<string, Call['verb']> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };

function parse(request: IncomingMessage, body: string): Call {
  const path = request.url ?? '';
  const { pathname, searchParams } = new URL(path, 'http://proxy');
  const parts = pathname.split('/').filter(Boolean);
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2;
  const [plural = '', name, subresource] = isNamespaced ? rest.slice(2) : rest;
  const read = searchParams.get('watch') === 'true' ? 'watch' : name === undefined ? 'list' : 'get';
  return {
    verb: VERBS[request.method ?? ''] ?? read,
    resource: subresource === undefined ? plural : `${plural}/${subresource}`,
    namespace: isNamespaced ? rest[1] : undefined,
    name,
    path,
    body,
    status: undefined,
    at: performance.now(),
  };
}

const READS = new Set(['get', 'list', 'watch']);

/** Leases, Events, the seal keys and what policies count tell nothing of a token, nor does a revocation that is let go. */
export function isProtocolWrite(call: Call): boolean {
  if (READS.has(call.verb) || ['leases', 'events', 'tokenpolicies/status', 'grantednamespaces'].includes(call.resource))
    return false;
  return !isSealKeyWrite(call) && !isLettingGo(call);
}

/** A minute after it was sealed, whatever else goes on then. */
function isLettingGo(call: Call): boolean {
  return call.resource.endsWith('tokenrevocations') && call.body.includes('"tokenwright.dev/pending":null');
}

export function isSealKeyWrite(call: Call): boolean {
  return call.name?.startsWith('tokenwright-seal-') === true || call.body.includes('"name":"tokenwright-seal-');
}

/** Such as `update apitokens/status summarizer`. */
export function labelOf(call: Call): string {
  const named = call.name ?? (JSON.parse(call.body) as { metadata?: { name?: string } }).metadata?.name;
  return `${call.verb} ${call.resource} ${named ?? ''}`.trim();
}
