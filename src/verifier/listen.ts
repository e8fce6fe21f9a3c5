/** How every server of the verifier begins to listen. */
import type { AddressInfo, Server } from 'node:net';

export interface Address {
  /** All interfaces where undefined. */
  host: string | undefined;
  /** 0 takes a free one. */
  port: number;
}

/** Rejects when the address cannot be bound, with what was to be served there in the message. */
export function listen(server: Server, what: string, { host, port }: Address): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(`Cannot serve ${what} on ${host ?? ''}:${port} (${error.code ?? error.message})`, { cause: error }),
      ),
    );
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}
