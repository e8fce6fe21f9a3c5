/**
 * Installs, upgrades and uninstalls on a real API server, and lets the operator work with the rights that it was given. A control
 * plane of its own, since CRDs, policies and cluster roles are there once. The tests follow each other.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { bundle } from '../../tools/build/bundle.ts';
import { type ControlPlane, startControlPlane } from '../../tools/controlplane/control-plane.ts';
import { freePort } from '../../tools/controlplane/free-port.ts';
import { createAuthority } from '../../tools/controlplane/x509.ts';
import { chart, root } from './binaries.ts';
import { command, type Outcome, tryCommand } from './command.ts';
import { ask, type Gateway } from './gateway.ts';
import { type Deployment, type Manifest, nameOf, readManifests, theDeployment } from './manifests.ts';
import { PodProcess } from './pod-process.ts';

const OWN = 'tokenwright-system';
const ACCOUNT = `system:serviceaccount:${OWN}:tokenwright-operator`;
const examples = join(root, 'deploy/examples');

let plane: ControlPlane;
let folder: string;
let operator: PodProcess | undefined;
let verifier: PodProcess | undefined;
let settings: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tokenwright-install-'));
  plane = await startControlPlane({ log: () => {} });
  await bundle(folder);
  settings = ['--set', `operator.metricsPort=${await freePort()}`];
});

afterAll(async () => {
  await verifier?.stop();
  await operator?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

const kubectl = (...args: string[]) => command(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, ...args]);
const tryKubectl = (kubeconfig: string, ...args: string[]) =>
  tryCommand(plane.bin('kubectl'), ['--kubeconfig', kubeconfig, ...args]);

function tryHelm(...args: string[]): Promise<Outcome> {
  return tryCommand(plane.bin('helm'), [...args, '--kubeconfig', plane.kubeconfig, '--namespace', OWN]);
}

async function helm(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryHelm(...args);
  if (code !== 0) throw new Error(`helm ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const waited = ['--wait', '--timeout=30s'];

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await isSo())) {
    if (performance.now() > deadline)
      throw new Error(`not so within 20 s: ${what}\n${operator?.stderr}\n${verifier?.stderr}`);
    await wait(100);
  }
}

async function get<T extends Manifest>(...args: string[]): Promise<T> {
  return JSON.parse(await kubectl('get', ...args, '-o', 'json'));
}

const apply = (object: object) =>
  command(plane.bin('kubectl'), ['--kubeconfig', plane.kubeconfig, 'apply', '-f', '-'], { input: stringify(object) });

const exists = async (...args: string[]) => (await tryKubectl(plane.kubeconfig, 'get', ...args)).code === 0;

const may = async (user: string, ...args: string[]) =>
  (await tryKubectl(plane.kubeconfig, 'auth', 'can-i', ...args, '--as', user)).stdout.trim() === 'yes';

/** A kubeconfig with a token of the ServiceAccount, as TokenRequest gives it. `bound` is what kubectl takes. */
async function accountKubeconfig(account: string, ...bound: string[]): Promise<string> {
  const token = await kubectl('create', 'token', account, '-n', OWN, ...bound);
  const config = parse(await readFile(plane.kubeconfig, 'utf8'));
  config.users = [{ name: config.users[0].name, user: { token: token.trim() } }];
  const path = join(folder, `${account}.kubeconfig`);
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}

async function startOperator(): Promise<PodProcess> {
  const deployment = await get<Deployment>('deployment/tokenwright-operator', '-n', OWN);
  operator = new PodProcess(deployment, {
    script: join(folder, 'tokenwright.js'),
    kubeconfig: await accountKubeconfig('tokenwright-operator'),
    pod: 'tokenwright-operator-0',
  });
  await operator.ready();
  return operator;
}

interface ApiToken extends Manifest {
  status: {
    lastVersion: number;
    conditions: { type: string; status: string; reason: string }[];
    versions: { state: string; version: number }[];
  };
}

interface Revocation extends Manifest {
  status?: { sealed?: boolean; matched?: number; receipts?: { verifier: string; environment: string }[] };
}

const isReady = ({ status }: ApiToken) =>
  status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;

const crdColumns = async () => {
  const crd = await get<Manifest>('crd', 'apitokens.tokenwright.dev');
  const { versions } = crd.spec as { versions: [{ additionalPrinterColumns: { name: string }[] }] };
  return versions[0].additionalPrinterColumns.map(({ name }) => name);
};

describe('kubectl', () => {
  const deploy = join(root, 'deploy');

  test('applies deploy/ to an empty cluster, and again without a change', async () => {
    const objects = readManifests(await kubectl('kustomize', deploy));
    const created = await kubectl('apply', '-k', deploy);
    expect(created.trim().split('\n')).toHaveLength(objects.length);
    expect(created).not.toMatch(/unchanged|configured/);
    await kubectl('rollout', 'status', '-n', OWN, 'deployment/tokenwright-operator', '--timeout=60s');
    // kubectl says "configured" of some at each apply, where the server wrote out what was left out
    const before = await generations();
    await kubectl('apply', '-k', deploy);
    expect(await generations()).toEqual(before);
  });

  /** Of the objects that have one: a change of the spec raises it. */
  const generations = async () => {
    const list = JSON.parse(await kubectl('get', '-k', deploy, '-o', 'json')) as { items: Manifest[] };
    const counted = list.items.filter(({ metadata }) => 'generation' in metadata);
    expect(counted.length).toBeGreaterThan(10);
    return counted.map((object) => [nameOf(object), (object.metadata as { generation?: number }).generation]);
  };

  test('makes the namespace and the CRDs first, and the operator last', async () => {
    const order = readManifests(await kubectl('kustomize', deploy)).map(nameOf);
    const place = (name: string) => order.findIndex((other) => other.startsWith(name));
    const places = [
      'Namespace/',
      'CustomResourceDefinition/',
      'ValidatingAdmissionPolicy',
      'ServiceAccount/',
      'Deployment/',
    ].map(place);
    expect(places).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  test('applies deploy/verifier besides', async () => {
    await kubectl('apply', '-k', join(root, 'deploy/verifier'));
    await kubectl('rollout', 'status', '-n', OWN, 'deployment/tokenwright-verifier-production', '--timeout=60s');
    await kubectl('delete', '-k', join(root, 'deploy/verifier'), '--timeout=60s');
  });

  test('takes the baseline policy once it has the kind', async () => {
    await kubectl('apply', '-f', join(root, 'deploy/examples/policies/baseline.yaml'));
  });

  test('deletes all of it', async () => {
    const names = readManifests(await kubectl('kustomize', deploy));
    // the API server looks every 5 s, and after a minute anew, whether what a CRD had is gone
    await kubectl('delete', '-k', deploy, '--timeout=170s');
    for (const { kind, metadata } of names.filter((object) => object.metadata.namespace === undefined))
      expect(await exists(kind, metadata.name), `${kind}/${metadata.name}`).toBe(false);
  });
});

describe('helm', () => {
  // with the label by which pods that are not restricted are refused
  beforeAll(() => kubectl('apply', '-f', join(root, 'deploy/namespace.yaml')));

  test('says what to do next, and warns of what was turned off', async () => {
    const notes = async (...set: string[]) => {
      const options = set.flatMap((value) => ['--set', value]);
      const text = await helm('install', 'tokenwright', chart, '--dry-run=server', ...options);
      return text.slice(text.indexOf('NOTES:'));
    };
    const byDefault = await notes();
    expect(byDefault).toContain('rollout status deployment/tokenwright-operator');
    expect(byDefault).not.toContain('WARNING');
    expect(byDefault).toContain('So far nobody checks calls');
    expect(await notes('verifiers.production.tls.secretName=x')).toContain(
      'production: https://tokenwright-verifier-production.tokenwright-system.svc:8443',
    );
    const bold = await notes(
      'admission.install=false',
      'crds.keep=false',
      'operator.watchNamespaces={support}',
      'operator.defaultPolicy=Allow',
    );
    for (const part of [
      'WARNING: admission.install is false',
      'WARNING: crds.keep is false',
      'WARNING: operator.defaultPolicy is Allow',
      'namespace: support',
    ])
      expect(bold).toContain(part);
    expect(await notes('baselinePolicy.create=false')).toContain('deploy/examples/policies/baseline.yaml');
  });

  test('installs the chart into a namespace where only restricted pods run', async () => {
    // an older chart, whose CRD lacks a column
    const older = join(folder, 'chart');
    await cp(chart, older, { recursive: true });
    const crd = join(older, 'templates/crds/tokenwright.dev_apitokens.yaml');
    const text = await readFile(crd, 'utf8');
    await writeFile(crd, text.replace(/ {8}- name: Owner\n(?: {10}.*\n)+/, ''));

    await helm('install', 'tokenwright', older, ...waited, ...settings);
    const { status } = await get<Manifest>('deployment/tokenwright-operator', '-n', OWN);
    expect(status).toMatchObject({ readyReplicas: 2 });
    expect(await crdColumns()).not.toContain('Owner');
  });

  test('upgrades the CRD with the chart', async () => {
    await helm('upgrade', 'tokenwright', chart, ...waited, ...settings);
    expect(await crdColumns()).toContain('Owner');
  });

  test('refuses a second release in the cluster', async () => {
    const { code, stderr } = await tryHelm('install', 'another', chart);
    expect(code).not.toBe(0);
    expect(stderr).toContain('cannot be imported into the current release');
  });
});

describe("with the chart's arguments, environment and account", () => {
  let account: string;

  test('the operator starts and leads', async () => {
    await startOperator();
    account = await accountKubeconfig('tokenwright-operator');
    await until('it leads', async () => (await operator?.metrics())?.includes('tokenwright_leader 1') ?? false);
    const lease = await get<Manifest>('lease/tokenwright-operator', '-n', OWN);
    expect(lease.spec).toMatchObject({ holderIdentity: expect.stringMatching(/^tokenwright-operator-0_/) });
    const keys = await get<Manifest>('configmap/tokenwright-seal-public-keys', '-n', OWN);
    expect(JSON.stringify(keys.data)).not.toContain('\\"d\\"');
  });

  test('it gives every example its Secret', async () => {
    await kubectl('create', 'namespace', 'support');
    await kubectl('apply', '-n', 'support', '-f', examples);
    const all = async () => (await get<Manifest & { items: ApiToken[] }>('apitokens', '-n', 'support')).items;
    await until('all are Ready', async () => (await all()).every(isReady));
    expect((await all()).map(({ metadata }) => metadata.name)).toEqual([
      'indexer',
      'nightly-report',
      'partner-feed',
      'summarizer',
      'triage',
    ]);
    const { data } = await get<Manifest & { data: Record<string, string> }>('secret/triage-client', '-n', 'support');
    const text = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString();
    expect(text('token')).toMatch(/^twk_staging_[0-9A-Za-z]{57}$/);
    expect(text('HEADER')).toBe(`Bearer ${text('token')}`);
  });

  test('it rotates on request and restarts who reads the environment', async () => {
    const token = () => get<ApiToken>('apitoken/summarizer', '-n', 'support');
    const rolledOut = ({ status }: ApiToken) =>
      status.conditions.some((c) => c.type === 'RolledOut' && c.status === 'True');
    await until('version 1 has rolled out', async () => rolledOut(await token()));
    const podsBefore = await podNames();
    await kubectl('annotate', '-n', 'support', 'apitoken/summarizer', 'tokenwright.dev/rotate-requested-at=now');
    await until('version 2 has rolled out', async () => {
      const now = await token();
      return now.status.versions.some((v) => v.version === 2 && v.state === 'Current') && rolledOut(now);
    });
    const { spec } = await get<Deployment>('deployment/summarizer', '-n', 'support');
    expect(Object.entries(spec.template.metadata.annotations ?? {})).toEqual([
      [expect.stringMatching(/^version\.tokenwright\.dev\/[0-9A-Za-z]{8}$/), '2'],
    ]);
    const podsAfter = await podNames();
    expect(podsAfter).toHaveLength(2);
    expect(podsAfter.filter((name) => podsBefore.includes(name))).toEqual([]);
  });

  const podNames = async () => {
    const { items } = await get<Manifest & { items: Manifest[] }>('pods', '-n', 'support', '-l', 'app=summarizer');
    const alive = items.filter(({ metadata }) => !('deletionTimestamp' in metadata));
    return alive.map(({ metadata }) => metadata.name);
  };

  test('it restarts a StatefulSet and a DaemonSet too', async () => {
    const { template } = theDeployment(readManifests(await readFile(join(examples, 'agent-token.yaml'), 'utf8'))).spec;
    template.metadata.labels = { app: 'reader' };
    const daemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'reader', namespace: 'support' },
      spec: { selector: { matchLabels: { app: 'reader' } }, template },
    };
    await apply(daemonSet);
    await kubectl('rollout', 'status', '-n', 'support', 'daemonset/reader', '--timeout=30s');
    for (const name of ['summarizer', 'triage'])
      await kubectl(
        'annotate',
        '-n',
        'support',
        `apitoken/${name}`,
        'tokenwright.dev/rotate-requested-at=again',
        '--overwrite',
      );
    const versionOf = async (workload: string) => {
      const { spec } = await get<Deployment>(workload, '-n', 'support');
      return Object.values(spec.template.metadata.annotations ?? {});
    };
    await until('both are restarted', async () => {
      const versions = await Promise.all(['daemonset/reader', 'statefulset/triage'].map(versionOf));
      return versions[0]?.[0] === '3' && versions[1]?.[0] === '2';
    });
  });

  test('it carries out the revocations of the examples', async () => {
    const versionOf = async () => (await get<ApiToken>('apitoken/summarizer', '-n', 'support')).status.lastVersion;
    const before = await versionOf();
    // its first seconds: an API server that marks revocations must have learnt of them
    await until('they are taken', async () => {
      const path = join(examples, 'revocations');
      return (await tryKubectl(plane.kubeconfig, 'apply', '-n', 'support', '-f', path)).code === 0;
    });
    await until('both are sealed', async () => {
      const { items } = await get<Manifest & { items: Revocation[] }>('tokenrevocations', '-n', 'support');
      expect(items.map(({ metadata }) => metadata.name)).toEqual(['acme-ended', 'summarizer-leaked']);
      return items.every(({ status }) => status?.sealed && status.matched === 1);
    });
    await until('the leaked one is replaced', async () => {
      const token = await get<ApiToken>('apitoken/summarizer', '-n', 'support');
      return isReady(token) && token.status.versions.every(({ version }) => version > before);
    });
    await until('the other has no Secret', async () => !(await exists('secret/partner-feed', '-n', 'support')));
  });

  describe('the verifiers of production', () => {
    const PROVIDER_KEY = 'of-the-provider';
    const servername = `tokenwright-verifier-production.${OWN}.svc`;
    const authority = createAuthority('tests');
    let pod: string;
    let gateway: Gateway;
    /** Of who may ask a verifier about everything, and of who may not. */
    let caller: string;
    let stranger: string;

    const secretToken = async () => {
      const secret = await get<Manifest & { data: { token: string } }>('secret/summarizer-token', '-n', 'support');
      return Buffer.from(secret.data.token, 'base64').toString();
    };
    const authorize = (token: string) => ask(gateway, '/authorize?audience=ai-gateway&scope=chat:write', token);

    async function callerToken(name: string, ...roles: string[]): Promise<string> {
      await kubectl('create', 'serviceaccount', name, '-n', 'support');
      for (const role of roles) {
        const [from, to] = [`--clusterrole=tokenwright-${role}`, `--serviceaccount=support:${name}`];
        await kubectl('create', 'clusterrolebinding', `${name}-${role}`, from, to);
      }
      return (await kubectl('create', 'token', name, '-n', 'support', '--audience=tokenwright.dev')).trim();
    }

    test('are installed by an upgrade', async () => {
      const { certificate, privateKey } = authority.issue({
        commonName: servername,
        hosts: [servername],
        usages: ['server'],
      });
      const tls = join(folder, 'tls');
      await mkdir(tls);
      await writeFile(join(tls, 'tls.crt'), certificate);
      await writeFile(join(tls, 'tls.key'), privateKey, { mode: 0o600 });
      const files = [`--cert=${join(tls, 'tls.crt')}`, `--key=${join(tls, 'tls.key')}`];
      await kubectl('create', 'secret', 'tls', 'verifier-tls', '-n', OWN, ...files);
      await kubectl(
        'create',
        'secret',
        'generic',
        'ai-provider',
        '-n',
        'tokenwright-upstreams',
        `--from-literal=api-key=${PROVIDER_KEY}`,
      );
      gateway = { port: await freePort(), servername, ca: authority.certificate };
      settings.push(
        '--set=verifiers.production.tls.secretName=verifier-tls',
        `--set=verifiers.production.port=${gateway.port}`,
        `--set=verifiers.production.metricsPort=${await freePort()}`,
      );
      await helm('upgrade', 'tokenwright', chart, ...waited, ...settings);
      const selector = 'app.kubernetes.io/component=verifier,tokenwright.dev/environment=production';
      const { items } = await get<Manifest & { items: Manifest[] }>('pods', '-n', OWN, '-l', selector);
      expect(items).toHaveLength(2);
      pod = items[0]?.metadata.name ?? '';
    });

    test("become ready by a token that is bound to their pod, and keep the pod's Lease", async () => {
      verifier = new PodProcess(await get<Deployment>('deployment/tokenwright-verifier-production', '-n', OWN), {
        script: join(folder, 'tokenwright.js'),
        kubeconfig: await accountKubeconfig(
          'tokenwright-verifier',
          '--bound-object-kind=Pod',
          `--bound-object-name=${pod}`,
        ),
        pod,
        volumes: { tls: join(folder, 'tls') },
      });
      await verifier.ready();
      await until('its Lease is there', () => exists(`lease/tokenwright-verifier-${pod}`, '-n', OWN));
    });

    test("say yes to a token that the operator minted, and put the provider's key in its place", async () => {
      expect(await authorize(await secretToken())).toMatchObject({
        status: 200,
        headers: { 'x-tokenwright-subject': 'agent:summarizer', authorization: `Bearer ${PROVIDER_KEY}` },
      });
      expect(await authorize('twk_production_unknown')).toMatchObject({ status: 401 });
    });

    test('answer who has the roles for it, and nobody else', async () => {
      caller = await callerToken('caller', 'introspector', 'metrics-reader', 'last-use-reader');
      stranger = await callerToken('stranger');
      const { uid } = (await get<Manifest & { metadata: { uid: string } }>('apitoken/summarizer', '-n', 'support'))
        .metadata;
      const form = { token: await secretToken(), audience: 'ai-gateway' };
      const introspect = (by: string) => ask(gateway, '/introspect', by, form);
      const lastUse = (by: string) => ask(gateway, `/last-use?uid=${uid}`, by);
      expect(JSON.parse((await introspect(caller)).body)).toMatchObject({
        active: true,
        sub: 'support/agent:summarizer',
      });
      expect(JSON.parse((await lastUse(caller)).body)).toMatchObject({ versions: [{ uid }] });
      expect(await verifier?.metrics(caller)).toContain('tokenwright_verdicts_total');
      expect([await introspect(stranger), await lastUse(stranger)]).toMatchObject([{ status: 403 }, { status: 403 }]);
      expect(await verifier?.metrics(stranger)).toBe('403');
    });

    test('refuse what is revoked, and leave a receipt in the name of their pod', async () => {
      const leaked = await secretToken();
      await apply({
        apiVersion: 'tokenwright.dev/v1alpha1',
        kind: 'TokenRevocation',
        metadata: { name: 'at-the-gateway', namespace: 'support' },
        spec: { match: { name: 'summarizer' }, reason: 'Compromised' },
      });
      await until('the token is refused', async () => (await authorize(leaked)).status === 401);
      await until('the receipt is there', async () => {
        const { status } = await get<Revocation>('tokenrevocation/at-the-gateway', '-n', 'support');
        return (
          status?.receipts?.some((receipt) => receipt.verifier === pod && receipt.environment === 'production') ?? false
        );
      });
      await until('its successor is taken', async () => (await authorize(await secretToken())).status === 200);
    });

    test('are refused nothing by the API server, have what the alerts ask for, and end in peace', async () => {
      const metrics = await verifier?.metrics(caller);
      expect(metrics).toMatch(/tokenwright_api_calls_total\{[^}]*code="20[01]"/);
      expect(metrics).not.toMatch(/tokenwright_api_calls_total\{[^}]*code="40[13]"/);
      expect(verifier?.stderr).not.toMatch(/Forbidden/);
      const rules = parse(await readFile(join(root, 'deploy/alerts/tokenwright.rules.yaml'), 'utf8'));
      const [asked] = rules.groups.filter(({ name }: { name: string }) => name === 'tokenwright-verifier');
      for (const name of JSON.stringify(asked).match(/tokenwright_\w+/g) ?? [])
        expect(metrics).toContain(`# TYPE ${name} `);
      expect(verifier?.stdout).toContain('"outcome":"Allowed"');
      expect(await verifier?.stop()).toBe(0);
    });
  });

  test('it removes the Secret when the grant ends', async () => {
    const token = parse(await readFile(join(examples, 'scheduled.yaml'), 'utf8'));
    token.metadata = { name: 'brief', namespace: 'support' };
    token.spec.notAfter = new Date(Date.now() + 4000).toISOString().replace(/\.\d+/, '');
    delete token.spec.rotation;
    await apply(token);
    await until('the Secret is there', () => exists('secret/brief', '-n', 'support'));
    await until('the Secret is gone', async () => !(await exists('secret/brief', '-n', 'support')));
  });

  test('it tells what happened, in events and on stdout, and was refused nothing', async () => {
    await until('an Event tells of the rotation', async () => {
      const { items } = await get<Manifest & { items: { reason: string }[] }>('events.events.k8s.io', '-n', 'support');
      return items.some(({ reason }) => reason === 'Rotated');
    });
    const records = operator?.stdout.trim().split('\n') ?? [];
    expect(records.map((line) => JSON.parse(line).phase)).toEqual(expect.arrayContaining(['intent', 'outcome']));
    expect(operator?.stderr).not.toMatch(/Forbidden/);
    expect(await operator?.metrics()).not.toMatch(/tokenwright_api_calls_total\{[^}]*code="40[13]"/);
  });

  test.each([
    ['read ConfigMaps elsewhere', 'cannot list resource "configmaps"', ['get', 'configmaps', '-n', 'support']],
    ['read Roles', 'cannot list resource "roles"', ['get', 'roles', '-A']],
    [
      'change an ApiToken',
      'cannot patch resource "apitokens"',
      ['label', 'apitoken/summarizer', 'a=b', '-n', 'support'],
    ],
    ['delete an ApiToken', 'cannot delete resource "apitokens"', ['delete', 'apitoken/summarizer', '-n', 'support']],
    [
      'change the image of a Deployment',
      'patch only annotations under *.tokenwright.dev/ of the pod template',
      ['set', 'image', 'deployment/summarizer', 'agent=evil', '-n', 'support'],
    ],
    [
      'scale a Deployment',
      'cannot patch resource "deployments/scale"',
      ['scale', 'deployment/summarizer', '--replicas=0', '-n', 'support'],
    ],
    [
      'create a Secret that no ApiToken controls',
      'write only Secrets whose controller is and stays one ApiToken',
      ['create', 'secret', 'generic', 'stray', '--from-literal=a=b', '-n', 'support'],
    ],
    [
      'replace the Secret of another',
      'write only Secrets whose controller is and stays one ApiToken',
      ['replace', '-n', 'support', '-f', 'theirs.json'],
    ],
    [
      'delete the Secret of another',
      'write only Secrets whose controller is and stays one ApiToken',
      ['delete', 'secret/theirs', '-n', 'support'],
    ],
    [
      'write a ConfigMap of its own namespace but the public keys',
      'cannot delete resource "configmaps"',
      ['delete', 'configmap/kube-root-ca.crt', '-n', OWN],
    ],
    ['create a pod', 'cannot create resource "pods"', ['run', 'x', '--image=x', '-n', OWN]],
  ])('its account cannot %s', async (_, refusal, args) => {
    if (!(await exists('secret/theirs', '-n', 'support')))
      await kubectl('create', 'secret', 'generic', 'theirs', '--from-literal=a=b', '-n', 'support');
    const theirs = join(folder, 'theirs.json');
    await writeFile(theirs, JSON.stringify(await get<Manifest>('secret/theirs', '-n', 'support')));
    const { code, stderr } = await tryKubectl(account, ...args.map((arg) => (arg === 'theirs.json' ? theirs : arg)));
    expect(stderr).toContain(refusal);
    expect(code).not.toBe(0);
  });

  test('viewers see ApiTokens and no Secrets, editors write ApiTokens and no status, admins revoke', async () => {
    for (const role of ['view', 'edit', 'admin'])
      await kubectl('create', 'rolebinding', role, `--clusterrole=${role}`, `--user=${role}er`, '-n', 'support');
    await until('the roles are aggregated', () => may('editer', 'create', 'apitokens', '-n', 'support'));
    const rights = async (user: string) => {
      const asked = [
        'get apitokens',
        'create apitokens',
        'delete apitokens',
        'get secrets',
        'update apitokens/status',
        'get tokenrevocations',
        'create tokenrevocations',
        'patch tokenrevocations/status',
        'get clustertokenrevocations',
        'get tokenaudiences',
      ];
      const answers = await Promise.all(
        asked.map((text) => {
          const [verb = '', resource = ''] = text.split(' ');
          const [plural = '', subresource] = resource.split('/');
          return may(user, verb, plural, ...(subresource ? ['--subresource', subresource] : []), '-n', 'support');
        }),
      );
      return asked.filter((_, index) => answers[index]);
    };
    expect(await rights('viewer')).toEqual(['get apitokens', 'get tokenrevocations']);
    const writer = ['get apitokens', 'create apitokens', 'delete apitokens', 'get secrets', 'get tokenrevocations'];
    expect(await rights('editer')).toEqual(writer);
    expect(await rights('adminer')).toEqual([...writer, 'create tokenrevocations']);
  });

  test('whoever writes a status all the same is refused', async () => {
    const patch = ['patch', 'apitoken/summarizer', '-n', 'support', '--subresource=status', '--type=merge'];
    const { code, stderr } = await tryKubectl(plane.kubeconfig, ...patch, '-p', '{"status":{"lastVersion":99}}');
    expect(code).not.toBe(0);
    expect(stderr).toContain("since only Tokenwright's operator writes its status");
  });

  test('it ends in peace', async () => {
    expect(await operator?.stop()).toBe(0);
    const lease = await get<Manifest & { spec: { holderIdentity?: string } }>('lease/tokenwright-operator', '-n', OWN);
    expect(lease.spec.holderIdentity ?? '').toBe('');
  });

  test('it does with the rights of one namespace when it watches one', async () => {
    await helm('upgrade', 'tokenwright', chart, ...waited, ...settings, '--set', 'operator.watchNamespaces={support}');
    expect(await may(ACCOUNT, 'get', 'secrets', '-n', 'support')).toBe(true);
    expect(await may(ACCOUNT, 'get', 'secrets', '-n', 'default')).toBe(false);
    await startOperator();
    await kubectl('delete', 'secret/summarizer-token', '-n', 'support');
    await until('a Secret that was deleted is there again', () => exists('secret/summarizer-token', '-n', 'support'));
    expect(operator?.stderr).not.toMatch(/Forbidden/);
    expect(await operator?.stop()).toBe(0);
  });
});

test('refuses the bad examples, each with the sentence that it announces', async () => {
  const names = await readdir(join(examples, 'bad'));
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const file = join(examples, 'bad', name);
    const sentence = /^# Refused: (.*)$/m.exec(await readFile(file, 'utf8'))?.[1] ?? 'no sentence announced';
    const { code, stderr } = await tryKubectl(
      plane.kubeconfig,
      'apply',
      '-n',
      'support',
      '--dry-run=server',
      '-f',
      file,
    );
    expect(stderr, name).toContain(sentence);
    expect(code, name).not.toBe(0);
  }
});

describe('uninstalled by helm', () => {
  test('leaves ApiTokens and their Secrets, and nothing that acts', async () => {
    await helm('uninstall', 'tokenwright', ...waited);
    expect(await exists('apitoken/summarizer', '-n', 'support')).toBe(true);
    expect(await exists('secret/summarizer-token', '-n', 'support')).toBe(true);
    expect(await exists('tokenpolicy/baseline')).toBe(true);
    const kinds = 'validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles,clusterrolebindings';
    const left = await kubectl('get', kinds, '-o', 'name');
    expect(left).not.toContain('tokenwright');
    expect(await kubectl('get', 'deployments,services,serviceaccounts,roles', '-n', OWN, '-o', 'name')).not.toContain(
      'tokenwright',
    );
  });

  test('takes up its CRDs again when it is installed again, and leaves the policy as it was edited', async () => {
    await kubectl('patch', 'tokenpolicy/baseline', '--type=merge', '--patch={"spec":{"bounds":{"ttl":{"max":"1h"}}}}');
    await helm('install', 'tokenwright', chart, ...waited, ...settings);
    expect((await get<Manifest>('tokenpolicy/baseline')).spec).toMatchObject({ bounds: { ttl: { max: '1h' } } });
    await helm('uninstall', 'tokenwright', ...waited);
    expect(await exists('apitoken/summarizer', '-n', 'support')).toBe(true);
  });
});
