import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server, type Http2Server } from 'node:http2';
import { type AddressInfo, connect, type Server } from 'node:net';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, test } from 'vitest';
import { startCaddy } from '../../tools/parts/caddy.ts';
import { startEnvoy } from '../../tools/parts/envoy.ts';
import { isLeftOut } from '../../tools/parts/left-out.ts';
import { startNginx } from '../../tools/parts/nginx.ts';
import { startRedis } from '../../tools/parts/redis.ts';
import { accepts, type Place, type RunningPart } from '../../tools/parts/running.ts';

const endings: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function listen(server: Server | Http2Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const backend = () => listen(createServer((_, response) => void response.end('backend')));

const verdict: RequestListener = ({ headers }, response) =>
  void response.writeHead(headers.authorization === 'Bearer good' ? 200 : 401).end();
/** Says yes to one token. */
const verifier = () => listen(createServer(verdict));

/** The same in gRPC: one CheckResponse, whose status has code 0 (OK) or 16 (UNAUTHENTICATED). */
const grpcVerifier = () =>
  listen(
    createHttp2Server().on('stream', async (stream, headers) => {
      const request = await buffer(stream);
      const code = headers[':path'] === '/envoy.service.auth.v3.Authorization/Check' && request.includes('Bearer good');
      stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.end(Buffer.from([0, 0, 0, 0, 4, 0x0a, 0x02, 0x08, code ? 0 : 16]));
    }),
  );

async function ask({ port }: Place, token: string): Promise<[number, string]> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat`, { headers: { authorization: `Bearer ${token}` } });
  return [answer.status, await answer.text()];
}

/** Stops it, twice, and shows that nothing of it is left. */
async function expectCleanEnd(part: RunningPart): Promise<void> {
  await part.stop();
  await part.stop();
  expect(() => process.kill(part.pid, 0)).toThrow('ESRCH');
  expect(await accepts(part.port)).toBe(false);
  expect(existsSync(part.directory)).toBe(false);
}

async function expectGate(gateway: RunningPart, refusal: number): Promise<void> {
  endings.push(() => gateway.stop());
  expect(await ask(gateway, 'good')).toEqual([200, 'backend']);
  const [status, body] = await ask(gateway, 'bad');
  expect(status).toBe(refusal);
  expect(body).not.toContain('backend');
  await expectCleanEnd(gateway);
}

describe.skipIf(isLeftOut('nginx'))('nginx', () => {
  const gate = (verifierPort: number, backendPort: number) => (place: Place) =>
    `
    server {
      listen 127.0.0.1:${place.port};
      location / {
        auth_request /authorize;
        proxy_pass http://127.0.0.1:${backendPort};
      }
      location = /authorize {
        internal;
        proxy_pass http://127.0.0.1:${verifierPort};
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
      }
    }`;

  test('passes on what auth_request allows, and answers 401 to the rest', async () => {
    await expectGate(await startNginx({ config: gate(await verifier(), await backend()) }), 401);
  });

  test('tells its last words where it does not take its configuration', async () => {
    const wrong = () => 'no_such_directive on;';
    await expect(startNginx({ config: wrong })).rejects.toThrow(/nginx ended by itself .*\n.*"no_such_directive"/);
  });

  test('listens on as many ports as asked, and says in its log what it was asked', async () => {
    const config = ({ ports }: Place) =>
      ports.map((port) => `server { listen 127.0.0.1:${port}; return 200 "${port}"; }`).join('\n');
    const nginx = await startNginx({ config, ports: 2 });
    endings.push(() => nginx.stop());
    expect(nginx.ports).toHaveLength(2);
    for (const port of nginx.ports) expect(await ask({ ...nginx, port }, 'any')).toEqual([200, String(port)]);
    expect(await nginx.logs()).toContain('GET /v1/chat');
  });

  test('is gone when the process that started it is killed', async () => {
    const { href } = new URL('../../tools/parts/nginx.ts', import.meta.url);
    const program = `
      import { startNginx } from '${href}';
      const config = ({ port }) => 'server { listen 127.0.0.1:' + port + '; return 204; }';
      const { port, directory } = await startNginx({ config });
      console.log(JSON.stringify({ port, directory }));`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(parent.stdout, 'data');
    const { port, directory } = JSON.parse(String(line));
    expect(await accepts(port)).toBe(true);
    parent.kill('SIGKILL');
    await expect.poll(() => accepts(port), { timeout: 20_000 }).toBe(false);
    await expect.poll(() => existsSync(directory), { timeout: 20_000 }).toBe(false);
  });
});

describe.skipIf(isLeftOut('caddy'))('Caddy', () => {
  test('passes on what forward_auth allows, and hands back the refusal of the verifier', async () => {
    const [verifierPort, backendPort] = [await verifier(), await backend()];
    const config = ({ port }: Place) => `http://127.0.0.1:${port} {
      bind 127.0.0.1
      forward_auth 127.0.0.1:${verifierPort} {
        uri /authorize
      }
      reverse_proxy 127.0.0.1:${backendPort}
    }`;
    await expectGate(await startCaddy({ config }), 401);
  });
});

describe.skipIf(isLeftOut('envoy'))('Envoy', () => {
  const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } });
  const cluster = (name: string, port: number, more: object = {}) => ({
    name,
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...more,
  });
  const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.${name}` });
  const http2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        ...type('extensions.upstreams.http.v3.HttpProtocolOptions'),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };

  const gate = (authorization: object, clusters: object[]) => (place: Place) => {
    const httpFilters = [
      {
        name: 'envoy.filters.http.ext_authz',
        typed_config: { ...type('extensions.filters.http.ext_authz.v3.ExtAuthz'), ...authorization },
      },
      { name: 'envoy.filters.http.router', typed_config: type('extensions.filters.http.router.v3.Router') },
    ];
    const manager = {
      ...type('extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
      stat_prefix: 'gate',
      route_config: {
        virtual_hosts: [
          { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'backend' } }] },
        ],
      },
      http_filters: httpFilters,
    };
    const filters = [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }];
    const listeners = [{ name: 'gate', address: address(place.port), filter_chains: [{ filters }] }];
    return JSON.stringify({ static_resources: { listeners, clusters } });
  };

  test('passes on what ext_authz allows over HTTP, and hands back the refusal of the verifier', async () => {
    const port = await verifier();
    const authorization = {
      http_service: { server_uri: { uri: `http://127.0.0.1:${port}`, cluster: 'verifier', timeout: '5s' } },
    };
    const clusters = [cluster('verifier', port), cluster('backend', await backend())];
    await expectGate(await startEnvoy({ config: gate(authorization, clusters) }), 401);
  });

  test('passes on what ext_authz allows over gRPC, and answers 403 to the rest', async () => {
    const authorization = { grpc_service: { envoy_grpc: { cluster_name: 'verifier' }, timeout: '5s' } };
    const clusters = [cluster('verifier', await grpcVerifier(), http2), cluster('backend', await backend())];
    await expectGate(await startEnvoy({ config: gate(authorization, clusters) }), 403);
  });
});

describe.skipIf(isLeftOut('redis'))('Redis', () => {
  async function command({ port }: Place, line: string): Promise<string> {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${line}\r\nQUIT\r\n`);
    return text(socket);
  }

  test('answers PING, and takes more arguments', async () => {
    const redis = await startRedis({ args: ['--maxmemory', '2mb'] });
    endings.push(() => redis.stop());
    expect(await command(redis, 'PING')).toBe('+PONG\r\n+OK\r\n');
    expect(await command(redis, 'CONFIG GET maxmemory')).toContain('2097152');
    await expectCleanEnd(redis);
  });

  test('two at once are apart', async () => {
    const [one, two] = await Promise.all([startRedis(), startRedis()]);
    endings.push(one.stop, two.stop);
    await command(one, 'SET key value');
    expect(await command(two, 'GET key')).toBe('$-1\r\n+OK\r\n');
  });
});
