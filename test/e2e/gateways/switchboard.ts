/** Stands between gateways and verifiers on one address, so that a gateway's configuration stays as it is while verifiers come and go. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class Switchboard {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** To verifiers, by their port. */
  readonly #joined = new Map<Socket, number>();
  #accept: (socket: Socket) => void = (socket) => socket.destroy();

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
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
    this.#become((socket) => this.#join(socket, port));
  }

  /** In turn, as a Service of Kubernetes does: connections that stand stay where they are. */
  balance(ports: readonly number[]): void {
    let turn = 0;
    this.#accept = (socket) => {
      this.#join(socket, ports[turn % ports.length] ?? 0);
      turn += 1;
    };
  }

  /** How many stand. */
  connectionsTo(port: number): number {
    return [...this.#joined.values()].filter((one) => one === port).length;
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

  #join(socket: Socket, port: number): void {
    const verifier = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.#keep(verifier);
    this.#joined.set(verifier, port);
    verifier.on('close', () => this.#joined.delete(verifier));
    // an end is handed on behind all that was said before it
    socket.pipe(verifier).pipe(socket);
    for (const [one, other] of [
      [socket, verifier],
      [verifier, socket],
    ] as const)
      one.on('close', (hadError) => hadError && other.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
