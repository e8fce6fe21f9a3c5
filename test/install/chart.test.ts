/** What needs no cluster: the chart as text, and what it renders. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type OperatorConfig, operatorCommand } from '../../src/app/operator-config.ts';
import { VERSION } from '../../src/version.ts';
import { type Clients, chart, clients, root } from './binaries.ts';
import { Chart } from './chart.ts';
import { command, tryCommand } from './command.ts';
import {
  comparable,
  containerOf,
  type Manifest,
  nameOf,
  names,
  type Rule,
  readManifests,
  theDeployment,
} from './manifests.ts';

let tools: Clients;
let rendering: Chart;
let kustomized: Manifest[];
let rendered: Manifest[];

beforeAll(async () => {
  tools = await clients();
  kustomized = readManifests(await command(tools.kubectl, ['kustomize', join(root, 'deploy')]));
  rendering = new Chart(tools);
  rendered = await render();
});

const render = (...set: string[]) => rendering.render(...set);

/** What the operator would run with. */
function configOf(argv: string[]): OperatorConfig | undefined {
  let found: OperatorConfig | undefined;
  const keep = (config: OperatorConfig) => {
    found = config;
  };
  operatorCommand(keep, {}, () => undefined).parse(argv, { from: 'user' });
  return found;
}

describe('the chart', () => {
  test('passes helm lint', async () => {
    const { code, stdout } = await tryCommand(tools.helm, [
      'lint',
      '--strict',
      chart,
      `--kube-version=${tools.kubeVersion}`,
    ]);
    expect(code, stdout).toBe(0);
  });

  test('has copies of the CRDs and of the admission policies that are up to date', async () => {
    const { code, stderr } = await tryCommand(process.execPath, [join(root, 'tools/build/chart.ts'), '--check'], {
      env: {},
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });

  test('installs the objects that deploy/ does, and the baseline policy besides', () => {
    // by kustomize the namespace is an object, by helm it is given; and kubectl applies no object together with its kind
    const both = names(kustomized).filter((name) => name !== 'Namespace/tokenwright-system');
    expect(names(rendered)).toEqual([...both, 'TokenPolicy/baseline'].sort());
  });

  test('begins with the baseline policy of the examples', async () => {
    const [example] = readManifests(await readFile(join(root, 'deploy/examples/policies/baseline.yaml'), 'utf8'));
    const baseline = rendered.find(({ kind }) => kind === 'TokenPolicy');
    expect([baseline?.metadata.name, baseline?.spec]).toEqual([example?.metadata.name, example?.spec]);
    expect(baseline?.metadata.annotations).toEqual({ 'helm.sh/hook': 'post-install,post-upgrade' });
  });

  test('installs each of them as deploy/ does', () => {
    for (const object of rendered) {
      const twin = kustomized.find((other) => nameOf(other) === nameOf(object));
      if (object.kind === 'Deployment' || twin === undefined) continue;
      expect(comparable(object), nameOf(object)).toEqual(comparable(twin));
    }
  });

  test('starts the operator as deploy/ does, with the flags that are its defaults', () => {
    const [ours, theirs] = structuredClone([theDeployment(rendered), theDeployment(kustomized)] as const);
    const configured = [ours, theirs].map((deployment) => {
      const container = containerOf(deployment);
      expect(container.args[0]).toBe('operator');
      const parsed = configOf(container.args.slice(1));
      container.args = [];
      return parsed;
    });
    const byDefault = configOf([]);
    expect(configured).toEqual([byDefault, byDefault]);
    expect(comparable(ours)).toEqual(comparable(theirs));
  });

  test('is of the version of the program', async () => {
    const { version, appVersion } = parse(await readFile(join(chart, 'Chart.yaml'), 'utf8'));
    expect([version, appVersion]).toEqual([VERSION, VERSION]);
    for (const objects of [rendered, kustomized])
      expect(containerOf(theDeployment(objects)).image).toBe(`ghcr.io/tokenwright/tokenwright:${VERSION}`);
  });

  test('names the operator to the admission policies by its account and namespace', async () => {
    const objects = await render('serviceAccount.name=tw', 'fullnameOverride=gov');
    const policies = JSON.stringify(objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy'));
    expect(policies).toContain("request.userInfo.username == 'system:serviceaccount:tokenwright-system:tw'");
    expect(policies).not.toContain('tokenwright-operator');
    expect(theDeployment(objects).spec.template.spec.serviceAccountName).toBe('tw');
    expect(names(objects)).toContain('ServiceAccount/tw');
    const elsewhere = ['template', 'x', chart, '--namespace=elsewhere', `--kube-version=${tools.kubeVersion}`];
    const text = await command(tools.helm, elsewhere);
    expect(text).toContain("'system:serviceaccount:elsewhere:x-operator'");
    expect(text).not.toContain('tokenwright-system');
  });

  test('names the verifiers to the admission policies by their account, where the rights are', async () => {
    const objects = await render('fullnameOverride=gov');
    const policies = JSON.stringify(objects.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy'));
    expect(policies).toContain("request.userInfo.username == 'system:serviceaccount:tokenwright-system:gov-verifier'");
    expect(policies).not.toContain("tokenwright-verifier'");
    const bound = objects.filter(({ subjects }) => JSON.stringify(subjects ?? '').includes('gov-verifier'));
    expect(names(bound)).toEqual([
      'ClusterRoleBinding/gov-verifier',
      'RoleBinding/gov-verifier',
      'RoleBinding/gov-verifier-public-keys',
      'RoleBinding/tokenwright-upstream-keys-reader',
    ]);
    expect(names(objects)).toContain('ServiceAccount/gov-verifier');
  });

  test('lets verifiers read Secrets in the namespace for upstream keys only, which is made or left to others', async () => {
    const objects = await render('upstreams.namespace=keys', 'upstreams.createNamespace=false');
    expect(names(objects).filter((name) => name.startsWith('Namespace/'))).toEqual([]);
    const readers = objects.filter((object) => nameOf(object).endsWith('/tokenwright-upstream-keys-reader'));
    expect(readers.map(({ metadata }) => metadata.namespace)).toEqual(['keys', 'keys']);
    const made = (await render('upstreams.namespace=keys')).find(({ kind }) => kind === 'Namespace');
    expect(made?.metadata).toMatchObject({ name: 'keys', annotations: { 'helm.sh/resource-policy': 'keep' } });
  });

  test('marks revocations where the API server has MutatingAdmissionPolicy, as deploy/admission/mutating does', async () => {
    const twins = readManifests(await command(tools.kubectl, ['kustomize', join(root, 'deploy/admission/mutating')]));
    const args = ['template', 'tokenwright', chart, '--namespace=tokenwright-system'];
    const served = '--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy';
    const text = await command(tools.helm, [...args, `--kube-version=${tools.kubeVersion}`, served]);
    const added = readManifests(text).filter(({ kind }) => kind.startsWith('MutatingAdmissionPolicy'));
    expect(names(rendered).filter((name) => name.startsWith('Mutating'))).toEqual([]);
    const sorted = (objects: Manifest[]) => objects.map(comparable).sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    expect(sorted(added)).toEqual(sorted(twins));
  });

  test('gives the operator its lease under the name that it asks for', async () => {
    const objects = await render('fullnameOverride=gov');
    const role = objects.find((object) => nameOf(object) === 'Role/gov-operator')?.rules as Rule[];
    const lease = role.find(
      ({ resources, resourceNames }) => resources?.includes('leases') && resourceNames !== undefined,
    );
    expect(containerOf(theDeployment(objects)).args).toContain(`--lease-name=${lease?.resourceNames?.[0]}`);
  });

  test('binds the operator in the watched namespaces only, where there are some', async () => {
    const objects = await render('operator.watchNamespaces={support,search}');
    const bindings = objects.filter(({ kind, roleRef }) => {
      const role = roleRef as { kind: string; name: string } | undefined;
      return /Binding$/.test(kind) && role?.kind === 'ClusterRole' && role.name === 'tokenwright-operator';
    });
    expect(bindings.map(({ kind, metadata }) => [kind, metadata.namespace])).toEqual([
      ['RoleBinding', 'support'],
      ['RoleBinding', 'search'],
    ]);
    expect(containerOf(theDeployment(objects)).args).toEqual(
      expect.arrayContaining(['--watch-namespace=support', '--watch-namespace=search']),
    );
  });

  test('keeps the CRDs when it is uninstalled, unless told otherwise', async () => {
    const policyOf = (objects: Manifest[]) =>
      objects.find(({ kind }) => kind === 'CustomResourceDefinition')?.metadata.annotations?.[
        'helm.sh/resource-policy'
      ];
    expect(policyOf(rendered)).toBe('keep');
    expect(policyOf(await render('crds.keep=false'))).toBeUndefined();
  });

  test.each([
    ['baselinePolicy.create=false', /^TokenPolicy\//],
    ['crds.install=false', /^CustomResourceDefinition\//],
    ['admission.install=false', /^ValidatingAdmissionPolicy/],
    ['rbac.aggregate=false', /-(view|edit|admin)$/],
    ['serviceAccount.create=false,serviceAccount.name=tw', /^ServiceAccount\/tokenwright-operator$/],
    ['upstreams.createNamespace=false', /^Namespace\//],
    ['operator.podDisruptionBudget.enabled=false', /^PodDisruptionBudget\//],
    ['operator.replicas=1', /^PodDisruptionBudget\//],
  ])('leaves out what %s turns off, and nothing else', async (setting, off) => {
    const objects = await render(setting);
    expect(names(rendered).some((name) => off.test(name))).toBe(true);
    expect(names(objects)).toEqual(names(rendered).filter((name) => !off.test(name)));
  });

  test('adds a ServiceMonitor when asked', async () => {
    const monitor = (await render('serviceMonitor.enabled=true')).find(({ kind }) => kind === 'ServiceMonitor');
    const service = rendered.find(({ kind }) => kind === 'Service');
    const spec = monitor?.spec as { selector: { matchLabels: Record<string, string> } } | undefined;
    expect(service?.metadata.labels).toMatchObject(spec?.selector.matchLabels ?? { no: 'selector' });
  });

  test('hands on what it does not know itself', async () => {
    const container = containerOf(
      theDeployment(
        await render(
          'operator.extraArgs={--kubeconfig=/etc/k}',
          'operator.extraEnv[0].name=A',
          'operator.extraEnv[0].value=b',
          'operator.tokenMetricsLimit=1000000',
        ),
      ),
    );
    expect(container.args.at(-1)).toBe('--kubeconfig=/etc/k');
    expect(container.args).toContain('--token-metrics-limit=1000000');
    expect(container.env.at(-1)).toEqual({ name: 'A', value: 'b' });
  });

  test('shows a default for every value that it takes', async () => {
    interface Schema {
      additionalProperties?: unknown;
      properties?: Record<string, Schema>;
    }
    const { global: _, ...properties } = JSON.parse(
      await readFile(join(chart, 'values.schema.json'), 'utf8'),
    ).properties;
    const missing = (schema: Schema, value: unknown, path: string): string[] =>
      schema.additionalProperties !== false || schema.properties === undefined
        ? []
        : Object.entries(schema.properties).flatMap(([key, inner]) => {
            const found = (value as Record<string, unknown>)[key];
            return found === undefined ? [`${path}.${key}`] : missing(inner, found, `${path}.${key}`);
          });
    const values = parse(await readFile(join(chart, 'values.yaml'), 'utf8'));
    // claims are for those who know them
    expect(missing({ additionalProperties: false, properties }, values, '')).toEqual([
      '.operator.resources.claims',
      '.verifierDefaults.resources.claims',
    ]);
  });

  test('takes an image by digest', async () => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const { image } = containerOf(theDeployment(await render(`image.digest=${digest}`)));
    expect(image).toBe(`ghcr.io/tokenwright/tokenwright@${digest}`);
  });

  test('leaves the pod longer to end than the operator takes', async () => {
    const { terminationGracePeriodSeconds } = theDeployment(await render('operator.shutdownTimeoutSeconds=90')).spec
      .template.spec;
    expect(terminationGracePeriodSeconds).toBeGreaterThan(90);
  });

  test.each([
    ['operator.workers=0', "at '/operator/workers': minimum: got 0, want 1"],
    ['operator.workers=many', "at '/operator/workers': got string, want integer"],
    ['operator.worker=3', "at '/operator': additional properties 'worker' not allowed"],
    ['admission=false', "at '/admission': got boolean, want object"],
    ['operator.logLevel=trace', "at '/operator/logLevel': value must be one of 'debug', 'info', 'warn', 'error'"],
    [
      'operator.podDisruptionBudget.maxUnavailable=0',
      "at '/operator/podDisruptionBudget/maxUnavailable': minimum: got 0, want 1",
    ],
    [
      'operator.settleAfter=2 minutes',
      'operator.settleAfter: write a duration in whole hours, minutes and seconds, such as 90s or 2m, not "2 minutes"',
    ],
    ['operator.leaseDuration=15', "at '/operator/leaseDuration': got number, want string"],
    [
      'operator.watchNamespaces={A_b}',
      'operator.watchNamespaces: name namespaces in lower-case letters, digits and hyphens, at most 63, not "A_b"',
    ],
    [
      'operator.auditLog=audit.jsonl',
      'operator.auditLog: write - for stdout, or the absolute path of a file on a volume, not "audit.jsonl"',
    ],
    ['operator.extraEnv[0].name=POD_NAME', 'operator.extraEnv: leave out POD_NAME, which the chart sets itself'],
    [
      'upstreams.namespace=tokenwright-system',
      'upstreams.namespace: choose another namespace than tokenwright-system, whose Secrets no verifier may read',
    ],
    [
      'serviceAccount.create=false',
      'serviceAccount.name: name the account to use, or let serviceAccount.create be true',
    ],
  ])('refuses %s with a word on what is wrong', async (setting, sentence) => {
    const { code, stderr } = await rendering.template(setting.replaceAll(',', '\\,'));
    expect(code).not.toBe(0);
    expect(stderr).toContain(sentence);
  });
});

test('no rule of the RBAC says everything, and nobody writes a status but the operator, and verifiers that of revocations', () => {
  const rules = kustomized.flatMap((object) =>
    ((object.rules as Rule[] | undefined) ?? []).map((rule) => ({ in: nameOf(object), ...rule })),
  );
  expect(rules.length).toBeGreaterThan(10);
  const ours = (name: string) => `ClusterRole/tokenwright-${name}`;
  const writers = new Map([
    ['apitokens/status', [ours('operator')]],
    ['tokenrevocations/status', [ours('operator'), ours('verifier')]],
    ['clustertokenrevocations/status', [ours('operator-global'), ours('verifier')]],
    ['tokenpolicies/status', [ours('operator-global')]],
  ]);
  const aggregated = new Map([
    [ours('view'), ['apitokens', 'tokenrevocations', 'tokenpolicies']],
    [ours('edit'), ['apitokens']],
    [ours('admin'), ['tokenrevocations']],
  ]);
  for (const rule of rules) {
    const { apiGroups = [], resources = [], nonResourceURLs = [], verbs } = rule;
    for (const word of [...apiGroups, ...resources, ...nonResourceURLs, ...verbs])
      expect(word, rule.in).not.toContain('*');
    expect(verbs).not.toContain('escalate');
    for (const resource of resources.filter((name) => name.endsWith('/status')))
      expect(writers.get(resource), `${resource} in ${rule.in}`).toContain(rule.in);
    expect(aggregated.get(rule.in) ?? resources, rule.in).toEqual(resources);
  }
});
