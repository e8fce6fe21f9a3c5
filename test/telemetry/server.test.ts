import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ReadyCheck, TelemetryServer } from '../../src/telemetry/server.ts';

const running: TelemetryServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(50)));
});

async function* twoBlocks() {
  yield 'a 1\n';
  yield 'b 2\n';
}

async function serve(
  options: { checks?: ReadyCheck[]; render?: () => AsyncIterable<string>; scrapeMilliseconds?: number } = {},
) {
  const metrics = { contentType: 'text/plain; version=0.0.4', render: options.render ?? twoBlocks };
  const server = new TelemetryServer({ host: '127.0.0.1', port: 0, checks: [], ...options, metrics });
  running.push(server);
  const { port } = await server.listen();
  return { server, port, url: `http://127.0.0.1:${port}` };
}

/** Sends raw text and answers what comes until the server closes. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (part) => {
    answer += part;
  });
  socket.on('error', () => {});
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

describe('/healthz', () => {
  it('is ok while the process answers, ready or not', async () => {
    const { url } = await serve({ checks: [{ name: 'caches', problem: () => 'not synced' }] });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('/readyz', () => {
  it('says which check fails, and why', async () => {
    let problem: string | undefined = 'not synced';
    const checks = [
      { name: 'caches', problem: () => problem },
      { name: 'audit', problem: () => undefined },
    ];
    const { url } = await serve({ checks });
    const before = await fetch(`${url}/readyz?verbose`);
    expect([before.status, await before.text()]).toEqual([
      503,
      '[-]caches not ready: not synced\n[+]audit ok\nnot ready\n',
    ]);
    problem = undefined;
    const after = await fetch(`${url}/readyz`);
    expect([after.status, await after.text()]).toEqual([200, '[+]caches ok\n[+]audit ok\nready\n']);
  });

  it('takes a check that throws for one that fails', async () => {
    const broken = () => {
      throw new Error('private');
    };
    const { url } = await serve({ checks: [{ name: 'caches', problem: broken }] });
    const answer = await fetch(`${url}/readyz`);
    expect(answer.status).toBe(503);
    expect(await answer.text()).not.toContain('private');
  });
});

describe('/metrics', () => {
  it('gives all blocks under the type of the format', async () => {
    const { url } = await serve();
    const answer = await fetch(`${url}/metrics`);
    expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([
      200,
      'text/plain; version=0.0.4',
      'a 1\nb 2\n',
    ]);
  });

  it('cuts a scrape that fails, so that a half is not taken for the whole', async () => {
    const { url } = await serve({
      render: async function* () {
        yield 'a 1\n';
        throw new Error('broken');
      },
    });
    await expect(fetch(`${url}/metrics`).then((answer) => answer.text())).rejects.toThrow();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('cuts a scrape whose reader takes too long, and frees its place', async () => {
    const { url, port } = await serve({
      scrapeMilliseconds: 5_000,
      render: async function* () {
        for (let i = 0; i < 1_000; i++) yield 'x'.repeat(65_536);
      },
    });
    const readers = Array.from({ length: 4 }, () => connect(port, '127.0.0.1'));
    for (const reader of readers) {
      reader.on('error', () => {});
      reader.pause();
      reader.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    }
    const status = async () => (await fetch(`${url}/metrics`, { method: 'HEAD' })).status;
    await expect.poll(status).toBe(503);
    await expect.poll(status).toBe(200);
    for (const reader of readers) reader.destroy();
  });

  it('answers a bounded number of scrapes at the same time, and more once they are done', async () => {
    const gate = Promise.withResolvers<void>();
    const { url } = await serve({
      render: async function* () {
        await gate.promise;
        yield 'a 1\n';
      },
    });
    let refused = 0;
    const ask = async () => {
      const answer = await fetch(`${url}/metrics`);
      if (answer.status === 503) refused += 1;
      return answer;
    };
    const answers = Promise.all(Array.from({ length: 10 }, ask));
    await expect.poll(() => refused).toBe(6);
    gate.resolve();
    const statuses = (await answers).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 200, 200, 200, 503, 503, 503, 503, 503, 503]);
    for (const answer of await answers) await answer.text();
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });
});

describe('a request', () => {
  it('by HEAD is answered without a body', async () => {
    const { url } = await serve();
    for (const path of ['/healthz', '/metrics']) {
      const answer = await fetch(url + path, { method: 'HEAD' });
      expect([answer.status, await answer.text()]).toEqual([200, '']);
    }
  });

  it.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('by %s is refused', async (method) => {
    const { url } = await serve();
    const answer = await fetch(`${url}/metrics`, { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });

  it('of any other path is not found', async () => {
    const { url } = await serve();
    for (const path of ['/', '/metrics/', '/debug/pprof', '//healthz'])
      expect((await fetch(url + path)).status, path).toBe(404);
  });

  it('with a body is refused before the body is read, and cut', async () => {
    const { port } = await serve();
    for (const header of ['Content-Length: 1000000000', 'Transfer-Encoding: chunked']) {
      const answer = await raw(port, `GET /metrics HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    }
  });

  it('with headers without end is refused and cut', async () => {
    const { port } = await serve();
    expect(await raw(port, `GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 /,
    );
  });
});

describe('close', () => {
  it('does not wait for idle connections', async () => {
    const { server, port } = await serve();
    const agentSocket: Socket = connect(port, '127.0.0.1');
    await once(agentSocket, 'connect');
    agentSocket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(agentSocket, 'data');
    const start = performance.now();
    await server.close(50_000);
    expect(performance.now() - start).toBeLessThan(25_000);
  });

  it('lets an answer end that was begun', async () => {
    const { server, url } = await serve({
      render: async function* () {
        yield 'a 1\n';
        await new Promise((resolve) => setTimeout(resolve, 100));
        yield 'b 2\n';
      },
    });
    const answer = await fetch(`${url}/metrics`);
    const closed = server.close(5_000);
    expect(await answer.text()).toBe('a 1\nb 2\n');
    await closed;
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it('cuts who never ends', async () => {
    const { server, port } = await serve({
      render: async function* () {
        for (;;) yield 'x'.repeat(65_536);
      },
    });
    const request = httpRequest({ port, host: '127.0.0.1', path: '/metrics' });
    request.on('error', () => {});
    request.end();
    const [response] = await once(request, 'response');
    response.on('error', () => {});
    const start = performance.now();
    await server.close(100);
    expect(performance.now() - start).toBeLessThan(25_000);
  });
});

it('says which address it cannot have', async () => {
  const { port } = await serve();
  const second = new TelemetryServer({
    host: '127.0.0.1',
    port,
    checks: [],
    metrics: { contentType: '', render: twoBlocks },
  });
  await expect(second.listen()).rejects.toThrow(`Cannot serve metrics on 127.0.0.1:${port} (EADDRINUSE)`);
});
