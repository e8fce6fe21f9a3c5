/** A stand-in for the API of an AI provider, on loopback: the wire format of OpenAI's chat completions, and one key that it knows. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export class Provider {
  readonly key = `sk-demo-${crypto.randomUUID()}`;
  /** Of the calls that it answered, the last Authorization that it saw. */
  lastAuthorization = '';
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Provider> {
    const server = createServer();
    const provider = new Provider(server);
    server.on('request', (request, response) => {
      const authorization = request.headers.authorization ?? '';
      request.resume();
      response.setHeader('content-type', 'application/json');
      if (authorization !== `Bearer ${provider.key}`) {
        response
          .writeHead(401)
          .end(JSON.stringify({ error: { message: 'Incorrect API key provided', code: 'invalid_api_key' } }));
        return;
      }
      provider.lastAuthorization = authorization;
      const message = { role: 'assistant', content: 'The customer wants a refund.' };
      const choices = [{ index: 0, message, finish_reason: 'stop' }];
      response.end(JSON.stringify({ id: 'chatcmpl-demo', object: 'chat.completion', model: 'gpt-4o', choices }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
