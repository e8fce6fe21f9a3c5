/** The verifiers of the chart, and of deploy/verifier, without a cluster. */
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type VerifierConfig, verifierCommand } from '../../src/app/verifier-config.ts';
import { type Clients, clients, root } from './binaries.ts';
import { Chart } from './chart.ts';
import { command } from './command.ts';
import {
  comparable,
  containerOf,
  type Deployment,
  type Manifest,
  nameOf,
  readManifests,
  theDeployment,
} from './manifests.ts';

const PRODUCTION = 'verifiers.production.tls.secretName=tokenwright-verifier-production-tls';
const STAGING = 'verifiers.staging.tls.secretName=tokenwright-verifier-staging-tls';
const POD = 'tokenwright-verifier-production-5d9c7b6f4-abcde';

let tools: Clients;
let chart: Chart;
let byDefault: Manifest[];

beforeAll(async () => {
  tools = await clients();
  chart = new Chart(tools);
  byDefault = await chart.render();
});

/** What is in the release for its verifiers alone. */
async function verifiers(...set: string[]): Promise<Manifest[]> {
  const without = new Set(byDefault.map(nameOf));
  return (await chart.render(...set)).filter((object) => !without.has(nameOf(object)));
}

async function deployment(...set: string[]): Promise<Deployment> {
  return theDeployment(await verifiers(PRODUCTION, ...set));
}

/** What a verifier would run with. */
function configOf(deployment: Deployment): VerifierConfig | undefined {
  let found: VerifierConfig | undefined;
  const [subcommand, ...argv] = containerOf(deployment).args;
  expect(subcommand).toBe('verifier');
  const keep = (config: VerifierConfig) => {
    found = config;
  };
  verifierCommand(keep, { POD_NAME: POD, POD_NAMESPACE: 'tokenwright-system' }, () => undefined).parse(argv, {
    from: 'user',
  });
  return found;
}

/** Objects that differ in nothing but how their flags are written. */
function withConfig(objects: readonly Manifest[]) {
  return objects
    .map((object) => {
      if (object.kind !== 'Deployment') return { object: comparable(object) };
      const copy = structuredClone(object) as Deployment;
      containerOf(copy).args = [];
      return { object: comparable(copy), config: configOf(object as Deployment) };
    })
    .sort((a, b) => (nameOf(a.object) < nameOf(b.object) ? -1 : 1));
}

const kustomize = async (folder: string) => readManifests(await command(tools.kubectl, ['kustomize', folder]));

describe('verifiers', () => {
  test('are none by default', () => {
    expect(byDefault.map(nameOf).filter((name) => name.startsWith('Deployment/'))).toEqual([
      'Deployment/tokenwright-operator',
    ]);
  });

  test('are installed by the chart as by deploy/verifier', async () => {
    const ours = await verifiers(PRODUCTION);
    expect(ours.map(nameOf).sort()).toEqual([
      'Deployment/tokenwright-verifier-production',
      'PodDisruptionBudget/tokenwright-verifier-production',
      'Service/tokenwright-verifier-production',
    ]);
    expect(withConfig(ours)).toEqual(withConfig(await kustomize(join(root, 'deploy/verifier'))));
  });

  test('of another environment are a copy of deploy/verifier with its name', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tokenwright-verifier-'));
    try {
      await cp(join(root, 'deploy/verifier'), folder, { recursive: true });
      for (const name of await readdir(folder)) {
        const file = join(folder, name);
        await writeFile(file, (await readFile(file, 'utf8')).replaceAll('production', 'staging'));
      }
      expect(withConfig(await verifiers(STAGING))).toEqual(withConfig(await kustomize(folder)));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('run with the flags that are their defaults, their environment, and as many replicas as there are', async () => {
    const byFlags = (await verifiers(PRODUCTION, 'verifiers.production.replicas=3')).filter(
      ({ kind }) => kind === 'Deployment',
    );
    const [config] = byFlags.map((object) => configOf(object as Deployment));
    const minimal = structuredClone(byFlags[0] as Deployment);
    containerOf(minimal).args = ['verifier', '--environment=production', '--replicas=3', '--no-tls'];
    const tls = { certFile: '/etc/tokenwright/tls/tls.crt', keyFile: '/etc/tokenwright/tls/tls.key' };
    expect(config).toEqual({ ...configOf(minimal), tls });
    expect(config).toMatchObject({ environment: 'production', name: POD, rateLimits: { replicas: 3 } });
    expect(byFlags[0]?.spec).toMatchObject({ replicas: 3 });
  });

  test('say of each setting what is given for their environment, else for all', async () => {
    const objects = await verifiers(
      PRODUCTION,
      STAGING,
      'verifierDefaults.auditLevel=denials',
      'verifierDefaults.metricsAuth=false',
      'verifiers.staging.auditLevel=sampled:10',
      'verifiers.staging.metricsAuth=true',
      'verifiers.staging.grpc=true',
      'verifiers.staging.trustedProxies={10.0.0.0/8,fd00::/8}',
      'verifiers.staging.rateLimitStore=rediss://valkey:6379',
    );
    const configs = ['production', 'staging'].map((environment) => configOf(theDeployment(objects, environment)));
    expect(configs).toMatchObject([
      { environment: 'production', auditLevel: { level: 'denials' }, metricsAuth: false, grpcBindAddress: undefined },
      {
        environment: 'staging',
        auditLevel: { level: 'sampled', oneIn: 10 },
        metricsAuth: true,
        grpcBindAddress: { port: 9443 },
        trustedProxies: ['10.0.0.0/8', 'fd00::/8'],
        rateLimits: { store: 'rediss://valkey:6379' },
      },
    ]);
  });

  test('of two environments take no pod of each other', async () => {
    const objects = await verifiers(PRODUCTION, STAGING);
    for (const environment of ['production', 'staging']) {
      const { labels } = theDeployment(objects, environment).spec.template.metadata;
      const service = objects.find((object) => nameOf(object) === `Service/tokenwright-verifier-${environment}`);
      const { selector } = (service?.spec ?? {}) as { selector: Record<string, string> };
      expect(labels).toMatchObject(selector);
      expect(selector['tokenwright.dev/environment']).toBe(environment);
    }
  });

  test('have the ports in their Service that their pods have', async () => {
    const objects = await verifiers(PRODUCTION, 'verifiers.production.grpc=true', 'verifiers.production.port=10443');
    const { ports } = containerOf(theDeployment(objects));
    const service = (objects.find(({ kind }) => kind === 'Service')?.spec ?? {}) as {
      ports: { port: number; targetPort: string }[];
    };
    expect(
      service.ports.map(({ port, targetPort }) => [port, ports.find(({ name }) => name === targetPort)?.containerPort]),
    ).toEqual([
      [8443, 10443],
      [9443, 9443],
    ]);
  });

  test('are replaced one more before one less, take calls until all gateways know, and have time to end', async () => {
    const { spec } = await deployment(
      'verifiers.production.drainSeconds=40',
      'verifiers.production.shutdownTimeoutSeconds=90',
    );
    expect(spec).toMatchObject({ strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
    const [{ lifecycle, args }] = spec.template.spec.containers;
    expect(lifecycle).toEqual({ preStop: { sleep: { seconds: 40 } } });
    expect(args).toContain('--shutdown-timeout=90s');
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(40 + 90);
  });

  test('mount no certificate where a mesh encrypts', async () => {
    const plain = theDeployment(await verifiers('verifiers.test.tls.enabled=false'));
    expect(configOf(plain)?.tls).toBeUndefined();
    expect(plain.spec.template.spec.volumes).toBeUndefined();
  });

  test('let in whom the NetworkPolicy names to where gateways ask, and all to the probes', async () => {
    const [policy] = (
      await verifiers(
        PRODUCTION,
        'verifiers.production.grpc=true',
        'verifiers.production.networkPolicy.enabled=true',
        'verifiers.production.networkPolicy.from[0].podSelector.matchLabels.app=gateway',
      )
    ).filter(({ kind }) => kind === 'NetworkPolicy');
    expect(policy?.spec).toMatchObject({
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'gateway' } } }],
          ports: [{ port: 'verdicts' }, { port: 'grpc' }],
        },
        { ports: [{ port: 'metrics' }] },
      ],
    });
  });

  test.each([
    ['replicas=1', /^PodDisruptionBudget\//],
    ['podDisruptionBudget.enabled=false', /^PodDisruptionBudget\//],
  ])('leave out what %s turns off', async (setting, off) => {
    const all = (await verifiers(PRODUCTION)).map(nameOf);
    expect((await verifiers(PRODUCTION, `verifiers.production.${setting}`)).map(nameOf)).toEqual(
      all.filter((name) => !off.test(name)),
    );
  });

  test.each([
    ['replicas=0', "at '/verifiers/production/replicas': minimum: got 0, want 1"],
    ['replica=2', "at '/verifiers/production': additional properties 'replica' not allowed"],
    ['auditWhenSlow=wait', "at '/verifiers/production/auditWhenSlow': value must be one of 'drop', 'refuse'"],
    [
      'tls.secretName=',
      'verifiers.production.tls.secretName: name the Secret that holds the certificate (tls.crt, tls.key), or set tls.enabled to false',
    ],
    ['rateLimitStore=valkey:6379', 'verifiers.production.rateLimitStore: write a URL such as rediss://valkey:6379'],
    ['rateLimitStore=rediss://u:p@valkey:6379', 'one with a password belongs in a Secret'],
    ['auditLevel=sampled:1', 'verifiers.production.auditLevel: write all, denials, or sampled:N with N from 2'],
    ['auditLog=audit.jsonl', 'verifiers.production.auditLog: write - for stdout, or the absolute path of a file'],
    ['trustedProxies={gateway}', 'verifiers.production.trustedProxies: write CIDRs such as 10.0.0.0/8 or fd00::/8'],
    ['metricsPort=8443', 'verifiers.production: choose different numbers for port, grpcPort and metricsPort'],
    ['networkPolicy.enabled=true', 'verifiers.production.networkPolicy.from: say where the gateways are'],
    ['extraEnv[0].name=POD_NAME', 'verifiers.production.extraEnv: leave out POD_NAME, which the chart sets itself'],
  ])('refuse %s with a word on what is wrong', async (setting, sentence) => {
    const { code, stderr } = await chart.template(PRODUCTION, `verifiers.production.${setting}`);
    expect(code).not.toBe(0);
    expect(stderr).toContain(sentence);
  });

  test.each([
    ['verifiers.Prod_1.tls.secretName=x', 'verifiers: name environments as ApiTokens do'],
    [
      `${PRODUCTION},fullnameOverride=${'x'.repeat(40)},verifiers.${'e'.repeat(24)}.tls.secretName=x`,
      'fullnameOverride: shorten it',
    ],
  ])('refuse %s with a word on what is wrong', async (settings, sentence) => {
    const { code, stderr } = await chart.template(...settings.split(','));
    expect(code).not.toBe(0);
    expect(stderr).toContain(sentence);
  });
});
