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
  return vi.waitFor(check, { timeout: 5000, interval: 2 });
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
