import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback whose connections can be cut, or left half open. */
export class CuttableProxy {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #refuseUntil = 0;
  #isHeld = false;

  private constructor(host: string, port: number) {
    this.#server = createServer((client) => this.#pair(client, host, port));
  }

  static async listen(host: string, port: number): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(host, port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts what is open, with a reset. */
  reset(): void {
    for (const [client, server] of this.#pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  }

  /** What is open stays so, and nothing comes through any more. New connections work. */
  silence(): void {
    for (const [client, server] of this.#pairs) {
      client.unpipe(server);
      server.unpipe(client);
      client.resume();
      server.resume();
    }
  }

  /** Nothing that the server says comes through until `release`, on new connections neither. */
  hold(): void {
    this.#isHeld = true;
    for (const [client, server] of this.#pairs) server.unpipe(client);
  }

  /** What was said meanwhile comes through. */
  release(): void {
    this.#isHeld = false;
    for (const [client, server] of this.#pairs) server.pipe(client);
  }

  refuseFor(ms: number): void {
    this.#refuseUntil = performance.now() + ms;
    this.reset();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pair(client: Socket, host: string, port: number): void {
    if (performance.now() < this.#refuseUntil) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(port, host);
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    client.pipe(server);
    if (!this.#isHeld) server.pipe(client);
    for (const socket of pair) {
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        server.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
