import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiServerClient } from '../../src/kube/client.ts';
import { KubeError, type KubeObject, type ResourceType } from '../../src/ports.ts';
import { FakeApiServer, type Seen, type Widget, widgets } from './fake-api-server.ts';

const secrets: ResourceType = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true };
const nodes: ResourceType = { group: '', version: 'v1', plural: 'nodes', kind: 'Node', namespaced: false };
const key = { namespace: 'team', name: 'x' };
const object: Widget = { metadata: { ...key, uid: 'u', resourceVersion: '5' }, spec: { size: 1 } };

let server: FakeApiServer;
let client: ApiServerClient;
let counted: [verb: string, resource: string, code: number][];
const dates: (string | undefined)[] = [];

beforeEach(async () => {
  server = await FakeApiServer.listen();
  counted = [];
  dates.length = 0;
  client = newClient();
});

afterEach(() => {
  vi.useRealTimers();
  return server.close();
});

function newClient(authorize?: () => Promise<Record<string, string>>): ApiServerClient {
  return new ApiServerClient({
    connection: server.connection(authorize),
    metrics: { apiCall: (...call) => void counted.push([call[0], call[1], call[2]]) },
    onDate: (date) => void dates.push(date),
    random: () => 0,
  });
}

/** Answers the n-th request with the n-th of these, and the last for ever after. */
function answers(
  ...given: { status?: number; headers?: Record<string, string>; body?: object | string; cut?: boolean }[]
) {
  let count = 0;
  server.answer = (_seen, response) => {
    const { status = 200, headers = {}, body = object, cut = false } = given[Math.min(count, given.length - 1)] ?? {};
    count += 1;
    if (cut) response.socket?.resetAndDestroy();
    else response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    return true;
  };
}

async function asked(call: () => Promise<unknown>): Promise<Seen & { json: unknown }> {
  answers({});
  await call();
  const [seen] = server.seen;
  if (seen === undefined) throw new Error('nothing was asked');
  return { ...seen, json: seen.body === '' ? undefined : JSON.parse(seen.body) };
}

async function refused(call: Promise<unknown>): Promise<KubeError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof KubeError)) throw new Error(`not a KubeError: ${String(error)}`);
  return error;
}

const typed = { apiVersion: 'example.dev/v1', kind: 'Widget' };

describe('each verb', () => {
  it.each<[string, () => Promise<unknown>, string, string, object | undefined]>([
    ['get', () => client.get(widgets, key), 'GET', '/apis/example.dev/v1/namespaces/team/widgets/x', undefined],
    ['get, cluster-scoped', () => client.get(nodes, { name: 'n' }), 'GET', '/api/v1/nodes/n', undefined],
    [
      'create',
      () => client.create(widgets, object),
      'POST',
      '/apis/example.dev/v1/namespaces/team/widgets?fieldManager=tokenwright',
      { ...typed, ...object },
    ],
    [
      'replace',
      () => client.replace(widgets, object),
      'PUT',
      '/apis/example.dev/v1/namespaces/team/widgets/x?fieldManager=tokenwright',
      { ...typed, ...object },
    ],
    [
      'replaceStatus',
      () => client.replaceStatus(widgets, object),
      'PUT',
      '/apis/example.dev/v1/namespaces/team/widgets/x/status?fieldManager=tokenwright',
      { ...typed, ...object },
    ],
    [
      'apply',
      () => client.apply(widgets, object, { fieldManager: 'tokenwright/7' }),
      'PATCH',
      '/apis/example.dev/v1/namespaces/team/widgets/x?fieldManager=tokenwright%2F7',
      { ...typed, ...object },
    ],
    [
      'apply with force',
      () => client.apply(widgets, object, { fieldManager: 'f', force: true }),
      'PATCH',
      '/apis/example.dev/v1/namespaces/team/widgets/x?fieldManager=f&force=true',
      { ...typed, ...object },
    ],
    [
      'mergePatch',
      () => client.mergePatch(widgets, key, { spec: { size: null } }),
      'PATCH',
      '/apis/example.dev/v1/namespaces/team/widgets/x?fieldManager=tokenwright',
      { spec: { size: null } },
    ],
    [
      'mergePatch of status',
      () => client.mergePatch(widgets, key, { status: { size: 3 } }, { subresource: 'status' }),
      'PATCH',
      '/apis/example.dev/v1/namespaces/team/widgets/x/status?fieldManager=tokenwright',
      { status: { size: 3 } },
    ],
    [
      'delete',
      () => client.delete(widgets, key, { uid: 'u', resourceVersion: '5' }),
      'DELETE',
      '/apis/example.dev/v1/namespaces/team/widgets/x',
      {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: 'Background',
        preconditions: { uid: 'u', resourceVersion: '5' },
      },
    ],
    [
      'names that need escaping',
      () => client.get(widgets, { namespace: 'a/../b', name: 'a/b?c' }),
      'GET',
      '/apis/example.dev/v1/namespaces/a%2F..%2Fb/widgets/a%2Fb%3Fc',
      undefined,
    ],
  ])('%s', async (_verb, call, method, path, json) => {
    const seen = await asked(call);
    const query = seen.query.size === 0 ? '' : `?${seen.query}`;
    expect([seen.method, seen.path + query, seen.json]).toEqual([method, path, json]);
  });

  it('names the patch that it sends', async () => {
    const apply = await asked(() => client.apply(widgets, object, { fieldManager: 'f' }));
    expect(apply.headers['content-type']).toBe('application/apply-patch+yaml');
    server.seen.length = 0;
    const merge = await asked(() => client.mergePatch(widgets, key, {}));
    expect(merge.headers['content-type']).toBe('application/merge-patch+json');
  });

  it.each(['uid', 'resourceVersion'])('sends no PUT without %s', async (field) => {
    const metadata = { ...object.metadata, [field]: undefined };
    for (const put of [client.replace(widgets, { metadata }), client.replaceStatus(widgets, { metadata })]) {
      expect(await refused(put)).toMatchObject({ reason: 'BadRequest', transient: false, status: 0 });
    }
    expect(server.seen).toEqual([]);
  });

  it.each([
    { namespace: 'team', name: '' },
    { namespace: '', name: 'x' },
    { namespace: '..', name: 'x' },
    { namespace: 'team', name: '.' },
    { name: 'x' },
  ])('sends nothing for %j: it would ask for something else', async (odd) => {
    expect(await refused(client.delete(widgets, odd))).toMatchObject({ reason: 'BadRequest', status: 0 });
    expect(await refused(client.get(widgets, odd))).toMatchObject({ reason: 'BadRequest', status: 0 });
    expect(server.seen).toEqual([]);
  });

  it('goes through the base path of a proxy', async () => {
    const connection = { ...server.connection(), basePath: '/k8s/clusters/c-1' };
    const seen = await asked(() => new ApiServerClient({ connection }).get(nodes, { name: 'n' }));
    expect(seen.path).toBe('/k8s/clusters/c-1/api/v1/nodes/n');
  });
});

describe('a list', () => {
  it('has all pages, and says the kind of each item', async () => {
    server.pageSize = 2;
    for (const name of ['a', 'b', 'c']) server.put(name);
    const items = await client.list(widgets, { namespace: 'default', labelSelector: 'a=b' });
    expect(items.map(({ kind, metadata }) => [kind, metadata.name])).toEqual([
      ['Widget', 'a'],
      ['Widget', 'b'],
      ['Widget', 'c'],
    ]);
    expect(server.seen.map(({ query }) => query.get('limit'))).toEqual(['500', '500']);
    expect(server.seen[0]?.query.get('labelSelector')).toBe('a=b');
  });

  it('starts over when its pages expire, and gives up the third time', async () => {
    server.pageSize = 1;
    server.put('a');
    server.put('b');
    let left = 2;
    server.answer = ({ query }, response) => {
      if (!query.has('continue') || left === 0) return false;
      left -= 1;
      response.writeHead(410).end();
      return true;
    };
    expect(await client.list(widgets)).toHaveLength(2);
    left = 3;
    expect(await refused(client.list(widgets))).toMatchObject({ reason: 'Gone' });
  });

  it('may be from the watch cache: as new as any one object is said to be, and at one go', async () => {
    server.answer = ({ query }, response) => {
      const resourceVersion = query.has('limit') ? '17' : '19';
      response.end(JSON.stringify({ metadata: { resourceVersion, continue: 'more' }, items: [object] }));
      return true;
    };
    const found = await client.listFromCache(widgets, { labelSelector: 'a=b' });
    const collection = '/apis/example.dev/v1/widgets';
    expect(server.seen.map(({ path, query }) => `${path}?${query}`)).toEqual([
      '/apis/example.dev/v1/namespaces/kube-public/widgets?limit=1',
      `${collection}?resourceVersion=17&resourceVersionMatch=NotOlderThan&labelSelector=a%3Db`,
    ]);
    expect(found).toMatchObject([{ kind: 'Widget', metadata: object.metadata }]);
  });

  it('may be of metadata only', async () => {
    server.put('a');
    await client.list(widgets, { metadataOnly: true });
    expect(server.seen[0]?.headers.accept).toBe('application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1');
  });
});

describe('what is sent again', () => {
  it('is a GET whose connection was reset', async () => {
    answers({ cut: true }, { cut: true }, {});
    await client.get(widgets, key);
    expect(server.seen).toHaveLength(3);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['create', () => client.create(widgets, object)],
    ['replace', () => client.replace(widgets, object)],
    ['apply', () => client.apply(widgets, object, { fieldManager: 'f' })],
    ['patch', () => client.mergePatch(widgets, key, {})],
    ['delete', () => client.delete(widgets, key)],
  ])('is no %s whose connection was reset: it may have been done', async (_verb, call) => {
    answers({ cut: true }, {});
    expect(await refused(call())).toMatchObject({ reason: 'Unavailable', status: 0, transient: true });
    expect(server.seen).toHaveLength(1);
  });

  it('is a write that was turned away with Retry-After, no sooner than that', async () => {
    answers({ status: 429, headers: { 'retry-after': '0.05' } }, {});
    const start = performance.now();
    await client.create(widgets, object);
    expect(performance.now() - start).toBeGreaterThan(45);
    expect(server.seen).toHaveLength(2);
  });

  it.each([undefined, '60'])(
    'is nothing that was turned away with a Retry-After of %s: the caller has a back-off',
    async (after) => {
      answers({ status: 429, headers: after === undefined ? {} : { 'retry-after': after } });
      const error = await refused(client.get(widgets, key));
      expect(error).toMatchObject({ reason: 'TooManyRequests', transient: true });
      expect(error.retryAfterSeconds).toBe(after === undefined ? undefined : 60);
      expect(server.seen).toHaveLength(1);
    },
  );

  it('is nothing more than three times', async () => {
    answers({ cut: true });
    await refused(client.get(widgets, key));
    expect(server.seen).toHaveLength(4);
  });

  it.each([500, 503, 409])('is nothing that was answered with %i', async (status) => {
    answers({ status });
    await refused(client.get(widgets, key));
    expect(server.seen).toHaveLength(1);
  });

  it('is what got a 401, once the credentials have changed', async () => {
    let token = 'old';
    client = newClient(async () => ({ authorization: token }));
    server.answer = ({ headers }, response) => {
      token = 'new';
      response.writeHead(headers.authorization === 'new' ? 200 : 401).end(JSON.stringify(object));
      return true;
    };
    await client.create(widgets, object);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['old', 'new']);
  });

  it('is not what got a 401 with credentials that are the same', async () => {
    answers({ status: 401 });
    expect(await refused(client.get(widgets, key))).toMatchObject({ reason: 'Unauthorized', transient: false });
    expect(server.seen).toHaveLength(1);
  });
});

describe('what goes wrong', () => {
  it('is a KubeError when nobody listens', async () => {
    const gone = await FakeApiServer.listen();
    const { origin } = gone;
    await gone.close();
    const requests = new Pool(origin);
    const connection = { ...server.connection(), origin, requests };
    expect(await refused(new ApiServerClient({ connection }).get(widgets, key))).toMatchObject({
      reason: 'Unavailable',
      message: 'get widgets team/x: no answer (ECONNREFUSED)',
    });
    await requests.close();
  });

  it('is a KubeError when the credentials cannot be had', async () => {
    client = newClient(() => Promise.reject(new Error('hunter2')));
    const error = await refused(client.get(widgets, key));
    expect(error.reason).toBe('Unavailable');
    expect(`${error.stack}`).not.toContain('hunter2');
  });

  it('is a timeout when the server says nothing for 10 s, and the connection is not used again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const arrived = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    server.answer = (_seen, response) => {
      response.on('close', closed.resolve);
      arrived.resolve();
      return true;
    };
    let ended = false;
    const failing = refused(client.create(widgets, object)).finally(() => {
      ended = true;
    });
    await arrived.promise;
    await vi.advanceTimersByTimeAsync(9999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await failing).toMatchObject({ reason: 'Timeout', status: 0, transient: true });
    await closed.promise;
  });

  it('is a watch in which nothing comes for too long, not even a bookmark', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const line = `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } })}\n`;
    let send = () => {};
    server.answer = (_seen, response) => {
      send = () => void response.write(line);
      send();
      return true;
    };
    let came = Promise.withResolvers<void>();
    const options = { resourceVersion: '1', timeoutSeconds: 9, silenceMs: 1000 };
    const failing = refused(client.watch(widgets, options, () => came.resolve()));
    let ended = false;
    void failing.then(() => {
      ended = true;
    });
    for (let count = 0; count < 5; count += 1) {
      await came.promise;
      came = Promise.withResolvers();
      await vi.advanceTimersByTimeAsync(900);
      expect(ended).toBe(false);
      send();
    }
    await came.promise;
    await vi.advanceTimersByTimeAsync(1000);
    expect(await failing).toMatchObject({ reason: 'Timeout', status: 0 });
  });

  it('is an answer without end, which is cut', async () => {
    let sent = 0;
    server.answer = (_seen, response) => {
      const more = () => {
        sent += 1;
        if (!response.destroyed) response.write(Buffer.alloc(1024 * 1024), more);
      };
      more();
      return true;
    };
    expect(await refused(client.get(widgets, key))).toMatchObject({
      transient: false,
      message: 'get widgets team/x: no answer (TOO_LARGE)',
    });
    expect(sent).toBeLessThan(40);
  });

  it('is an answer that is cut short, and no part of it is told', async () => {
    answers({ body: '{"data":{"token":"hunter2' });
    const error = await refused(client.get(secrets, key));
    expect(error.transient).toBe(true);
    expect(`${error.stack} ${String(error.cause)}`).not.toContain('hunter2');
  });

  it('ends a list at once when its signal fires, with the reason of the signal', async () => {
    server.answer = () => true;
    const aborting = new AbortController();
    const listing = client.list(widgets, { signal: aborting.signal });
    await expect.poll(() => server.seen).toHaveLength(1);
    aborting.abort();
    await expect(listing).rejects.toBe(aborting.signal.reason);
    await expect(client.list(widgets, { signal: aborting.signal })).rejects.toBe(aborting.signal.reason);
  });
});

it('gives a watch no event after its signal fires, even of what came with the one before', async () => {
  const aborting = new AbortController();
  const got: unknown[] = [];
  const options = { resourceVersion: '1', timeoutSeconds: 9, silenceMs: 9000, signal: aborting.signal };
  server.answer = (_seen, response) => {
    const line = `${JSON.stringify({ type: 'ADDED', object })}\n`;
    response.end(line + line);
    return true;
  };
  const watching = client.watch(widgets, options, (event) => {
    got.push(event);
    aborting.abort();
  });
  await expect(watching).rejects.toThrow('aborted');
  expect(got).toHaveLength(1);
});

describe('what is counted', () => {
  it('is every call by verb, resource and code, with 0 for no answer', async () => {
    answers({}, { status: 409 }, { cut: true });
    await client.replaceStatus(widgets, object);
    await refused(client.create(widgets, object));
    await refused(client.delete(widgets, key));
    expect(counted).toEqual([
      ['update', 'widgets/status', 200],
      ['create', 'widgets', 409],
      ['delete', 'widgets', 0],
    ]);
  });

  it('is a watch when it is open, once', async () => {
    const aborting = new AbortController();
    const options = { resourceVersion: '1', timeoutSeconds: 1, silenceMs: 1000, signal: aborting.signal };
    const watching = client.watch(widgets, options, () => {});
    await expect.poll(() => counted).toEqual([['watch', 'widgets', 200]]);
    aborting.abort();
    await expect(watching).rejects.toBe(aborting.signal.reason);
    expect(counted).toHaveLength(1);
  });
});

it('hands on the Date of every answer, refusals included', async () => {
  answers({ headers: { date: 'one' } }, { status: 404, headers: { date: 'two' } });
  await client.get(widgets, key);
  await refused(client.get(widgets, key));
  expect(dates).toEqual(['one', 'two']);
});

it('lets watches and requests not wait for each other', async () => {
  const connection = server.connection();
  const many = new ApiServerClient({ connection });
  const aborting = new AbortController();
  const watches = Array.from({ length: 20 }, () => {
    const options = { resourceVersion: '1', timeoutSeconds: 1, silenceMs: 9000, signal: aborting.signal };
    return many.watch<KubeObject>(widgets, options, () => {}).catch(() => {});
  });
  await expect.poll(() => server.watches.size).toBe(20);
  server.put('a');
  expect(await many.list(widgets)).toHaveLength(1);
  aborting.abort();
  await Promise.all(watches);
});
