import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiServerClient } from '../../src/kube/client.ts';
import { ClusterConnection } from '../../src/kube/connection.ts';
import { FakeApiServer, type Widget, widgets } from './fake-api-server.ts';

let server: FakeApiServer;
let directory: string;
let lateMs: number;
const open: ClusterConnection[] = [];

beforeEach(async () => {
  server = await FakeApiServer.listen();
  directory = mkdtempSync(join(tmpdir(), 'connection-'));
  lateMs = 0;
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + lateMs);
});

afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(open.splice(0).map((connection) => connection.close()));
  await server.close();
  rmSync(directory, { recursive: true });
});

async function connect(user: object, cluster: object = {}): Promise<ClusterConnection> {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: 'c', server: server.origin, skipTLSVerify: true, ...cluster }],
    users: [{ name: 'u', ...user }],
    contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
    currentContext: 'x',
  });
  const connection = await ClusterConnection.open(config, '1.2.3');
  open.push(connection);
  return connection;
}

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const tokenFile = (path: string) => ({ authProvider: { name: 'tokenFile', config: { tokenFile: path } } });

describe('who we are', () => {
  it.each([
    ['a token', { token: 'abc' }, { authorization: 'Bearer abc' }],
    ['a name and password', { username: 'u', password: 'p' }, { authorization: `Basic ${btoa('u:p')}` }],
    ['somebody else', { impersonateUser: 'jane' }, { 'impersonate-user': 'jane' }],
    ['nobody', {}, {}],
  ])('is said by %s, and by the User-Agent', async (_what, user, expected) => {
    const connection = await connect(user);
    expect(await connection.authorize()).toEqual({ 'user-agent': 'tokenwright/1.2.3', ...expected });
  });

  it('is sent with every request', async () => {
    const client = new ApiServerClient({ connection: await connect({ token: 'abc' }) });
    await client.list(widgets);
    expect(server.seen[0]?.headers).toMatchObject({ authorization: 'Bearer abc', 'user-agent': 'tokenwright/1.2.3' });
  });
});

describe('a token in a file', () => {
  it('is read again every 30 s, without the line end', async () => {
    const path = write('token', 'one\n');
    const connection = await connect(tokenFile(path));
    expect((await connection.authorize()).authorization).toBe('Bearer one');
    writeFileSync(path, 'two\n');
    lateMs = 29_000;
    expect((await connection.authorize()).authorization).toBe('Bearer one');
    lateMs = 30_000;
    expect((await connection.authorize()).authorization).toBe('Bearer two');
  });

  it('is read again when the server refuses it, and the request sent again', async () => {
    const path = write('token', 'one');
    const client = new ApiServerClient({ connection: await connect(tokenFile(path)) });
    server.answer = ({ headers }, response) => {
      if (headers.authorization !== 'Bearer two') response.writeHead(401);
      response.end('{}');
      return true;
    };
    writeFileSync(path, 'two');
    lateMs = 1500;
    await client.create(widgets, { metadata: { namespace: 'n', name: 'a' } });
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer one', 'Bearer two']);
  });

  it('is not read at every refusal', async () => {
    const path = write('token', 'one');
    const connection = await connect(tokenFile(path));
    const headers = await connection.authorize();
    writeFileSync(path, 'two');
    expect(await connection.authorize(headers)).toBe(headers);
  });

  it('that cannot be read later is used on, and at the start is an error', async () => {
    const path = write('token', 'one');
    const connection = await connect(tokenFile(path));
    rmSync(path);
    lateMs = 40_000;
    expect((await connection.authorize()).authorization).toBe('Bearer one');
    await expect(connect(tokenFile(path))).rejects.toThrow('the credentials for the cluster cannot be read (ENOENT)');
  });
});

describe('a credential plugin', () => {
  function plugin(status: object, exitCode = 0): object {
    const reply = write('reply', JSON.stringify({ status }));
    const script = write(
      'plugin',
      `#!/bin/sh\necho run >> ${directory}/runs\necho hunter2 >&2\ncat ${reply}\nexit ${exitCode}\n`,
    );
    chmodSync(script, 0o700);
    return { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: script } };
  }

  const runs = () => readFileSync(join(directory, 'runs'), 'utf8').split('\n').length - 1;

  it('is asked again when its token has expired, once for all who wait', async () => {
    const connection = await connect(plugin({ token: 'abc', expirationTimestamp: '2020-01-01T00:00:00Z' }));
    expect(runs()).toBe(1);
    lateMs = 40_000;
    const all = await Promise.all([connection.authorize(), connection.authorize(), connection.authorize()]);
    expect(all.map(({ authorization }) => authorization)).toEqual(Array(3).fill('Bearer abc'));
    expect(runs()).toBe(2);
  });

  it('that fails is an error, without what it printed', async () => {
    const failing = connect(plugin({ token: 'abc' }, 1)).catch((error: Error) => `${error.stack}`);
    expect(await failing).toContain('the credentials for the cluster cannot be read');
    expect(await failing).not.toContain('hunter2');
  });
});

describe('TLS material that changes', () => {
  it('is used by new connections, while a watch on an old one goes on', async () => {
    const caFile = write('ca.crt', 'one');
    const connection = await connect({}, { caFile });
    const client = new ApiServerClient({ connection });
    const names: string[] = [];
    const options = { resourceVersion: '1', timeoutSeconds: 60, silenceMs: 60_000 };
    const watching = client.watch<Widget>(widgets, options, (event) => {
      if (event.type !== 'BOOKMARK') names.push(event.object.metadata.name);
    });
    await expect.poll(() => server.watches.size).toBe(1);
    const { requests, watches } = connection;
    lateMs = 40_000;
    await client.list(widgets);
    expect(connection.requests).toBe(requests);
    writeFileSync(caFile, 'two');
    lateMs = 80_000;
    await client.list(widgets);
    expect(connection.requests).not.toBe(requests);
    expect(connection.watches).not.toBe(watches);
    server.put('a');
    await expect.poll(() => names).toEqual(['a']);
    await connection.close();
    await expect(watching).rejects.toMatchObject({ reason: 'Unavailable' });
  });
});

describe('closing', () => {
  it('waits for a request in flight, and cuts a watch', async () => {
    const connection = await connect({});
    const client = new ApiServerClient({ connection });
    const options = { resourceVersion: '1', timeoutSeconds: 60, silenceMs: 60_000 };
    const watching = client.watch(widgets, options, () => {}).catch(({ reason }: { reason: string }) => reason);
    await expect.poll(() => server.watches.size).toBe(1);
    let answer = () => {};
    server.answer = (_seen, response) => {
      answer = () => void response.end('{"items":[]}');
      return true;
    };
    const listing = client.list(widgets);
    await expect.poll(() => server.seen).toHaveLength(2);
    const closing = connection.close();
    expect(await watching).toBe('Unavailable');
    answer();
    expect(await listing).toEqual([]);
    await closing;
    await expect(client.list(widgets)).rejects.toMatchObject({ name: 'KubeError', reason: 'Unavailable' });
  });
});

describe('the address', () => {
  it('may have a path, as behind Rancher', async () => {
    const connection = await connect({}, { server: `${server.origin}/k8s/clusters/c-1/` });
    expect([connection.origin, connection.basePath]).toEqual([server.origin, '/k8s/clusters/c-1']);
  });

  it('may be behind an HTTP proxy', async () => {
    const tunnels: string[] = [];
    const proxy: Server = createServer();
    proxy.on('connect', (request, socket) => {
      tunnels.push(request.url ?? '');
      const { hostname, port } = new URL(`http://${request.url}`);
      const upstream = dial(Number(port), hostname, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
      upstream.pipe(socket).pipe(upstream);
      socket.on('error', () => upstream.destroy());
      upstream.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const proxyUrl = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const connection = await connect({}, { proxyUrl });
    server.put('a');
    expect(await new ApiServerClient({ connection }).list(widgets)).toHaveLength(1);
    expect(tunnels).toEqual([new URL(server.origin).host]);
    await connection.close();
    await new Promise((resolve) => proxy.close(resolve));
  });

  it('is not reached through SOCKS, and says so', async () => {
    await expect(connect({}, { proxyUrl: 'socks5://127.0.0.1:1' })).rejects.toThrow('a proxy that is not HTTP');
  });
});
