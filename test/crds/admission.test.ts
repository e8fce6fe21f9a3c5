import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import {
  type Answer,
  ApiServer,
  expectOk,
  installApi,
  manifests,
  OPERATOR,
  POLICIES,
  sentences,
  until,
} from './api-server.ts';
import { LEAST } from './apitoken-tables.ts';

type Json = Record<string, unknown>;

const namespace = `admission-${process.pid}-${Date.now().toString(36)}`;
const apps = `/apis/apps/v1/namespaces/${namespace}`;
const secrets = `/api/v1/namespaces/${namespace}/secrets`;
const tokens = `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/apitokens`;
let admin: ApiServer;
let operator: ApiServer;
let count = 0;
const freshName = () => {
  count += 1;
  return `object-${count}`;
};

const owner = (more: Json = {}) => ({
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  name: 'summarizer',
  uid: '11111111-1111-1111-1111-111111111111',
  controller: true,
  ...more,
});
const secret = (name: string, ownerReferences: Json[], more: Json = {}) => ({
  metadata: { name, ownerReferences },
  ...more,
});

const OWNED = 'write only Secrets whose controller is and stays one ApiToken, since the operator may touch no others';

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  operator = admin.as(OPERATOR);
  await installApi(admin);
  expectOk(await admin.create('/api/v1/namespaces', { metadata: { name: namespace } }));
  await until('the policies are enforced', async () => {
    const stranger = await operator.create(`${secrets}?dryRun=All`, secret('probe', []));
    const workload = await operator.create(`${apps}/deployments?dryRun=All`, workloads[0][1]('probe'));
    return stranger.status === 403 && workload.status === 403;
  });
});

afterAll(async () => {
  await admin?.delete(`/api/v1/namespaces/${namespace}`);
  await admin?.close();
});

const apiToken = (name: string, spec: Json) => ({
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  metadata: { name },
  spec: { ...LEAST, ...spec },
});

const template = (annotations: Json | undefined) => ({
  metadata: { labels: { app: 'a' }, ...(annotations === undefined ? {} : { annotations }) },
  spec: { nodeSelector: { no: 'node' }, containers: [{ name: 'c', image: 'registry.invalid/app' }] },
});
const workload =
  (kind: string, spec: Json) =>
  (name: string, annotations?: Json): Json => ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name },
    spec: { selector: { matchLabels: { app: 'a' } }, template: template(annotations), ...spec },
  });
const workloads = [
  ['deployments', workload('Deployment', { replicas: 0 })],
  ['statefulsets', workload('StatefulSet', { replicas: 0, serviceName: 'a' })],
  ['daemonsets', workload('DaemonSet', {})],
] as const;

describe('every policy', () => {
  it('is read by the API server without a warning', async () => {
    for (const policy of await manifests(join(import.meta.dirname, '../../deploy/admission'))) {
      if (policy.kind !== 'ValidatingAdmissionPolicy') continue;
      let status: Json | undefined;
      await until('the policy was checked', async () => {
        status = (await admin.get(`${POLICIES}/${policy.metadata.name}`)).body.status as Json | undefined;
        return status?.observedGeneration !== undefined;
      });
      expect([policy.metadata.name, (status?.typeChecking as Json | undefined)?.expressionWarnings]).toEqual([
        policy.metadata.name,
        undefined,
      ]);
    }
  });
});

describe('the author of an ApiToken needs the right to create the Secret that it names', () => {
  const author = { name: 'admission-author' };
  const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const grant = async (name: string, rule: Json) => {
    expectOk(await admin.create(`${roles}/roles`, { metadata: { name }, rules: [rule] }));
    const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: author.name }];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
    expectOk(await admin.create(`${roles}/rolebindings`, { metadata: { name }, roleRef, subjects }));
  };
  const says = (name: string) => [
    `get the right to create Secret ${name} in namespace ${namespace} first, or name another one in spec.secret.name`,
  ];
  beforeAll(async () => {
    await grant('tokens', { apiGroups: ['tokenwright.dev'], resources: ['apitokens'], verbs: ['*'] });
    await grant('one-secret', { apiGroups: [''], resources: ['secrets'], resourceNames: ['mine'], verbs: ['create'] });
    await until('the roles are known and the policy is enforced', async () => {
      const mine = await admin.as(author).create(`${tokens}?dryRun=All`, apiToken('mine', {}));
      const theirs = await admin.as(author).create(`${tokens}?dryRun=All`, apiToken('theirs', {}));
      return mine.status === 201 && theirs.status === 403;
    });
  });

  it.each([
    ['may name it', 'a', { secret: { name: 'mine' } }, []],
    ['may name it by the name of the ApiToken', 'mine', {}, []],
    ['may not name another', 'b', { secret: { name: 'theirs' } }, says('theirs')],
    ['may not name another by the name of the ApiToken', 'theirs', {}, says('theirs')],
    [
      'may not name another by the name of the ApiToken beside other settings',
      'theirs',
      { secret: { includePrevious: true } },
      says('theirs'),
    ],
  ])('%s', async (_, name, spec, expected) => {
    expect(sentences(await admin.as(author).create(`${tokens}?dryRun=All`, apiToken(name, spec)))).toEqual(expected);
    expect(sentences(await admin.as(author).apply(`${tokens}/${name}`, apiToken(name, spec)))).toEqual(expected);
  });

  it('and is not asked again, so that what others made can be suspended', async () => {
    expectOk(await admin.apply(`${tokens}/by-admin`, apiToken('by-admin', {})));
    const patch = { spec: { state: 'Suspended' } };
    expect(sentences(await admin.as(author).mergePatch(`${tokens}/by-admin`, patch))).toEqual([]);
    expect(sentences(await admin.as(author).delete(`${tokens}/by-admin`))).toEqual([]);
  });
});

describe.each(workloads)('in %s the operator', (plural, make) => {
  const path = (name: string) => `${apps}/${plural}/${name}`;
  const existing = async (annotations?: Json): Promise<string> => {
    const name = freshName();
    expectOk(await admin.create(`${apps}/${plural}`, make(name, annotations)));
    return name;
  };
  const patch = (annotations: Json, more: Json = {}) => ({
    spec: { template: { metadata: { annotations } } },
    ...more,
  });
  const NOTHING_ELSE =
    'patch only annotations under *.tokenwright.dev/ of the pod template, since the operator may change nothing else in a workload';
  const KEEP =
    'keep every annotation under *.tokenwright.dev/ of the pod template, since removing one restarts the workload for nothing';
  const WORKLOAD_ITSELF =
    'patch the workload itself, since the operator may not create, delete or scale one or write its status';

  it('may apply its annotation, under uid and resourceVersion, and raise it', async () => {
    const name = await existing();
    const { apiVersion, kind } = make(name) as { apiVersion: string; kind: string };
    for (const version of ['1', '2']) {
      let answer: Answer | undefined;
      // a controller may write status between the read and the apply
      await until('the resourceVersion was still the one read', async () => {
        const { uid, resourceVersion } = (await admin.get(path(name))).body.metadata as Json;
        const metadata = { name, uid, resourceVersion };
        const applied = { apiVersion, kind, metadata, ...patch({ 'version.tokenwright.dev/abc': version }) };
        answer = await operator.apply(path(name), applied, 'tokenwright-abc');
        return answer.status !== 409;
      });
      expect(answer === undefined ? undefined : sentences(answer)).toEqual([]);
    }
  });

  it('may not force annotations of others away by applying without them', async () => {
    const name = await existing();
    const { apiVersion, kind } = make(name) as { apiVersion: string; kind: string };
    const apply = (annotations: Json) =>
      operator.apply(
        path(name),
        { apiVersion, kind, metadata: { name }, ...patch(annotations) },
        'one-manager-for-all',
      );
    expectOk(await apply({ 'version.tokenwright.dev/abc': '1' }));
    expect(sentences(await apply({ 'version.tokenwright.dev/xyz': '1' }))).toEqual([KEEP]);
  });

  it.each<readonly [string, Json, Json, readonly string[]]>([
    ['may annotate the pod template', { a: 'b' }, patch({ 'version.tokenwright.dev/abc': '1' }), []],
    [
      'may change its annotation',
      { 'version.tokenwright.dev/abc': '1' },
      patch({ 'version.tokenwright.dev/abc': '2' }),
      [],
    ],
    [
      'may not remove its annotation',
      { 'version.tokenwright.dev/abc': '1' },
      patch({ 'version.tokenwright.dev/abc': null }),
      [KEEP],
    ],
    ['may not annotate outside tokenwright.dev', {}, patch({ 'example.com/a': 'b' }), [NOTHING_ELSE]],
    ['may not annotate tokenwright.dev itself', {}, patch({ 'tokenwright.dev/a': 'b' }), [NOTHING_ELSE]],
    ['may not annotate a name that only ends like ours', {}, patch({ 'nottokenwright.dev/a': 'b' }), [NOTHING_ELSE]],
    [
      'may not annotate a name that only contains ours',
      {},
      patch({ 'a.tokenwright.dev.example.com/b': 'c' }),
      [NOTHING_ELSE],
    ],
    ["may not change others' annotations", { a: 'b' }, patch({ a: 'c' }), [NOTHING_ELSE]],
    ["may not remove others' annotations", { a: 'b', c: 'd' }, patch({ a: null }), [NOTHING_ELSE]],
    [
      'may not label the pod template',
      {},
      { spec: { template: { metadata: { labels: { x: 'y' } } } } },
      [NOTHING_ELSE],
    ],
    [
      'may not annotate the workload',
      {},
      { metadata: { annotations: { 'version.tokenwright.dev/abc': '1' } } },
      [NOTHING_ELSE],
    ],
    ['may not label the workload', {}, { metadata: { labels: { x: 'y' } } }, [NOTHING_ELSE]],
    ['may not take ownership', {}, { metadata: { ownerReferences: [owner()] } }, [NOTHING_ELSE]],
    ['may not set a finalizer', {}, { metadata: { finalizers: ['example.com/x'] } }, [NOTHING_ELSE]],
    [
      'may not change an image, even along with its annotation',
      {},
      {
        spec: {
          template: {
            metadata: { annotations: { 'version.tokenwright.dev/abc': '1' } },
            spec: { containers: [{ name: 'c', image: 'registry.invalid/other' }] },
          },
        },
      },
      [NOTHING_ELSE],
    ],
    ['may not add a field', {}, { spec: { template: { spec: { priorityClassName: 'high' } } } }, [NOTHING_ELSE]],
    ['may not change the spec', {}, { spec: { minReadySeconds: 7 } }, [NOTHING_ELSE]],
  ])('%s', async (_, annotations, change, expected) => {
    const name = await existing(annotations);
    expect(sentences(await operator.mergePatch(path(name), change))).toEqual(expected);
    expect(sentences(await admin.mergePatch(path(name), change))).toEqual([]);
  });

  it('may not create or delete one, or write its status', async () => {
    const name = await existing();
    expect(sentences(await operator.create(`${apps}/${plural}`, make(freshName())))).toEqual([WORKLOAD_ITSELF]);
    expect(sentences(await operator.delete(path(name)))).toEqual([WORKLOAD_ITSELF]);
    const status = { status: { observedGeneration: 1, currentNumberScheduled: 0 } };
    expect(sentences(await operator.mergePatch(`${path(name)}/status`, status))).toEqual([WORKLOAD_ITSELF]);
  });

  // a DaemonSet has no scale
  if (plural !== 'daemonsets') {
    it('may not scale one', async () => {
      const name = await existing();
      const answer = await operator.mergePatch(`${path(name)}/scale`, { spec: { replicas: 3 } });
      expect(sentences(answer)).toEqual([WORKLOAD_ITSELF]);
    });
  }
});

describe('of Secrets the operator', () => {
  /** Owned by an ApiToken that lives, since what a missing one owns is garbage, and may be collected at any time. */
  const existing = async (owners: Json[]): Promise<string> => {
    const name = freshName();
    const token = await admin.create(tokens, apiToken(name, {}));
    expectOk(token);
    const { uid } = token.body.metadata as { uid: string };
    const ownerReferences = owners.map((of) => ({ ...of, name, uid }));
    expectOk(await admin.create(secrets, secret(name, ownerReferences)));
    return name;
  };

  it.each<readonly [string, Json[], Json, readonly string[]]>([
    ['may create one that an ApiToken controls', [owner()], {}, []],
    ['may create one that later versions of ApiToken control', [owner({ apiVersion: 'tokenwright.dev/v1' })], {}, []],
    [
      'may create one that others own too',
      [owner(), owner({ kind: 'ConfigMap', apiVersion: 'v1', controller: false, uid: 'u2' })],
      {},
      [],
    ],
    ['may not create one without an owner', [], {}, [OWNED]],
    ['may not create one that an ApiToken only owns', [owner({ controller: false })], {}, [OWNED]],
    ['may not create one that something else controls', [owner({ kind: 'ConfigMap', apiVersion: 'v1' })], {}, [OWNED]],
    [
      'may not create one that an ApiToken of another group controls',
      [owner({ apiVersion: 'example.com/v1' })],
      {},
      [OWNED],
    ],
    [
      'may not create the token of a ServiceAccount',
      [owner()],
      { type: 'kubernetes.io/service-account-token' },
      ['leave the type of the Secret Opaque, since the operator may write no other'],
    ],
  ])('%s', async (_, owners, more, expected) => {
    const name = freshName();
    // the plugin that checks ServiceAccount tokens speaks later
    const annotations = { 'kubernetes.io/service-account.name': 'default' };
    const object = { ...secret(name, owners, more), metadata: { name, ownerReferences: owners, annotations } };
    expect(sentences(await operator.create(secrets, object))).toEqual(expected);
    expect(
      sentences(await operator.apply(`${secrets}/${name}`, { apiVersion: 'v1', kind: 'Secret', ...object })),
    ).toEqual(expected);
  });

  it.each<readonly [string, Json[], (on: ApiServer, path: string) => Promise<Answer>, readonly string[]]>([
    ['may change one of an ApiToken', [owner()], (on, path) => on.mergePatch(path, { stringData: { token: 'x' } }), []],
    ['may delete one of an ApiToken', [owner()], (on, path) => on.delete(path), []],
    ['may not change one of nobody', [], (on, path) => on.mergePatch(path, { stringData: { token: 'x' } }), [OWNED]],
    ['may not delete one of nobody', [], (on, path) => on.delete(path), [OWNED]],
    ['may not adopt one', [], (on, path) => on.mergePatch(path, { metadata: { ownerReferences: [owner()] } }), [OWNED]],
    [
      'may not let one go',
      [owner()],
      (on, path) => on.mergePatch(path, { metadata: { ownerReferences: null } }),
      [OWNED],
    ],
    [
      'may not hand one to another ApiToken',
      [owner()],
      (on, path) =>
        on.mergePatch(path, {
          metadata: { ownerReferences: [owner({ uid: '22222222-2222-2222-2222-222222222222' })] },
        }),
      [OWNED],
    ],
  ])('%s', async (_, owners, act, expected) => {
    const name = await existing(owners);
    expect(sentences(await act(operator, `${secrets}/${name}`))).toEqual(expected);
    if (expected.length > 0) expect(sentences(await act(admin, `${secrets}/${name}`))).toEqual([]);
  });

  it('may write what it needs in its own namespace, and only there', async () => {
    // the same policy, as if this namespace were the operator's
    const own = `${namespace}-own`;
    expectOk(await admin.create('/api/v1/namespaces', { metadata: { name: own } }));
    const text = JSON.stringify(
      (await manifests(join(import.meta.dirname, '../../deploy/admission'))).filter(
        (object) => object.metadata.name === 'operator-secrets.tokenwright.dev',
      ),
    );
    const copies: { kind: string; metadata: { name: string } }[] = JSON.parse(
      text.replaceAll('tokenwright-system', own).replaceAll('operator-secrets.tokenwright.dev', own),
    );
    const places = copies.map(({ kind }) =>
      kind === 'ValidatingAdmissionPolicy' ? POLICIES : POLICIES.replace(/policies$/, 'policybindings'),
    );
    const itself = admin.as({ ...OPERATOR, name: `system:serviceaccount:${own}:tokenwright-operator` });
    try {
      for (const [index, copy] of copies.entries()) expectOk(await admin.apply(`${places[index]}/${own}`, copy));
      await until('the copy is enforced', async () => {
        return (await itself.create(`${secrets}?dryRun=All`, secret('x', []))).status === 403;
      });
      const answer = await itself.create(`/api/v1/namespaces/${own}/secrets`, secret('seal-key', []));
      expect(sentences(answer)).toEqual([]);
    } finally {
      for (const place of places) await admin.delete(`${place}/${own}`);
      await admin.delete(`/api/v1/namespaces/${own}`);
    }
  });
});
