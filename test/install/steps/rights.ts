/** What nobody may, and what people may. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  examples,
  exists,
  folder,
  get,
  kubeconfigOf,
  kubectl,
  may,
  OWN,
  plane,
  tryKubectl,
  until,
} from '../installation.ts';
import type { Manifest } from '../manifests.ts';

export function rights(): void {
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
    const { code, stderr } = await tryKubectl(
      kubeconfigOf('tokenwright-operator'),
      ...args.map((arg) => (arg === 'theirs.json' ? theirs : arg)),
    );
    expect(stderr).toContain(refusal);
    expect(code).not.toBe(0);
  });

  test('viewers see ApiTokens and no Secrets, editors write ApiTokens and no status, admins revoke', async () => {
    for (const role of ['view', 'edit', 'admin'])
      await kubectl('create', 'rolebinding', role, `--clusterrole=${role}`, `--user=${role}er`, '-n', 'support');
    await until('the roles are aggregated', () => may('editer', 'create', 'apitokens', '-n', 'support'));
    // the binding that was made last
    await until('all bindings are known', () => may('adminer', 'create', 'tokenrevocations', '-n', 'support'));
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
}

export function badExamples(): void {
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
}
