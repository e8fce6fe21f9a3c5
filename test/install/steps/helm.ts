/** By the chart. */
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { chart, root } from '../binaries.ts';
import { exists, folder, get, helm, kubectl, OWN, settings, tryHelm, waited } from '../installation.ts';
import type { Manifest } from '../manifests.ts';

const crdColumns = async () => {
  const crd = await get<Manifest>('crd', 'apitokens.tokenwright.dev');
  const { versions } = crd.spec as { versions: [{ additionalPrinterColumns: { name: string }[] }] };
  return versions[0].additionalPrinterColumns.map(({ name }) => name);
};

export function byHelm(): void {
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
}

export function uninstalled(): void {
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
}
