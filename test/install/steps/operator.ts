/** What the operator does with the rights and arguments that it was given. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { chart } from '../binaries.ts';
import {
  type ApiToken,
  apply,
  examples,
  exists,
  get,
  helm,
  isReady,
  kubectl,
  may,
  OWN,
  operator,
  plane,
  type Revocation,
  settings,
  startOperator,
  tryKubectl,
  until,
  waited,
} from '../installation.ts';
import { type Deployment, type Manifest, readManifests, theDeployment } from '../manifests.ts';

export function operatorAtWork(): void {
  test('the operator starts and leads', async () => {
    await startOperator();
    await until('it leads', async () => (await operator?.metrics())?.includes('tokenwright_leader 1') ?? false);
    const lease = await get<Manifest>('lease/tokenwright-operator', '-n', OWN);
    expect(lease.spec).toMatchObject({ holderIdentity: expect.stringMatching(/^tokenwright-operator-0_/) });
    const keys = await get<Manifest>('configmap/tokenwright-seal-public-keys', '-n', OWN);
    expect(JSON.stringify(keys.data)).not.toContain('\\"d\\"');
  });

  test('without a policy the API server refuses ApiTokens, also after it was installed anew', async () => {
    const file = join(examples, 'scheduled.yaml');
    const attempt = () => tryKubectl(plane.kubeconfig, 'apply', '-n', 'default', '--dry-run=server', '-f', file);
    await kubectl('delete', 'tokenpolicy/baseline');
    const sentence = 'no TokenPolicy in mode Enforce matches namespace default: ask those who run the cluster for one';
    await until('it refuses', async () => (await attempt()).stderr.includes(sentence));
    await kubectl('apply', '-f', join(examples, 'policies/baseline.yaml'));
    await kubectl('wait', '--for=condition=Ready', 'tokenpolicy/baseline', '--timeout=60s');
    await until('it takes them', async () => (await attempt()).code === 0);
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
    await kubectl('rollout', 'status', '-n', 'support', 'daemonset/reader', '--timeout=120s');
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
}

export function whatItTold(): void {
  test('it removes the Secret when the grant ends', async () => {
    const token = parse(await readFile(join(examples, 'scheduled.yaml'), 'utf8'));
    token.metadata = { name: 'brief', namespace: 'support' };
    delete token.spec.rotation;
    await apply(token);
    await until('the Secret is there', () => exists('secret/brief', '-n', 'support'));
    // only now, or a slow machine would come too late to see it
    token.spec.notAfter = new Date(Date.now() + 4000).toISOString().replace(/\.\d+/, '');
    await apply(token);
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
}

const ACCOUNT = `system:serviceaccount:${OWN}:tokenwright-operator`;

export function operatorAtItsEnd(): void {
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
}
