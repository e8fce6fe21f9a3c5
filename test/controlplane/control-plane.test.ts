import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../tools/controlplane/control-plane.ts';
import { dumpEtcd } from '../../tools/controlplane/etcd-dump.ts';

const run = promisify(execFile);
const quiet = () => {};
let plane: ControlPlane;

// the first run on a machine may have to build everything
beforeAll(async () => {
  plane = await startControlPlane({ nodes: 2, log: quiet });
}, 30 * 60_000);
afterAll(() => plane?.stop());

async function kubectl(...args: string[]): Promise<string> {
  return (await run(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, '--request-timeout=120s', ...args]))
    .stdout;
}

function apply(manifest: object): Promise<string> {
  const child = run(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, 'apply', '-f', '-']);
  child.child.stdin?.end(JSON.stringify(manifest));
  return child.then(({ stdout }) => stdout);
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await wait(50);
  }
}

interface Workload {
  name: string;
  replicas?: number;
  annotations?: Record<string, string>;
}

function deployment({ name, replicas = 1, annotations = {} }: Workload) {
  const labels = { app: name };
  const spec = { terminationGracePeriodSeconds: 30, containers: [{ name: 'main', image: 'none' }] };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels, annotations }, spec } },
  };
}

const rolledOut = (name: string) => kubectl('rollout', 'status', `deployment/${name}`, '--timeout=120s');
const podsOf = async (name: string) =>
  (await kubectl('get', 'pods', '-l', `app=${name}`, '-o', 'name')).split('\n').filter(Boolean);

interface PodList {
  items: { status: { phase: string; conditions?: { type: string; status: string }[] } }[];
}

async function statesOf(name: string): Promise<string[]> {
  const list: PodList = JSON.parse(await kubectl('get', 'pods', '-l', `app=${name}`, '-o', 'json'));
  return list.items.map(({ status }) => {
    const ready = status.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'unknown';
    return `${status.phase}, ready ${ready}`;
  });
}

describe('the API', () => {
  test('is of the version asked for, and so are its clients', async () => {
    const { serverVersion, clientVersion } = JSON.parse(await kubectl('version', '-o', 'json'));
    expect([serverVersion.gitVersion, clientVersion.gitVersion]).toEqual([plane.version, plane.version]);
  });

  test('gives ServiceAccounts tokens and knows them again', async () => {
    await kubectl('create', 'serviceaccount', 'worker');
    const token = (await kubectl('create', 'token', 'worker')).trim();
    const who = await run(plane.bin('kubectl'), [
      ...[`--server=${plane.server}`, `--certificate-authority=${plane.caFile}`, `--token=${token}`],
      ...['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'],
    ]);
    expect(who.stdout).toBe('system:serviceaccount:default:worker');
  });

  test('lets a ServiceAccount do only what RBAC grants', async () => {
    const can = (...args: string[]) =>
      kubectl('auth', 'can-i', ...args, '--as=system:serviceaccount:default:limited').then(
        () => true,
        () => false,
      );
    await kubectl('create', 'role', 'reader', '--verb=get', '--resource=secrets');
    await kubectl('create', 'rolebinding', 'reader', '--role=reader', '--serviceaccount=default:limited');
    expect([await can('get', 'secrets'), await can('create', 'secrets')]).toEqual([true, false]);
  });

  test('enforces admission policies of both kinds', async () => {
    const resources = await kubectl('api-resources', '--api-group=admissionregistration.k8s.io', '-o', 'name');
    expect(resources).toContain('validatingadmissionpolicies.');
    expect(resources).toContain('mutatingadmissionpolicies.');
    await apply({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: 'no-odd-maps' },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
        },
        validations: [{ expression: '!object.metadata.name.startsWith("odd")', message: 'no odd ones here' }],
      },
    });
    await apply({
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: 'no-odd-maps' },
      spec: { policyName: 'no-odd-maps', validationActions: ['Deny'] },
    });
    const create = () =>
      kubectl('create', 'configmap', 'odd', '--dry-run=server').then(
        () => 'accepted',
        (error: { stderr: string }) => error.stderr,
      );
    await until('the policy is enforced', async () => (await create()).includes('no odd ones here'));
  });

  test('gives away what etcd holds only by its own client certificate', async () => {
    await kubectl('create', 'secret', 'generic', 'looked-for', '--from-literal=key=a-needle-in-etcd');
    const keys: string[] = [];
    for await (const { key, value } of dumpEtcd(plane.etcd)) if (value.includes('a-needle-in-etcd')) keys.push(key);
    expect(keys).toEqual(['/registry/secrets/default/looked-for']);
    const noCertificate = fetch(`${plane.etcd.endpoint}/v3/kv/range`, { method: 'POST', body: '{}' });
    await expect(noCertificate).rejects.toThrow();
  });

  test('reads etcd across pages', async () => {
    const items = Array.from({ length: 450 }, (_, index) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `page-${index}`, namespace: 'kube-public' },
    }));
    await apply({ apiVersion: 'v1', kind: 'List', items });
    const keys: string[] = [];
    for await (const { key } of dumpEtcd(plane.etcd)) keys.push(key);
    expect(keys.filter((key) => key.startsWith('/registry/configmaps/kube-public/page-'))).toHaveLength(450);
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('workloads', () => {
  test('roll out at once, restart, and are gone when deleted', async () => {
    await apply(deployment({ name: 'web', replicas: 5 }));
    const began = performance.now();
    await rolledOut('web');
    // far below what any pull or probe would take; usually a fifth of a second
    expect(performance.now() - began).toBeLessThan(10_000);
    const before = await podsOf('web');
    expect(before).toHaveLength(5);
    await kubectl('rollout', 'restart', 'deployment/web');
    await rolledOut('web');
    await until('the old pods are gone', async () => (await podsOf('web')).every((pod) => !before.includes(pod)));
    await kubectl('delete', 'deployment', 'web', '--cascade=foreground', '--timeout=120s');
    expect(await podsOf('web')).toEqual([]);
  });

  test('use all nodes', async () => {
    expect((await kubectl('get', 'nodes', '-o', 'name')).trim().split('\n')).toEqual(['node/fake-0', 'node/fake-1']);
  });

  test.each(['StatefulSet', 'DaemonSet'])('of the kind %s roll out too', async (kind) => {
    const { metadata, spec, ...rest } = deployment({ name: kind.toLowerCase() });
    const { replicas, ...common } = spec;
    const own = kind === 'StatefulSet' ? { ...common, replicas, serviceName: 'none' } : common;
    await apply({ ...rest, kind, metadata, spec: own });
    await kubectl('rollout', 'status', `${kind}/${metadata.name}`, '--timeout=120s');
  });

  test('that say so become ready later, and stay Terminating for a while', async () => {
    const annotations = {
      'controlplane.tokenwright.dev/ready-after': '1500ms',
      'controlplane.tokenwright.dev/gone-after': '1500ms',
    };
    const began = performance.now();
    await apply(deployment({ name: 'slow', annotations }));
    await rolledOut('slow');
    expect(performance.now() - began).toBeGreaterThan(1_500);
    const deleting = performance.now();
    await kubectl('delete', 'pod', '-l', 'app=slow', '--timeout=120s');
    expect(performance.now() - deleting).toBeGreaterThan(1_500);
  });

  test('that say so never become ready', async () => {
    const annotations = { 'controlplane.tokenwright.dev/ready': 'false' };
    await apply(deployment({ name: 'stuck', annotations }));
    await until('it runs', async () => (await statesOf('stuck')).join() === 'Running, ready False');
    await apply(deployment({ name: 'stuck', annotations: {} }));
    await rolledOut('stuck');
    expect(await statesOf('stuck')).toContain('Running, ready True');
  });
});

describe('faults', () => {
  test('the API server goes as in a crash, and comes back at the same address with the same data', async () => {
    await kubectl('create', 'configmap', 'kept');
    const before = plane.pid('kube-apiserver');
    await plane.stopApiServer();
    expect(plane.pid('kube-apiserver')).toBeUndefined();
    await expect(kubectl('get', 'configmap', 'kept')).rejects.toThrow('refused');
    await plane.startApiServer();
    expect(plane.pid('kube-apiserver')).not.toBe(before);
    expect(await kubectl('get', 'configmap', 'kept', '-o', 'name')).toBe('configmap/kept\n');
    // controllers, scheduler and kwok find it again by themselves
    await apply(deployment({ name: 'after-the-crash', replicas: 2 }));
    await rolledOut('after-the-crash');
  });

  test('a second one runs beside the first and leaves nothing', async () => {
    const second = await startControlPlane({ workloads: false, log: quiet });
    expect(second.server).not.toBe(plane.server);
    const { stdout } = await run(second.bin('kubectl'), [
      '--kubeconfig',
      second.kubeconfig,
      'get',
      'nodes',
      '-o',
      'name',
    ]);
    expect(stdout).toBe('');
    const directory = dirname(second.logFile('etcd'));
    const pids = (['etcd', 'kube-apiserver', 'kube-controller-manager'] as const).map((name) => second.pid(name) ?? 0);
    await second.stop();
    expect(existsSync(directory)).toBe(false);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await kubectl('get', '--raw', '/readyz');
  });
});
