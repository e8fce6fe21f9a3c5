/** Asked by a client of gRPC's own library. What a real Envoy makes of the answers: test/e2e/gateways. */
import { createServer as createTcpServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type ChannelCredentials, Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Call, Decision } from '../../src/verifier/call.ts';
import { IDENTITY_HEADERS } from '../../src/verifier/doors/answer.ts';
import {
  CHECK_REQUEST,
  CHECK_RESPONSE,
  type CheckResponse,
  type HeaderValueOption,
} from '../../src/verifier/doors/ext-authz-messages.ts';
import { VerifierGrpcServer } from '../../src/verifier/grpc-server.ts';
import { sourceReader } from '../../src/verifier/source.ts';
import { createAuthority } from '../../tools/controlplane/x509.ts';
import { indexed } from './tokens.ts';

const METHOD = '/envoy.service.auth.v3.Authorization/Check';
const HOST = 'verifier.test';

const asked: Call[] = [];
let answer: Decision | Promise<Decision>;
let server: VerifierGrpcServer;
const clients: Client[] = [];

beforeEach(() => {
  asked.length = 0;
  answer = { outcome: 'TokenMissing' };
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server?.close(0);
});

async function serve(tls?: { cert: string; key: string }): Promise<number> {
  server = new VerifierGrpcServer({
    host: '127.0.0.1',
    port: 0,
    tls,
    verifier: {
      check(call) {
        asked.push(call);
        return answer;
      },
    },
    sourceOf: sourceReader({ header: 'x-forwarded-for', trustedProxies: ['127.0.0.1/32'] }),
  });
  return (await server.listen()).port;
}

function clientOf(port: number, channel: ChannelCredentials = credentials.createInsecure()): Client {
  const client = new Client(`127.0.0.1:${port}`, channel, { 'grpc.ssl_target_name_override': HOST });
  clients.push(client);
  return client;
}

function send(client: Client, bytes: Buffer, method = METHOD): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      method,
      (sent: Buffer) => sent,
      (received) => received,
      bytes,
      { deadline: Date.now() + 20_000 },
      (error: ServiceError | null, received) => (error ? reject(error) : resolve(received ?? Buffer.alloc(0))),
    );
  });
}

/** As Envoy asks. */
function question(headers: object, more: object = {}): Buffer {
  const http = { method: 'POST', path: '/v1/chat?model=large', ...headers };
  const attributes = { request: { http }, contextExtensions: { audience: 'ai-gateway', scope: 'routes' }, ...more };
  return Buffer.from(CHECK_REQUEST.encode(CHECK_REQUEST.fromObject({ attributes })).finish());
}

const QUESTION = question({ headers: { authorization: 'Bearer some' } });

async function check(client: Client, bytes = QUESTION): Promise<CheckResponse> {
  return CHECK_RESPONSE.decode(await send(client, bytes)) as unknown as CheckResponse;
}

const raw = (...pairs: readonly [string, string][]) => ({
  headerMap: { headers: pairs.map(([key, value]) => ({ key, rawValue: Buffer.from(value) })) },
});

/** By name; each must take the place of what the client sent, for every version of Envoy. */
function overwritten(headers: readonly HeaderValueOption[] = []): Record<string, string> {
  expect(headers.every(({ append, appendAction }) => append.value === false && appendAction === 2)).toBe(true);
  return Object.fromEntries(headers.map(({ header }) => [header.key, header.value]));
}

describe('what is asked', () => {
  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  it('is what the context extensions and the call say', async () => {
    const client = clientOf(await serve());
    const headers = { authorization: 'Bearer some', traceparent: TRACE, 'x-forwarded-for': '198.51.100.9,192.0.2.1' };
    await check(client, question({ headers }));
    expect(asked).toEqual([
      {
        door: 'envoy-grpc',
        token: { text: 'some' },
        needs: { audience: 'ai-gateway', scopes: { method: 'POST', path: '/v1/chat?model=large' } },
        source: '192.0.2.1',
        traceparent: TRACE,
      },
    ]);
  });

  it.each([
    ['a bearer token', raw(['authorization', 'Bearer some']), { text: 'some' }],
    ['a key', raw(['x-api-key', 'some']), { text: 'some' }],
    ['two tokens', raw(['authorization', 'Bearer some'], ['authorization', 'Bearer other']), 'ambiguous'],
    ['a token and a key', raw(['authorization', 'Bearer some'], ['x-api-key', 'other']), 'ambiguous'],
    ['two tokens that Envoy joined', { headers: { authorization: 'Bearer some,Bearer other' } }, 'missing'],
    ['a token in the URL', { path: '/v1/chat?access_token=some', ...raw(['x-api-key', 'some']) }, 'ambiguous'],
    ['nothing', {}, 'missing'],
  ])('is about %s', async (_, headers, token) => {
    await check(clientOf(await serve()), question(headers));
    expect(asked).toMatchObject([{ token }]);
  });

  it.each([
    [
      { audience: 'ai-gateway', scope: 'chat:write' },
      { audience: 'ai-gateway', scopes: ['chat:write'] },
    ],
    [
      { audience: 'ai-gateway', scope: '-' },
      { audience: 'ai-gateway', scopes: [] },
    ],
    [{ audience: 'ai-gateway', scope: '' }, { unclear: expect.any(String) }],
    [{ audience: 'ai-gateway' }, { unclear: expect.any(String) }],
    [{ scope: '-' }, { unclear: expect.any(String) }],
    [{}, { unclear: expect.any(String) }],
  ])('needs, with context extensions %j, what they say', async (contextExtensions, needs) => {
    const forged = { headers: { 'x-tokenwright-need-audience': 'ai-gateway', 'x-tokenwright-need-scope': '-' } };
    await check(clientOf(await serve()), question(forged, { contextExtensions }));
    expect(asked).toMatchObject([{ needs }]);
  });

  it('is nothing where Envoy asks of no HTTP call', async () => {
    await check(clientOf(await serve()), Buffer.from(CHECK_REQUEST.encode(CHECK_REQUEST.create()).finish()));
    expect(asked).toMatchObject([{ token: 'missing', needs: { unclear: expect.any(String) } }]);
  });
});

describe('what is answered', () => {
  const token = indexed({ spec: { owner: 'team-support@example.com' } });
  const [version] = token.versions;
  const allowed: Decision = { outcome: 'Allowed', token, scopes: ['chat:write'], ...(version && { version }) };
  const quota = { limit: 600, windowSeconds: 60, remaining: 599, resetSeconds: 60 };

  it('to an allowed call: who calls, and no token', async () => {
    answer = allowed;
    const { status: code, okResponse } = await check(clientOf(await serve()));
    expect(code.code).toBe(0);
    const headers = overwritten(okResponse?.headers);
    expect(Object.keys(headers)).toEqual([...IDENTITY_HEADERS]);
    expect(headers).toMatchObject({
      'x-tokenwright-identity': 'support/agent:summarizer',
      'x-tokenwright-owner': 'team-support@example.com',
    });
    expect(okResponse?.headersToRemove).toEqual(['authorization', 'x-api-key']);
    expect(okResponse?.responseHeadersToAdd).toEqual([]);
  });

  it.each([
    ['authorization', ['x-api-key']],
    ['x-api-key', ['authorization']],
    ['api-key', ['authorization', 'x-api-key']],
  ])("to one whose API takes the provider's key in %s: the key, and no token", async (header, removed) => {
    answer = { ...allowed, upstream: { header, value: 'the key' } };
    const { okResponse } = await check(clientOf(await serve()));
    expect(overwritten(okResponse?.headers)).toMatchObject({ [header]: 'the key' });
    expect(okResponse?.headersToRemove).toEqual(removed);
  });

  it('to one with a rate limit: what is left of it, for the client', async () => {
    answer = Promise.resolve({ ...allowed, quota });
    const { okResponse } = await check(clientOf(await serve()));
    expect(overwritten(okResponse?.responseHeadersToAdd)).toEqual({
      ratelimit: '"token";r=599;t=60',
      'ratelimit-policy': '"token";q=600;w=60',
    });
  });

  it.each([
    [{ outcome: 'TokenMissing' }, 401, { 'www-authenticate': 'Bearer realm="tokenwright"' }],
    [{ outcome: 'RateLimited', quota: { ...quota, remaining: 0 } }, 429, { 'retry-after': '60' }],
    [{ outcome: 'Stale' }, 503, { 'retry-after': '1' }],
  ] as const)('to %j: the status, the headers and the body of every door', async (decision, code, told) => {
    answer = decision;
    const { status: outcome, deniedResponse } = await check(clientOf(await serve()));
    expect(outcome.code).toBe(status.PERMISSION_DENIED);
    expect(deniedResponse?.status.code).toBe(code);
    const headers = overwritten(deniedResponse?.headers);
    expect(headers).toMatchObject({ ...told, 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(headers).not.toHaveProperty('content-length');
    expect(JSON.parse(deniedResponse?.body ?? '')).toHaveProperty('error');
  });
});

describe('what cannot be a question', () => {
  it.each([
    [
      'a message over the limit',
      question({ headers: { cookie: 'x'.repeat(256 << 10) } }),
      METHOD,
      'RESOURCE_EXHAUSTED',
    ],
    ['junk', Buffer.from([0x0a, 0xff, 0xff]), METHOD, 'INTERNAL'],
    ['another method', QUESTION, '/envoy.service.auth.v2.Authorization/Check', 'UNIMPLEMENTED'],
  ] as const)('is refused, and the next is answered: %s', async (_, bytes, method, code) => {
    const client = clientOf(await serve());
    await expect(send(client, bytes, method)).rejects.toMatchObject({ code: status[code] });
    expect(asked).toEqual([]);
    expect((await check(client)).deniedResponse?.status.code).toBe(401);
  });
});

describe('the server', () => {
  const authority = createAuthority('test');
  const pairOf = (commonName: string) => {
    const { certificate, privateKey } = authority.issue({ commonName, hosts: [HOST], usages: ['server'] });
    return { cert: certificate, key: privateKey };
  };

  /** Who a new connection finds, and what it speaks. */
  const greet = (port: number) =>
    new Promise((resolve, reject) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        ca: authority.certificate,
        servername: HOST,
        ALPNProtocols: ['h2'],
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        resolve([socket.getPeerCertificate().subject.CN, socket.alpnProtocol]);
        socket.destroy();
      });
    });

  it('answers over TLS, and takes up a renewed certificate', async () => {
    const port = await serve(pairOf('first'));
    expect(await greet(port)).toEqual(['first', 'h2']);
    server.renew(pairOf('second'));
    expect(await greet(port)).toEqual(['second', 'h2']);
    const client = clientOf(port, credentials.createSsl(Buffer.from(authority.certificate)));
    expect((await check(client)).deniedResponse?.status.code).toBe(401);
  });

  it('outlives whoever speaks no TLS to it', async () => {
    const port = await serve(pairOf('first'));
    await expect(check(clientOf(port))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(await greet(port)).toEqual(['first', 'h2']);
  });

  it('names the address that it cannot have', async () => {
    const port = await serve();
    const second = new VerifierGrpcServer({
      host: '127.0.0.1',
      port,
      tls: undefined,
      verifier: { check: () => answer },
      sourceOf: () => undefined,
    });
    await expect(second.listen()).rejects.toThrow(`Cannot serve gRPC on 127.0.0.1:${port} (EADDRINUSE)`);
    await second.close(0);
  });

  it('answers what was asked before it was closed', async () => {
    const { promise, resolve } = Promise.withResolvers<Decision>();
    answer = promise;
    const client = clientOf(await serve());
    const answered = check(client);
    await expect.poll(() => asked.length).toBe(1);
    const closed = server.close(20_000);
    resolve({ outcome: 'Stale' });
    expect((await answered).deniedResponse?.status.code).toBe(503);
    await closed;
  });

  it('waits no longer than it is given', async () => {
    answer = new Promise(() => {});
    const port = await serve();
    const answered = check(clientOf(port));
    const refused = expect(answered).rejects.toMatchObject({ code: expect.any(Number) });
    await expect.poll(() => asked.length).toBe(1);
    await server.close(1);
    await refused;
    const free = createTcpServer();
    await new Promise<void>((resolve, reject) => free.once('error', reject).listen(port, '127.0.0.1', resolve));
    free.close();
  });
});
