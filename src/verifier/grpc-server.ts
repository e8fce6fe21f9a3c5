/** The verifier's gRPC server, for Envoy: one method, with bounds on everything that a client can make large or slow. */
import { type AddressInfo, createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { checkCall, checkResponse } from './doors/ext-authz.ts';
import {
  type CheckRequest,
  type CheckResponse,
  readCheckRequest,
  writeCheckResponse,
} from './doors/ext-authz-messages.ts';
import { type Address, listen } from './listen.ts';
import type { TlsMaterial } from './server.ts';
import type { SourceOf } from './source.ts';
import type { Verifier } from './verifier.ts';

export interface GrpcServerOptions extends Address {
  /** Plain HTTP/2 where undefined. */
  tls: TlsMaterial | undefined;
  verifier: Pick<Verifier, 'check'>;
  sourceOf: SourceOf;
}

const METHOD = '/envoy.service.auth.v3.Authorization/Check';

const LIMITS = {
  // the headers of a call, which Envoy bounds by 96 kB at most, and what Envoy says of them
  'grpc.max_receive_message_length': 256 << 10,
  'grpc.max_concurrent_streams': 1000,
  // MB for each connection
  'grpc-node.max_session_memory': 10,
  // a gateway that is gone without a word is noticed
  'grpc.keepalive_time_ms': 60_000,
  'grpc.keepalive_timeout_ms': 20_000,
  'grpc.enable_channelz': 0,
};
const MAX_CONNECTIONS = 1000;
const HANDSHAKE_TIMEOUT = 5_000;

export class VerifierGrpcServer {
  readonly #options: GrpcServerOptions;
  readonly #grpc = new Server(LIMITS);
  readonly #injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
  /** Listens and ends TLS: a certificate is renewed as that of any Node server, and connections are counted. */
  readonly #listener: TcpServer | TlsServer;

  constructor(options: GrpcServerOptions) {
    this.#options = options;
    this.#grpc.register(METHOD, this.#check.bind(this), writeCheckResponse, readCheckRequest, 'unary');
    const accept = (socket: Socket) => {
      socket.on('error', () => socket.destroy());
      this.#injector.injectConnection(socket);
    };
    const { tls } = options;
    this.#listener = tls
      ? createTlsServer({ ...secure(tls), ALPNProtocols: ['h2'], handshakeTimeout: HANDSHAKE_TIMEOUT }, accept)
      : createTcpServer(accept);
    this.#listener.maxConnections = MAX_CONNECTIONS;
  }

  /** Rejects when the address cannot be bound, with the address in the message. */
  listen(): Promise<AddressInfo> {
    return listen(this.#listener, 'gRPC', this.#options);
  }

  /** New connections use it; those that stand keep what they have. */
  renew(tls: TlsMaterial): void {
    if ('setSecureContext' in this.#listener) this.#listener.setSecureContext(secure(tls));
  }

  /** Answers what was asked; after `graceMilliseconds` cuts whoever is left. */
  async close(graceMilliseconds = 5_000): Promise<void> {
    this.#listener.close();
    this.#injector.drain(graceMilliseconds);
    await new Promise<void>((resolve) => this.#grpc.tryShutdown(() => resolve()));
  }

  #check(asked: ServerUnaryCall<CheckRequest, CheckResponse>, respond: sendUnaryData<CheckResponse>): void {
    const { verifier, sourceOf } = this.#options;
    const peer = asked.getPeer();
    const call = checkCall(asked.request, (headers) => sourceOf(peer.slice(0, peer.lastIndexOf(':')), headers));
    const decision = verifier.check(call);
    if (decision instanceof Promise) void decision.then((late) => respond(null, checkResponse(call, late)));
    else respond(null, checkResponse(call, decision));
  }
}

function secure({ cert, key }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' } as const;
}
