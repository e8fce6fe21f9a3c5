/** Says yes to everything, over HTTP and gRPC, with the right name in a certificate that nobody vouches for. */
import { once } from 'node:events';
import { createSecureServer, type Http2SecureServer } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createAuthority } from '../../../tools/controlplane/x509.ts';

/** One CheckResponse without compression, whose status is OK. */
const YES = Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x00]);

export class Impostor {
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();

  private constructor(host: string) {
    const pair = createAuthority('nobody').issue({ commonName: host, hosts: [host], usages: ['server'] });
    this.#server = createSecureServer({ cert: pair.certificate, key: pair.privateKey, allowHTTP1: true });
    this.#server.on('request', (request, response) => {
      if (request.headers['content-type'] !== 'application/grpc') return void response.writeHead(200).end();
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.addTrailers({ 'grpc-status': '0' });
      response.end(YES);
    });
    this.#server.on('connection', (socket: Socket) => this.#sockets.add(socket));
  }

  static async start(host: string): Promise<Impostor> {
    const impostor = new Impostor(host);
    impostor.#server.listen(0, '127.0.0.1');
    await once(impostor.#server, 'listening');
    return impostor;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server, 'close');
  }
}
