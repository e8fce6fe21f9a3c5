/** Without helm. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../binaries.ts';
import { exists, kubectl, OWN } from '../installation.ts';
import { type Manifest, nameOf, readManifests } from '../manifests.ts';

export function byKubectl(): void {
  const deploy = join(root, 'deploy');

  test('applies deploy/ to an empty cluster, and again without a change', async () => {
    const objects = readManifests(await kubectl('kustomize', deploy));
    const created = await kubectl('apply', '-k', deploy);
    expect(created.trim().split('\n')).toHaveLength(objects.length);
    expect(created).not.toMatch(/unchanged|configured/);
    await kubectl('rollout', 'status', '-n', OWN, 'deployment/tokenwright-operator', '--timeout=120s');
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
    await kubectl('rollout', 'status', '-n', OWN, 'deployment/tokenwright-verifier-production', '--timeout=120s');
    await kubectl('delete', '-k', join(root, 'deploy/verifier'), '--timeout=120s');
  });

  test('takes the baseline policy once it has the kind', async () => {
    await kubectl('apply', '-f', join(root, 'deploy/examples/policies/baseline.yaml'));
  });

  test('deletes all of it', async () => {
    const names = readManifests(await kubectl('kustomize', deploy));
    // the API server looks every 5 s, and after a minute anew, whether what a CRD had is gone
    await kubectl('delete', '-k', deploy, '--timeout=280s');
    for (const { kind, metadata } of names.filter((object) => object.metadata.namespace === undefined))
      expect(await exists(kind, metadata.name), `${kind}/${metadata.name}`).toBe(false);
  });
}
