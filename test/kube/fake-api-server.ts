import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import type { Connection } from '../../src/kube/connection.ts';
import type { KubeObject, ResourceType } from '../../src/ports.ts';

export interface Widget extends KubeObject {
  spec?: { size: number };
}

export const widgets: ResourceType<Widget> = {
  group: 'example.dev',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface OpenWatch {
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

/**
 * As much of an API server as list and watch need, on loopback, with its faults at hand. Any other request, or all of
 * them, can be answered by `answer`.
 */
export class FakeApiServer {
  readonly seen: Seen[] = [];
  readonly watches = new Set<OpenWatch>();
  /** Swallow events: a connection that is half open. */
  mute = false;
  /** Items of a page, whatever limit is asked for. */
  pageSize = 500;
  /** Watches from before this get 410. */
  compacted = 0;
  /** Takes a request away from the rest when it returns true. */
  answer: (seen: Seen, response: ServerResponse) => boolean = () => false;
  version = 100;
  readonly #objects = new Map<string, Widget>();
  readonly #history: { version: number; line: string }[] = [];
  readonly #server: Server;
  readonly #pools: Pool[] = [];

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async listen(): Promise<FakeApiServer> {
    const fake = new FakeApiServer();
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  connection(authorize: Connection['authorize'] = async () => ({ 'user-agent': 'test' })): Connection {
    const pools = [new Pool(this.origin, { connections: 4 }), new Pool(this.origin)] as const;
    this.#pools.push(...pools);
    const [requests, watches] = pools;
    const close = async () => void (await Promise.all([requests.close(), watches.destroy()]));
    return { origin: this.origin, basePath: '', requests, watches, authorize, close };
  }

  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Creates or changes an object, and tells the watches. */
  put(name: string, fields: { size?: number; uid?: string; labels?: Record<string, string> } = {}): Widget {
    const held = this.#objects.get(name);
    this.version += 1;
    const uid = fields.uid ?? held?.metadata.uid ?? `uid-${name}-${this.version}`;
    const metadata = { namespace: 'default', name, uid, resourceVersion: String(this.version), managedFields: [{}] };
    const object: Widget = {
      apiVersion: 'example.dev/v1',
      kind: 'Widget',
      metadata: fields.labels === undefined ? metadata : { ...metadata, labels: fields.labels },
      spec: { size: fields.size ?? 1 },
    };
    this.#objects.set(name, object);
    this.#tell(held === undefined ? 'ADDED' : 'MODIFIED', object);
    return object;
  }

  remove(name: string): void {
    const held = this.#objects.get(name);
    if (held === undefined) return;
    this.version += 1;
    this.#objects.delete(name);
    this.#tell('DELETED', { ...held, metadata: { ...held.metadata, resourceVersion: String(this.version) } });
  }

  /** Forgets what happened until now, so that a watch from before must list anew. */
  compact(): void {
    this.compacted = this.version;
    this.#history.length = 0;
  }

  bookmark(): void {
    this.send({ type: 'BOOKMARK', object: { kind: 'Widget', metadata: { resourceVersion: String(this.version) } } });
  }

  send(event: object): void {
    for (const { response } of this.watches) response.write(`${JSON.stringify(event)}\n`);
  }

  /** Cuts the connections of all watches with a reset. */
  resetWatches(): void {
    for (const { response } of this.watches) response.socket?.resetAndDestroy();
  }

  endWatches(): void {
    for (const { response } of this.watches) response.end();
  }

  requests(kind: 'list' | 'watch'): Seen[] {
    return this.seen.filter(({ query }) => query.has('watch') === (kind === 'watch'));
  }

  #tell(type: string, object: Widget): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#history.push({ version: this.version, line });
    if (this.mute) return;
    for (const { response } of this.watches) response.write(line);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += chunk;
    const url = new URL(request.url ?? '', this.origin);
    const { pathname: path, searchParams: query } = url;
    const seen = { method: request.method ?? '', path, query, headers: request.headers, body };
    this.seen.push(seen);
    if (this.answer(seen, response)) return;
    if (query.has('watch')) this.#watch(query, response);
    else this.#list(query, response);
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const [version = this.version, from = 0] = (query.get('continue') ?? '').split(':').filter(Boolean).map(Number);
    const all = [...this.#objects.values()];
    const end = from + this.pageSize;
    const more = end < all.length ? `${version}:${end}` : '';
    const metadata = { resourceVersion: String(version), continue: more };
    response.end(JSON.stringify({ kind: 'WidgetList', metadata, items: all.slice(from, end) }));
  }

  #watch(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    if (from < this.compacted) {
      const object = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const open = { response, query };
    this.watches.add(open);
    response.on('close', () => this.watches.delete(open));
    if (this.mute) return;
    for (const { version, line } of this.#history) if (version > from) response.write(line);
  }
}
