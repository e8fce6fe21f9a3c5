import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/domain/value.ts';
import { VerifierServer, type VerifierServerOptions } from '../../src/verifier/server.ts';
import { sourceReader } from '../../src/verifier/source.ts';
import { NOW, OTHER_KEY, tokenValue } from './tokens.ts';
import { VerifierWorld } from './verifier-world.ts';
import { request, statusOf, Wire } from './wire.ts';

let world: VerifierWorld;
beforeEach(() => {
  world = new VerifierWorld();
  world.put();
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(more: Partial<VerifierServerOptions> = {}) {
  const server = new VerifierServer({
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    verifier: world.verifier,
    sourceOf: sourceReader({ header: 'x-forwarded-for', trustedProxies: ['127.0.0.0/8'] }),
    ...more,
  });
  const { port } = await server.listen();
  cleanups.push(() => server.close(0));
  const open = () => {
    const wire = new Wire(port);
    cleanups.push(() => wire.socket.destroy());
    return wire;
  };
  const ask = async (text: string) => (await open().write(text).answers(1))[0] ?? '';
  return { server, port, open, ask };
}

/** Calls with this token are held until `release`; `asked` resolves once one has come. */
const HELD = { authorization: `Bearer ${tokenValue('unknown')}` };
function hold() {
  const gate = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  world.lookUp = () => {
    asked.resolve();
    return gate.promise;
  };
  return { asked: asked.promise, release: gate.resolve };
}

const GOOD = { authorization: `Bearer ${tokenValue('uid-1')}` };
const TARGET = '/authorize?audience=ai-gateway&scope=chat:write';
const closes = (answer: string) => /^connection: close/im.test(answer);

describe('a gateway', () => {
  it('gets a yes with who calls, and keeps its connection', async () => {
    const { open } = await serve();
    const [first, second] = await open().write(request(TARGET, GOOD)).write(request(TARGET, GOOD)).answers(2);
    expect(first).toMatch(/^HTTP\/1\.1 200 OK\r\n.*x-tokenwright-identity: support\/agent:summarizer\r\n/s);
    expect([second === first, closes(first ?? '')]).toEqual([true, false]);
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND'])(
    'is answered alike when it asks by %s',
    async (method) => {
      const { ask } = await serve();
      const yes = await ask(request(TARGET, GOOD, method, ''));
      const no = await ask(request(TARGET, {}, method));
      expect([yes, no]).toEqual([await ask(request(TARGET, GOOD)), await ask(request(TARGET))]);
    },
  );

  it('is answered alike when it asks by HEAD, but for the body', async () => {
    const { open, ask } = await serve();
    const wire = open().write(request(TARGET, { connection: 'close' }, 'HEAD'));
    await wire.closed;
    const usual = await ask(request(TARGET, { connection: 'close' }));
    expect(wire.received.replace(/^Date: .*\r\n/m, '')).toBe(usual.slice(0, usual.indexOf('\r\n\r\n') + 4));
  });

  it('is believed about the address of the caller where it is trusted', async () => {
    const { ask } = await serve();
    await ask(request(TARGET, { ...GOOD, 'x-forwarded-for': '10.9.9.9, 192.0.2.7' }));
    expect(world.recorded.map(([call]) => call.source)).toEqual(['192.0.2.7']);
  });

  it('may be Envoy, which asks with the path and method of the call', async () => {
    const { ask } = await serve();
    const needs = { 'x-tokenwright-need-audience': 'ai-gateway', 'x-tokenwright-need-scope': 'routes' };
    const asked = ['POST', 'GET'].map((method) => ask(request('/envoy/v1/chat?a=b', { ...GOOD, ...needs }, method)));
    expect((await Promise.all(asked)).map(statusOf)).toEqual([200, 403]);
  });
});

describe('a stranger', () => {
  it.each([
    '/',
    '/authorize/',
    '/Authorize',
    '//authorize',
    '/authorize%3faudience=ai-gateway',
    '/envoyx',
    `http://verifier${TARGET}`,
    '*',
  ])('gets no yes at %s', async (target) => {
    const { ask } = await serve();
    const needs = { 'x-tokenwright-need-audience': 'ai-gateway', 'x-tokenwright-need-scope': '-' };
    expect(statusOf(await ask(request(target, { ...GOOD, ...needs }, 'OPTIONS')))).toBe(404);
  });

  it('cannot tell by one byte why a token is refused', async () => {
    world = new VerifierWorld();
    const at = (uid: string, more: object = {}) => world.put({ uid, ...more });
    at('expired', { versions: [{ expirationTime: NOW }] });
    at('retired', { versions: [{ state: 'Previous', acceptedUntilTime: NOW }] });
    at('revoked', { revokedThroughVersion: 3 });
    at('ordered');
    world.ordered.add('ordered');
    at('suspended', { spec: { state: 'Suspended' } });
    at('unsealed', { key: OTHER_KEY });
    at('elsewhere', { spec: { audiences: ['search'] } });
    at('minted', { versions: [{ digest: digestOf('another') }] });
    const values = [
      'expired',
      'retired',
      'revoked',
      'ordered',
      'suspended',
      'unsealed',
      'elsewhere',
      'minted',
      'unknown',
    ].map((uid) => tokenValue(uid));
    const { ask } = await serve();
    const answers = [...values, tokenValue('expired').replace(/.$/, '~'), `${tokenValue('expired')}x`, 'nonsense'].map(
      (value) => ask(request(TARGET, { authorization: `Bearer ${value}` })),
    );
    expect([...new Set(await Promise.all(answers))]).toEqual([
      expect.stringMatching(/^HTTP\/1\.1 401 Unauthorized\r\n/),
    ]);
    expect(new Set(world.recorded.map(([, { outcome }]) => outcome))).toEqual(
      new Set([
        'Expired',
        'Retired',
        'Revoked',
        'Suspended',
        'SealInvalid',
        'AudienceWrong',
        'ValueUnknown',
        'TokenUnknown',
        'Malformed',
      ]),
    );
  });

  it('hides no second token behind thousands of headers', async () => {
    const { ask } = await serve();
    const many = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`a${i}`, '']));
    const answer = await ask(request(TARGET, { ...GOOD, ...many, 'x-api-key': 'another' }));
    expect([statusOf(answer), world.recorded.map(([, { outcome }]) => outcome)]).toEqual([400, ['TokenAmbiguous']]);
  });

  it('gets 431 for more headers than gateways take, and is cut', async () => {
    const { open } = await serve();
    const wire = open().write(request(TARGET, { ...GOOD, x: 'x'.repeat(40_000) }));
    await wire.closed;
    expect([statusOf(wire.received), world.recorded]).toEqual([431, []]);
  });

  it.each([
    ['two lengths', { 'content-length': ['0', '5'] }],
    ['a length and chunks', { 'content-length': '5', 'transfer-encoding': 'chunked' }],
    ['a field name with a space', { 'x ': 'y' }],
    ['a line feed in a value', { x: 'y\nz' }],
  ])('gets 400 for %s', async (_, headers) => {
    const { open } = await serve();
    const wire = open().write(request(TARGET, { ...GOOD, ...headers }));
    await wire.closed;
    expect([statusOf(wire.received), world.recorded]).toEqual([400, []]);
  });

  it('is cut when its headers come too slowly', async () => {
    const { open } = await serve({ timing: { headersTimeout: 50, connectionsCheckingInterval: 20 } });
    const wire = open().write('GET /authorize HTTP/1.1\r\nhost: x\r\n');
    await wire.closed;
    expect(statusOf(wire.received)).toBe(408);
  });

  it('is cut when it says nothing', async () => {
    const { open } = await serve({ timing: { headersTimeout: 50, connectionsCheckingInterval: 20 } });
    const wire = open();
    await wire.closed;
    expect(world.recorded).toEqual([]);
  });
});

describe('the body of a call', () => {
  it.each([
    ['with a length', { 'content-length': '1000000000' }, ''],
    ['with a length, begun', { 'content-length': '1000000000' }, 'abc'],
    ['in chunks', { 'transfer-encoding': 'chunked' }, '3\r\nabc\r\n'],
    ['that is announced', { 'content-length': '10', expect: '100-continue' }, ''],
  ])('%s is not waited for, and the connection ends with the answer', async (_, headers, body) => {
    const { open } = await serve();
    const wire = open().write(request(TARGET, { ...GOOD, ...headers }, 'POST', body));
    await wire.closed;
    const answer = wire.received.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
    expect([statusOf(answer), closes(answer)]).toEqual([200, true]);
  });

  it('of no length costs no connection', async () => {
    const { open } = await serve();
    const text = request(TARGET, { ...GOOD, 'content-length': '0' }, 'POST');
    expect((await open().write(text).write(text).answers(2)).map(closes)).toEqual([false, false]);
  });

  it('that asks for another protocol is a call like any other', async () => {
    const { ask } = await serve();
    expect(statusOf(await ask(request(TARGET, { ...GOOD, connection: 'upgrade', upgrade: 'websocket' })))).toBe(200);
  });
});

describe('calls on one connection', () => {
  it('are answered in their order, though a later one is known at once', async () => {
    const { release } = hold();
    const { open } = await serve();
    const wire = open().write(request(TARGET, HELD) + request(TARGET, GOOD) + request('/nowhere'));
    await expect.poll(() => world.recorded.map(([, { outcome }]) => outcome)).toEqual(['Allowed']);
    const before = wire.received;
    release();
    expect([before, (await wire.answers(3)).map(statusOf)]).toEqual(['', [401, 200, 404]]);
  });

  it('end well where the client leaves before its answer', async () => {
    const { asked, release } = hold();
    const { open, ask } = await serve();
    const wire = open().write(request(TARGET, HELD));
    await asked;
    wire.socket.destroy();
    await wire.closed;
    release();
    expect(statusOf(await ask(request(TARGET, GOOD)))).toBe(200);
  });
});

describe('closing', () => {
  it('first ends each connection with its next answer, while new ones are still taken', async () => {
    const { server, open } = await serve();
    const kept = open().write(request(TARGET, GOOD));
    await kept.answers(1);
    server.retire();
    const [before = '', after = ''] = await kept.write(request(TARGET, GOOD)).answers(2);
    const fresh = open().write(request(TARGET, GOOD));
    const [first = ''] = await fresh.answers(1);
    await Promise.all([kept.closed, fresh.closed]);
    expect([before, after, first].map(closes)).toEqual([false, true, true]);
  });

  it('answers what was asked, ends idle connections, and takes no new ones', async () => {
    const { asked, release } = hold();
    const { server, open, port } = await serve();
    const idle = open().write(request(TARGET, GOOD));
    await idle.answers(1);
    const waiting = open().write(request(TARGET, HELD));
    await asked;
    const closing = server.close(60_000);
    await idle.closed;
    release();
    const [answer = ''] = await waiting.answers(1);
    await Promise.all([closing, waiting.closed]);
    const late = new Wire(port);
    await late.closed;
    expect([statusOf(answer), closes(answer), late.received]).toEqual([401, true, '']);
  });

  it('cuts whoever is left when its time is up', async () => {
    const { asked } = hold();
    const { server, open } = await serve();
    const waiting = open().write(request(TARGET, HELD));
    await asked;
    await server.close(10);
    await waiting.closed;
    expect(waiting.received).toBe('');
  });
});

describe('another door', () => {
  it('answers at its path', async () => {
    const handle = async () => ({ status: 418, headers: {}, body: '' });
    const { ask } = await serve({ doors: [{ path: '/tea', handle }] });
    expect([await ask(request('/tea?x')), await ask(request('/teapot'))].map(statusOf)).toEqual([418, 404]);
  });

  it('that fails costs its connection, and no other', async () => {
    const handle = () => Promise.reject(new Error('broken'));
    const { open, ask } = await serve({ doors: [{ path: '/tea', handle }] });
    const wire = open().write(request('/tea'));
    await wire.closed;
    expect([wire.received, statusOf(await ask(request(TARGET, GOOD)))]).toEqual(['', 200]);
  });
});

describe('an address', () => {
  it('that is taken is told', async () => {
    const { port } = await serve();
    const other = new VerifierServer({
      host: '127.0.0.1',
      port,
      tls: undefined,
      verifier: world.verifier,
      sourceOf: () => undefined,
    });
    await expect(other.listen()).rejects.toThrow(`127.0.0.1:${port} (EADDRINUSE)`);
  });
});
