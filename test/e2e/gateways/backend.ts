/** The API behind a gateway: notes what reaches it, and says nothing of it in its answers. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Arrival {
  method: string;
  /** The request target as it came. */
  target: string;
  /** In lower case; values of one name in their order. */
  headers: Readonly<Record<string, readonly string[]>>;
  bytes: number;
}

/** A call to this path is answered in two parts: the second when `finish` is called. */
export const STREAM_PATH = '/v1/chat/stream';

export class Backend {
  readonly arrivals: Arrival[] = [];
  readonly #server: Server;
  #finish: (() => void) | undefined;

  private constructor() {
    this.#server = createServer((request, response) => void this.#handle(request, response));
  }

  static async start(): Promise<Backend> {
    const backend = new Backend();
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get last(): Arrival {
    const last = this.arrivals.at(-1);
    if (last === undefined) throw new Error('nothing has reached the backend');
    return last;
  }

  finish(): void {
    this.#finish?.();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { length } = await buffer(request);
    const headers: Record<string, string[]> = {};
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const name = (request.rawHeaders[i] ?? '').toLowerCase();
      headers[name] = [...(headers[name] ?? []), request.rawHeaders[i + 1] ?? ''];
    }
    this.arrivals.push({ method: request.method ?? '', target: request.url ?? '', headers, bytes: length });
    if (request.url !== STREAM_PATH) return void response.end('backend');
    response.write('first ');
    this.#finish = () => response.end('second');
  }
}
