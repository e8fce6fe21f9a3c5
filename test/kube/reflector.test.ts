import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Change } from '../../src/kube/cache.ts';
import { ApiServerClient } from '../../src/kube/client.ts';
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import { FakeApiServer, type Widget, widgets } from './fake-api-server.ts';
import { RecordingLog } from './recording-log.ts';

interface Told {
  change: Change;
  name: string;
  uid?: string | undefined;
  size?: number | undefined;
}

const timing = { silenceMs: 10_000, firstRetryMs: 2, lastRetryMs: 20 };

let server: FakeApiServer;
let log: RecordingLog;
let told: Told[];
const restarts: string[] = [];
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  server = await FakeApiServer.listen();
  log = new RecordingLog();
  told = [];
  restarts.length = 0;
});

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await server.close();
});

function reflect(options: Partial<ReflectorOptions<Widget>> = {}): Reflector<Widget> {
  const client = new ApiServerClient({ connection: server.connection() });
  const metrics = { watchRestarted: (_resource: string, reason: string) => void restarts.push(reason) };
  const reflector = new Reflector({ client, type: widgets, log, metrics, timing, ...options });
  reflector.onChange((change, { metadata, spec }) => {
    told.push({ change, name: metadata.name, uid: metadata.uid, size: spec?.size });
  });
  stops.push(() => reflector.stop());
  return reflector.start();
}

function names(reflector: Reflector<Widget>): string[] {
  return [...reflector.list()].map(({ metadata }) => metadata.name).sort();
}

function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 30_000, interval: 2 });
}

async function watching(): Promise<void> {
  await eventually(() => expect(server.watches.size).toBe(1));
}

describe('list and watch', () => {
  it('lists all pages before it says synced', async () => {
    server.pageSize = 2;
    for (const name of ['a', 'b', 'c', 'd', 'e']) server.put(name);
    const reflector = reflect();
    expect(reflector.synced).toBe(false);
    await reflector.whenSynced;
    expect(reflector.synced).toBe(true);
    expect(names(reflector)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(server.requests('list')).toHaveLength(3);
    expect(told.map(({ change }) => change)).toEqual(Array(5).fill('added'));
  });

  it('follows additions, changes and deletions', async () => {
    const reflector = reflect();
    await watching();
    server.put('a', { size: 1, uid: 'u' });
    server.put('a', { size: 2 });
    server.remove('a');
    await eventually(() => expect(told).toHaveLength(3));
    expect(told).toEqual([
      { change: 'added', name: 'a', uid: 'u', size: 1 },
      { change: 'updated', name: 'a', uid: 'u', size: 2 },
      { change: 'deleted', name: 'a', uid: 'u', size: 2 },
    ]);
    expect(reflector.size).toBe(0);
  });
});

describe('what a broken connection does', () => {
  it('goes on from its position after a reset, without listing anew', async () => {
    reflect();
    await watching();
    server.put('a');
    await eventually(() => expect(told).toHaveLength(1));
    server.mute = true;
    server.put('b');
    server.mute = false;
    server.resetWatches();
    await eventually(() => expect(told.map(({ name }) => name)).toEqual(['a', 'b']));
    expect(server.requests('list')).toHaveLength(1);
    expect(restarts).toEqual(['Unavailable']);
  });

  it('gives up a watch that is silent for too long: the other end may be gone without a word', async () => {
    const reflector = reflect({ timing: { ...timing, silenceMs: 60 } });
    await watching();
    server.mute = true;
    server.put('a');
    const [dead] = server.watches;
    server.mute = false;
    await eventually(() => expect(reflector.get('default/a')).toBeDefined());
    expect(restarts).toContain('Timeout');
    await eventually(() => expect(server.watches).not.toContain(dead));
  });

  it('waits for a server that refuses connections or calls, and tells what is wrong', async () => {
    let refusals = 3;
    server.answer = (_seen, response) => {
      refusals -= 1;
      if (refusals === 2) response.socket?.destroy();
      else if (refusals >= 0)
        response.writeHead(403).end('{"kind":"Status","reason":"Forbidden","message":"no rights"}');
      return refusals >= 0;
    };
    const reflector = reflect();
    await reflector.whenSynced;
    const warnings = log.lines.filter(({ level }) => level === 'warn');
    expect(warnings.map(({ fields }) => fields)).toContainEqual({
      resource: 'widgets',
      error: 'list widgets: 403 Forbidden: no rights',
    });
  });

  it('asks again at once when the server ends a watch that was good', async () => {
    reflect({ timing: { ...timing, firstRetryMs: 60_000, lastRetryMs: 60_000 } });
    for (const name of ['a', 'b', 'c']) {
      await watching();
      server.put(name);
      await eventually(() => expect(told.map((one) => one.name)).toContain(name));
      server.endWatches();
      await eventually(() => expect(server.requests('watch').length).toBeGreaterThan(told.length));
    }
    expect(restarts.slice(0, 3)).toEqual(['ended', 'ended', 'ended']);
    expect(server.requests('list')).toHaveLength(1);
  });

  it('backs off from a server that ends every watch at once', async () => {
    server.answer = ({ query }, response) => {
      if (query.has('watch')) response.writeHead(200).end();
      return query.has('watch');
    };
    reflect({ random: () => 1, timing: { ...timing, firstRetryMs: 1, lastRetryMs: 60_000 } });
    // 1 + 2 + 4 + … ms: the tenth comes after half a second.
    const start = performance.now();
    await eventually(() => expect(server.requests('watch')).toHaveLength(10));
    expect(performance.now() - start).toBeGreaterThan(500);
  });

  it('draws its back-off from zero up, so that clients do not come back all at once', async () => {
    server.answer = (_seen, response) => {
      response.writeHead(503).end();
      return true;
    };
    reflect({ random: () => 0, timing: { ...timing, firstRetryMs: 60_000, lastRetryMs: 60_000 } });
    await eventually(() => expect(server.requests('list').length).toBeGreaterThan(10));
  });
});

describe('when the position is too old', () => {
  it('lists anew after an Expired in the stream, and finds the delete and the change that it missed', async () => {
    server.put('kept', { size: 1 });
    server.put('gone');
    const reflector = reflect();
    await watching();
    told.length = 0;
    server.mute = true;
    server.remove('gone');
    server.put('kept', { size: 2 });
    server.compact();
    server.mute = false;
    server.resetWatches();
    await eventually(() => expect(server.requests('list')).toHaveLength(2));
    await eventually(() => expect(told).toHaveLength(2));
    expect(told.map(({ change, name, size }) => [change, name, size])).toEqual([
      ['updated', 'kept', 2],
      ['deleted', 'gone', 1],
    ]);
    expect(names(reflector)).toEqual(['kept']);
    expect(restarts).toContain('Gone');
  });

  it('lists anew after a 410 to the watch request', async () => {
    let refused = false;
    server.answer = ({ query }, response) => {
      const refuse = query.has('watch') && !refused;
      refused ||= refuse;
      if (refuse) response.writeHead(410).end('{"reason":"Gone"}');
      return refuse;
    };
    reflect();
    await watching();
    expect(server.requests('list')).toHaveLength(2);
  });

  it('starts the list over when its pages expire', async () => {
    server.pageSize = 1;
    server.put('a');
    server.put('b');
    let refused = false;
    server.answer = ({ query }, response) => {
      const refuse = query.has('continue') && !refused;
      refused ||= refuse;
      if (refuse) response.writeHead(410).end('{"reason":"Expired"}');
      return refuse;
    };
    const reflector = reflect();
    await reflector.whenSynced;
    expect(names(reflector)).toEqual(['a', 'b']);
    expect(told.map(({ name }) => name).sort()).toEqual(['a', 'b']);
  });

  it('tells a deleted and recreated object as both, when the watch saw neither', async () => {
    server.put('a', { uid: 'old' });
    reflect();
    await watching();
    told.length = 0;
    server.mute = true;
    server.remove('a');
    server.put('a', { uid: 'new' });
    server.compact();
    server.mute = false;
    server.resetWatches();
    await eventually(() => expect(told).toHaveLength(2));
    expect(told.map(({ change, uid }) => [change, uid])).toEqual([
      ['deleted', 'old'],
      ['added', 'new'],
    ]);
  });

  it('does not list all again while the server is merely away', async () => {
    reflect();
    await watching();
    server.answer = (_seen, response) => {
      response.writeHead(503).end();
      return true;
    };
    server.resetWatches();
    await eventually(() => expect(server.requests('watch').length).toBeGreaterThan(6));
    server.answer = () => false;
    await watching();
    expect(server.requests('list')).toHaveLength(1);
  });

  it.each([
    ['refuses a position from the future', 504],
    ['says nothing to it', 200],
  ])('takes over from a server that was restored from a backup, and that %s', async (_what, status) => {
    server.put('a', { uid: 'u', size: 7 });
    server.put('later', { size: 1 });
    const reflector = reflect({ timing: { ...timing, silenceMs: 50 } });
    await watching();
    server.remove('later');
    server.version = 50;
    server.put('a', { size: 3 });
    server.compact();
    server.answer = ({ query }, response) => {
      const future = query.has('watch') && Number(query.get('resourceVersion')) > server.version;
      if (future) response.writeHead(status).flushHeaders();
      if (future && status !== 200) response.end('{"reason":"Timeout","message":"Too large resource version"}');
      return future;
    };
    server.resetWatches();
    await eventually(() => expect(reflector.get('default/a')?.spec?.size).toBe(3));
    server.put('a', { size: 4 });
    await eventually(() => expect(reflector.get('default/a')?.spec?.size).toBe(4));
    expect(names(reflector)).toEqual(['a']);
  });

  it('lists anew now and then when told to', async () => {
    reflect({ relistMs: 1, timing: { ...timing, watchSeconds: 300 } });
    await watching();
    expect(server.requests('watch')[0]?.query.get('timeoutSeconds')).toBe('1');
    server.endWatches();
    await eventually(() => expect(server.requests('list').length).toBeGreaterThan(1));
  });
});

describe('errors inside the stream', () => {
  const internal = { type: 'ERROR', object: { kind: 'Status', code: 500, reason: 'InternalError', message: 'etcd' } };

  it('goes on from its position after one', async () => {
    reflect();
    await watching();
    server.send(internal);
    await eventually(() => expect(server.requests('watch')).toHaveLength(2));
    server.put('a');
    await eventually(() => expect(told).toHaveLength(1));
    expect(server.requests('list')).toHaveLength(1);
    expect(restarts).toEqual(['Unknown']);
  });

  it('doubts its position after two in a row, and lists anew', async () => {
    server.answer = ({ query }, response) => {
      const refuse = query.has('watch') && server.requests('watch').length <= 2;
      if (refuse) response.end(`${JSON.stringify(internal)}\n`);
      return refuse;
    };
    reflect();
    await watching();
    expect(server.requests('list')).toHaveLength(2);
  });

  it('survives a line that is not JSON, and keeps it out of the log', async () => {
    reflect();
    await watching();
    for (const { response } of server.watches) response.write('{"type":"ADDED","object":{"hunter2\n');
    await eventually(() => expect(server.requests('watch')).toHaveLength(2));
    expect(JSON.stringify(log.lines)).not.toContain('hunter2');
    server.put('a');
    await eventually(() => expect(told).toHaveLength(1));
  });

  it('reads an event that comes in pieces, and several that come at once', async () => {
    reflect();
    await watching();
    const lines = ['a', 'ü', 'c'].map((name, index) => {
      const metadata = { namespace: 'default', name, uid: name, resourceVersion: String(900 + index) };
      return `${JSON.stringify({ type: 'ADDED', object: { metadata } })}\n`;
    });
    const bytes = Buffer.from(lines.join(''));
    const cut = bytes.indexOf('ü') + 1;
    for (const part of [bytes.subarray(0, 5), bytes.subarray(5, cut), bytes.subarray(cut)]) {
      for (const { response } of server.watches) await new Promise((resolve) => response.write(part, resolve));
    }
    await eventually(() => expect(told.map(({ name }) => name)).toEqual(['a', 'ü', 'c']));
  });
});

describe('stopping', () => {
  it('ends at once while it waits to try again', async () => {
    server.answer = (_seen, response) => {
      response.writeHead(503).end();
      return true;
    };
    const reflector = reflect({ random: () => 1, timing: { ...timing, firstRetryMs: 60_000, lastRetryMs: 60_000 } });
    await eventually(() => expect(restarts).toHaveLength(1));
    const start = performance.now();
    await reflector.stop();
    expect(performance.now() - start).toBeLessThan(30_000);
    expect(server.requests('list')).toHaveLength(1);
  });

  it('ends at once in the middle of a list, and rejects whoever waits for it', async () => {
    server.answer = () => true;
    const reflector = reflect();
    await eventually(() => expect(server.requests('list')).toHaveLength(1));
    const waiting = expect(reflector.whenSynced).rejects.toThrow('stopped before');
    await reflector.stop();
    await waiting;
    expect(restarts).toEqual([]);
  });

  it('cuts the watch, and logs nothing', async () => {
    const reflector = reflect();
    await watching();
    await reflector.stop();
    await eventually(() => expect(server.watches.size).toBe(0));
    expect(log.lines).toEqual([]);
  });

  it('calls no handler after it is asked to, even from inside one', async () => {
    for (const name of ['a', 'b', 'c']) server.put(name);
    const reflector = reflect();
    reflector.onChange(() => void reflector.stop());
    await expect(reflector.whenSynced).rejects.toThrow();
    await reflector.stop();
    expect(told).toHaveLength(1);
  });

  it('may be asked for twice, and without a start', async () => {
    const client = new ApiServerClient({ connection: server.connection() });
    const reflector = new Reflector({ client, type: widgets, log });
    await reflector.stop();
    await reflector.stop();
  });
});

describe('handlers', () => {
  it('that throw do not stop the others, nor the watch', async () => {
    const reflector = reflect();
    const later: string[] = [];
    reflector.onChange(() => {
      throw new TypeError('mine');
    });
    reflector.onChange((_change, { metadata }) => void later.push(metadata.name));
    await watching();
    server.put('a');
    server.put('b');
    await eventually(() => expect(later).toEqual(['a', 'b']));
    expect(server.requests('watch')).toHaveLength(1);
    const errors = log.lines.filter(({ text }) => text === 'change handler failed');
    expect(errors.map(({ fields }) => fields)).toEqual(Array(2).fill({ resource: 'widgets', error: 'TypeError' }));
  });

  it('that reject do not end the process', async () => {
    const reflector = reflect();
    reflector.onChange(async () => {
      throw new RangeError('mine');
    });
    await watching();
    server.put('a');
    await eventually(() =>
      expect(log.lines.map(({ fields }) => fields)).toContainEqual({ resource: 'widgets', error: 'RangeError' }),
    );
  });
});

describe('own writes', () => {
  it('are there at once, and their echo is told to nobody', async () => {
    const reflector = reflect();
    await watching();
    server.mute = true;
    const written = server.put('a', { size: 5 });
    reflector.observe(written);
    expect(reflector.get('default/a')?.spec?.size).toBe(5);
    server.mute = false;
    server.resetWatches();
    await watching();
    server.put('b');
    await eventually(() => expect(told.map(({ name }) => name)).toEqual(['b']));
    expect(reflector.get('default/a')?.spec?.size).toBe(5);
  });

  it('of a metadata-only reflector leave nothing but metadata', async () => {
    const reflector = reflect({ metadataOnly: true });
    await reflector.whenSynced;
    server.mute = true;
    reflector.observe(server.put('a', { size: 5 }));
    expect(reflector.get('default/a')).toMatchObject({ kind: 'Widget', metadata: { name: 'a' } });
    expect(reflector.get('default/a')).not.toHaveProperty('spec');
  });
});

describe('what it asks for', () => {
  it('is one namespace and one selector, in the list and in the watch', async () => {
    reflect({ namespace: 'team/a', labelSelector: 'app in (x, y)', fieldSelector: 'metadata.name=z' });
    await watching();
    for (const { path, query } of server.seen) {
      expect(path).toBe('/apis/example.dev/v1/namespaces/team%2Fa/widgets');
      expect(query.get('labelSelector')).toBe('app in (x, y)');
      expect(query.get('fieldSelector')).toBe('metadata.name=z');
    }
    expect(server.seen).toHaveLength(2);
  });

  it('is a watch with bookmarks that ends after 5 to 10 minutes', async () => {
    const lasting = async (draw: number) => {
      const before = server.requests('watch').length;
      const reflector = reflect({ random: () => draw });
      await eventually(() => expect(server.requests('watch').length).toBeGreaterThan(before));
      await reflector.stop();
      return server.requests('watch').at(-1)?.query;
    };
    expect((await lasting(0))?.get('timeoutSeconds')).toBe('300');
    expect((await lasting(0.999))?.get('timeoutSeconds')).toBe('600');
    expect((await lasting(0))?.get('allowWatchBookmarks')).toBe('true');
  });

  it('goes on from the last bookmark', async () => {
    reflect();
    await watching();
    server.version = 777;
    server.bookmark();
    server.put('other');
    await eventually(() => expect(told).toHaveLength(1));
    server.version = 999;
    server.bookmark();
    server.endWatches();
    await eventually(() => expect(server.requests('watch').at(-1)?.query.get('resourceVersion')).toBe('999'));
  });

  it('is partial metadata, under different names in the list and in the watch', async () => {
    reflect({ metadataOnly: true });
    await watching();
    const accepts = server.seen.map(({ headers }) => headers.accept);
    expect(accepts).toEqual([
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1',
    ]);
  });

  it('may have items that are null', async () => {
    server.answer = ({ query }, response) => {
      if (!query.has('watch')) response.end('{"metadata":{"resourceVersion":"5"},"items":null}');
      return !query.has('watch');
    };
    const reflector = reflect({ metadataOnly: true });
    await reflector.whenSynced;
    expect(reflector.size).toBe(0);
  });
});

describe('what it keeps', () => {
  it('has no managedFields, and is what the transform leaves', async () => {
    server.put('a', { size: 9 });
    const reflector = reflect({ transform: ({ kind, metadata }) => ({ kind: kind ?? '', metadata }) });
    await reflector.whenSynced;
    expect(reflector.get('default/a')).toEqual({
      kind: 'Widget',
      metadata: { namespace: 'default', name: 'a', uid: 'uid-a-101', resourceVersion: '101' },
    });
  });

  it('is metadata alone when the transform fails, since it might have cut off a secret', async () => {
    server.put('a', { size: 9 });
    const reflector = reflect({
      transform: () => {
        throw new Error('cannot');
      },
    });
    await reflector.whenSynced;
    expect(reflector.get('default/a')).toMatchObject({ metadata: { name: 'a' } });
    expect(reflector.get('default/a')).not.toHaveProperty('spec');
  });
});
