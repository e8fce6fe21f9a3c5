/** Stands between gateways and verifiers on one address, so that a gateway's configuration stays as it is while verifiers come and go. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Switchboard {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #accept: (socket: Socket) => void = (socket) => socket.destroy();

  private constructor() {
    this.#server = createServer((socket) => {
      this.#keep(socket);
      this.#accept(socket);
    });
  }

  static async open(): Promise<Switchboard> {
    const switchboard = new Switchboard();
    switchboard.#server.listen(0, '127.0.0.1');
    await once(switchboard.#server, 'listening');
    return switchboard;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** From now on; connections that stand are cut. */
  connectTo(port: number): void {
    this.#become((socket) => {
      const verifier = connect(port, '127.0.0.1');
      this.#keep(verifier);
      socket.pipe(verifier).pipe(socket);
      socket.on('close', () => verifier.destroy());
      verifier.on('close', () => socket.destroy());
    });
  }

  /** As where nobody listens. */
  refuse(): void {
    this.#become((socket) => socket.destroy());
  }

  /** As where a machine hangs. */
  fallSilent(): void {
    this.#become(() => {});
  }

  async close(): Promise<void> {
    this.refuse();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #become(accept: (socket: Socket) => void): void {
    this.#accept = accept;
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
