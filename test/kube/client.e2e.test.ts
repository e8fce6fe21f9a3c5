import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LeaderElection, type LeadershipEnd } from '../../src/engine/leader.ts';
import type { Change } from '../../src/kube/cache.ts';
import { ApiServerClient } from '../../src/kube/client.ts';
import { ClusterConnection } from '../../src/kube/connection.ts';
import { loadKubeConfig } from '../../src/kube/kubeconfig.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { ServerClock } from '../../src/kube/server-clock.ts';
import { KubeError, type KubeObject, type ResourceType } from '../../src/ports.ts';
import { ApiServer } from '../crds/api-server.ts';
import { cluster } from '../e2e/cluster.ts';
import { Pulse } from '../e2e/verifier/prober.ts';
import { CuttableProxy } from './cuttable-proxy.ts';
import { RecordingLog } from './recording-log.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

interface Secret extends KubeObject {
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

interface Lease extends KubeObject {
  spec?: { holderIdentity?: string; leaseTransitions?: number };
}

function core<T extends KubeObject>(plural: string, kind: string, namespaced = true): ResourceType<T> {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

const namespaces = core('namespaces', 'Namespace', false);
const configMaps = core<ConfigMap>('configmaps', 'ConfigMap');
const secrets = core<Secret>('secrets', 'Secret');
const definitions: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const leases: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

const namespace = `kube-client-${randomBytes(4).toString('hex')}`;
const value = 'hunter2-hunter2-hunter2';
const clock = new ServerClock({ wall: () => 0 });

let connection: ClusterConnection;
let client: ApiServerClient;
let names = 0;

beforeAll(async () => {
  const config = loadKubeConfig({ kubeconfig: cluster().kubeconfig });
  connection = await ClusterConnection.open(config, 'test');
  client = new ApiServerClient({ connection, onDate: (date) => clock.observe(date) });
  await client.create(namespaces, { metadata: { name: namespace } });
});

afterAll(async () => {
  await client.delete(namespaces, { name: namespace });
  await connection.close();
});

function freshKey(): { namespace: string; name: string } {
  names += 1;
  return { namespace, name: `x-${names}` };
}

async function refused(call: Promise<unknown>): Promise<KubeError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof KubeError)) throw new Error(`not a KubeError: ${String(error)}`);
  return error;
}

describe('a list from the watch cache', () => {
  it('has what was written just before', async () => {
    const labels = { 'test.tokenwright.dev/list': 'from-cache' };
    for (let count = 1; count <= 20; count += 1) {
      await client.create(configMaps, { metadata: { ...freshKey(), labels } });
      const labelSelector = 'test.tokenwright.dev/list=from-cache';
      const everywhere = await client.listFromCache(configMaps, { labelSelector });
      const here = await client.listFromCache(configMaps, { labelSelector, namespace });
      expect([everywhere.length, here.length]).toEqual([count, count]);
    }
  });
});

describe('writes', () => {
  it('carry their preconditions, and tell a conflict from an object that is there already', async () => {
    const key = freshKey();
    const created = await client.create(configMaps, { metadata: key, data: { a: '1' } });
    expect((await refused(client.create(configMaps, { metadata: key }))).reason).toBe('AlreadyExists');
    const replaced = await client.replace(configMaps, { ...created, data: { a: '2' } });
    expect(replaced.data).toEqual({ a: '2' });
    expect((await refused(client.replace(configMaps, created))).reason).toBe('Conflict');
    const otherUID = {
      ...replaced,
      metadata: { ...replaced.metadata, uid: created.metadata.uid?.replace(/.$/, '_') ?? '' },
    };
    expect((await refused(client.replace(configMaps, otherUID))).reason).toBe('Conflict');
    expect((await client.get(configMaps, key)).data).toEqual({ a: '2' });
  });

  it('by PUT do not make an object that was deleted', async () => {
    const created = await client.create(configMaps, { metadata: freshKey() });
    await client.delete(configMaps, { namespace, name: created.metadata.name });
    expect((await refused(client.replace(configMaps, created))).reason).toBe('NotFound');
  });

  it('by server-side apply leave the fields of others, and say whose they are', async () => {
    const key = freshKey();
    await client.apply(configMaps, { metadata: key, data: { mine: '1' } }, { fieldManager: 'me' });
    await client.apply(configMaps, { metadata: key, data: { theirs: '1' } }, { fieldManager: 'them' });
    expect((await client.get(configMaps, key)).data).toEqual({ mine: '1', theirs: '1' });
    const taking = { metadata: key, data: { theirs: '2' } };
    expect((await refused(client.apply(configMaps, taking, { fieldManager: 'me' }))).reason).toBe('Conflict');
    await client.apply(configMaps, taking, { fieldManager: 'me', force: true });
    expect((await client.get(configMaps, key)).data).toEqual({ theirs: '2' });
  });

  it('by merge patch remove what is null', async () => {
    const key = freshKey();
    await client.create(configMaps, { metadata: key, data: { a: '1', b: '2' } });
    expect((await client.mergePatch(configMaps, key, { data: { a: null } })).data).toEqual({ b: '2' });
  });

  it('of the status leave the rest alone', async () => {
    const pods = core<KubeObject & { status?: { message?: string }; spec?: object }>('pods', 'Pod');
    const spec = {
      containers: [{ name: 'c', image: 'none' }],
      nodeName: 'nowhere',
      automountServiceAccountToken: false,
    };
    const key = freshKey();
    const pod = await vi.waitFor(() => client.create(pods, { metadata: key, spec }), {
      timeout: 30_000,
      interval: 100,
    });
    const otherSpec = { ...pod.spec, activeDeadlineSeconds: 5 };
    const reply = await client.replaceStatus(pods, {
      ...pod,
      spec: otherSpec,
      status: { ...pod.status, message: 'hello' },
    });
    expect(reply.status?.message).toBe('hello');
    expect(reply.spec).toEqual(pod.spec);
  });

  it('that delete mind the UID', async () => {
    const key = freshKey();
    const created = await client.create(configMaps, { metadata: key });
    expect((await refused(client.delete(configMaps, key, { uid: 'another' }))).reason).toBe('Conflict');
    await client.delete(configMaps, key, { uid: created.metadata.uid ?? '' });
    expect((await refused(client.get(configMaps, key))).reason).toBe('NotFound');
    expect((await refused(client.delete(configMaps, key))).reason).toBe('NotFound');
  });
});

describe('refusals', () => {
  it('of a Secret hold no value, whatever the server says of it', async () => {
    const key = freshKey();
    const encoded = Buffer.from(value).toString('base64');
    const metadata = { ...key, labels: { bad: '-' } };
    const errors = await Promise.all([
      refused(client.create(secrets, { metadata, stringData: { token: value } })),
      refused(client.create(secrets, { metadata: key, data: { [`${value}/`]: encoded } })),
      refused(client.create(secrets, { metadata: key, data: { token: `${value}!!` } })),
      refused(client.apply(secrets, { metadata: key, data: { token: `${value}!!` } }, { fieldManager: 'f' })),
      refused(client.create(secrets, { ...({ data: value } as object), metadata: key })),
    ]);
    for (const { message, stack, status } of errors) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(`${message} ${stack}`).not.toContain('hunter2');
      expect(`${message} ${stack}`).not.toContain(encoded.slice(0, 10));
    }
  });

  it('of anything else tell the user what is wrong', async () => {
    const error = await refused(client.create(configMaps, { metadata: { namespace, name: 'No Name' } }));
    expect(error.reason).toBe('Invalid');
    expect(error.message).toContain('lowercase RFC 1123 subdomain');
  });

  it('of a kind that is not served are NotFound', async () => {
    const none: ResourceType = {
      group: 'none.example',
      version: 'v1',
      plural: 'nones',
      kind: 'None',
      namespaced: true,
    };
    expect((await refused(client.list(none))).reason).toBe('NotFound');
    expect((await refused(client.get(none, freshKey()))).reason).toBe('NotFound');
  });
});

it('lists more than one page', async () => {
  const labels = { page: 'yes' };
  const made = Array.from({ length: 501 }, () => ({ ...freshKey(), labels }));
  await Promise.all(made.map((metadata) => client.create(configMaps, { metadata })));
  const listed = await client.list(configMaps, { namespace, labelSelector: 'page=yes' });
  expect(listed.map(({ metadata }) => metadata.name).sort()).toEqual(made.map(({ name }) => name).sort());
  expect(listed[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
});

it('learns the time of the server', () => {
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(5000);
});

describe('a watch', () => {
  it('from a position that the server does not know any more ends with Gone', async () => {
    // The server knows of a new kind only from when it was made.
    const plural = `olds${randomBytes(4).toString('hex')}`;
    const olds: ResourceType = { group: 'kube.example', version: 'v1', plural, kind: 'Old', namespaced: true };
    const openAPIV3Schema = { type: 'object' };
    const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } };
    const spec = { group: 'kube.example', scope: 'Namespaced', names: { plural, kind: 'Old' }, versions: [version] };
    const definition = { metadata: { name: `${plural}.kube.example` }, spec };
    await client.create<KubeObject>(definitions, definition);
    try {
      await vi.waitFor(() => client.list(olds), { timeout: 20_000, interval: 50 });
      const watching = client.watch(olds, { resourceVersion: '1', timeoutSeconds: 5, silenceMs: 9000 }, () => {});
      expect(await refused(watching)).toMatchObject({ reason: 'Gone', status: 410 });
    } finally {
      await client.delete(definitions, definition.metadata);
    }
  });

  it('from the future is open, and nothing comes: why the reflector doubts silence', async () => {
    const events: unknown[] = [];
    const options = { resourceVersion: '999999999', timeoutSeconds: 2, silenceMs: 9000 };
    await client.watch(configMaps, options, (event) => events.push(event));
    expect(events).toEqual([]);
  });

  it('is ended by the server after its time', async () => {
    const { resourceVersion } = await client.listPage(configMaps, { namespace });
    const start = performance.now();
    await client.watch(configMaps, { namespace, resourceVersion, timeoutSeconds: 1, silenceMs: 20_000 }, () => {});
    expect(performance.now() - start).toBeGreaterThan(900);
    // or silence would have ended it
    expect(performance.now() - start).toBeLessThan(20_000);
  });
});

describe('a reflector of Secrets, metadata only', () => {
  interface Told {
    change: Change;
    name: string;
    uid: string | undefined;
  }

  const labelSelector = 'reflect=yes';
  const labels = { reflect: 'yes' };
  const type = secrets;

  async function reflect(
    run: (parts: {
      reflector: Reflector<Secret>;
      told: Told[];
      proxy: CuttableProxy;
      log: RecordingLog;
    }) => Promise<void>,
  ) {
    const config = loadKubeConfig({ kubeconfig: cluster().kubeconfig });
    const server = config.getCurrentCluster();
    if (server === null) throw new Error('no cluster');
    const target = new URL(server.server);
    const proxy = await CuttableProxy.listen(target.hostname, Number(target.port));
    // The certificate is the server's, not the proxy's.
    const proxied = { ...server, server: `https://127.0.0.1:${proxy.port}`, tlsServerName: 'kubernetes' };
    const user = config.getCurrentUser();
    if (user === null) throw new Error('no user');
    config.loadFromClusterAndUser(proxied, user);
    const through = await ClusterConnection.open(config, 'test');
    const log = new RecordingLog();
    const timing = { silenceMs: 1500, firstRetryMs: 10, lastRetryMs: 200 };
    const source = new ApiServerClient({ connection: through });
    const reflector = new Reflector({
      client: source,
      type,
      log,
      namespace,
      labelSelector,
      metadataOnly: true,
      timing,
    });
    const told: Told[] = [];
    reflector.onChange((change, { metadata }) => told.push({ change, name: metadata.name, uid: metadata.uid }));
    try {
      await reflector.start().whenSynced;
      told.length = 0;
      await run({ reflector, told, proxy, log });
    } finally {
      await reflector.stop();
      await through.close();
      await proxy.close();
    }
  }

  const make = (name: string) =>
    client.create(secrets, { metadata: { namespace, name, labels }, stringData: { token: value } });
  const eventually = (check: () => void) => vi.waitFor(check, { timeout: 20_000, interval: 5 });

  it('follows the server, and holds no value', async () => {
    await make('before');
    await reflect(async ({ reflector, told }) => {
      expect(reflector.get(`${namespace}/before`)?.kind).toBe('Secret');
      await make('after');
      await client.create(secrets, { metadata: { namespace, name: 'other' }, stringData: { token: value } });
      await client.delete(secrets, { namespace, name: 'before' });
      await eventually(() =>
        expect(told.map(({ change, name }) => `${change} ${name}`)).toEqual(['added after', 'deleted before']),
      );
      const held = JSON.stringify([...reflector.list()]);
      expect(held).not.toContain(Buffer.from(value).toString('base64'));
      expect(held).not.toContain('managedFields');
    });
  });

  it.each<[string, (proxy: CuttableProxy) => void]>([
    ['every connection is reset', (proxy) => proxy.reset()],
    ['connections go silent, and new ones work', (proxy) => proxy.silence()],
    ['the server is away for a while', (proxy) => proxy.refuseFor(500)],
  ])('comes to equal the server when %s', async (_what, harm) => {
    const doomed = await make('doomed');
    const recreated = await make('recreated');
    await reflect(async ({ reflector, told, proxy, log }) => {
      harm(proxy);
      await client.delete(secrets, { namespace, name: 'doomed' });
      await client.delete(secrets, { namespace, name: 'recreated' });
      const again = await make('recreated');
      await make('made');
      const uid = (name: string) => reflector.get(`${namespace}/${name}`)?.metadata.uid;
      await eventually(() => {
        expect(uid('made')).toBeDefined();
        expect(uid('recreated')).toBe(again.metadata.uid);
        expect(uid('doomed')).toBeUndefined();
      });
      expect(told).toEqual(
        expect.arrayContaining([
          { change: 'deleted', name: 'doomed', uid: doomed.metadata.uid },
          { change: 'deleted', name: 'recreated', uid: recreated.metadata.uid },
          { change: 'added', name: 'recreated', uid: again.metadata.uid },
        ]),
      );
      expect(JSON.stringify(log.lines)).not.toContain('hunter2');
    });
    await Promise.all(['recreated', 'made'].map((name) => client.delete(secrets, { namespace, name })));
  });

  it('takes the reply to a write for what the watch will say', async () => {
    await reflect(async ({ reflector, told, proxy }) => {
      // or the watch might be the first to tell
      proxy.hold();
      const created = await make('own');
      reflector.observe(created);
      const changed = await client.mergePatch(
        secrets,
        { namespace, name: 'own' },
        { metadata: { annotations: { a: 'b' } } },
      );
      reflector.observe(changed);
      proxy.release();
      expect(reflector.get(`${namespace}/own`)?.metadata.annotations).toEqual({ a: 'b' });
      expect(reflector.get(`${namespace}/own`)).not.toHaveProperty('data');
      await make('marker');
      await eventually(() => expect(told.map(({ name }) => name)).toContain('marker'));
      expect(told.map(({ name }) => name)).not.toContain('own');
    });
  });
});

describe('leader election', () => {
  it('hands over within 2 s when the leader stops', async () => {
    const log = new RecordingLog();
    const led: string[] = [];
    const candidate = (identity: string) => {
      const stop = new AbortController();
      const election = new LeaderElection({
        client,
        namespace,
        name: 'leader',
        identity,
        clock: { now: Date.now },
        log,
      });
      const lead = async (signal: AbortSignal) => {
        led.push(identity);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      };
      const end: Promise<LeadershipEnd> = election.run(lead, stop.signal);
      return { end, stop };
    };
    const a = candidate('a');
    await expect.poll(() => led).toEqual(['a']);
    const b = candidate('b');
    await expect.poll(() => log.lines.length).toBeGreaterThan(0);
    const server = await ApiServer.open(cluster().kubeconfig);
    const pulse = new Pulse({ namespace, server });
    const start = performance.now();
    a.stop.abort();
    expect(await a.end).toBe('stopped');
    await expect.poll(() => led).toEqual(['a', 'b']);
    const took = performance.now() - start;
    await pulse.stop();
    await server.close();
    expect(took).toBeLessThan(2000 + 2 * pulse.slowest);
    const lease = await client.get(leases, { namespace, name: 'leader' });
    expect(lease.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    b.stop.abort();
    expect(await b.end).toBe('stopped');
    expect((await client.get(leases, { namespace, name: 'leader' })).spec?.holderIdentity ?? '').toBe('');
  });
});
