import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { ApiServer, expectOk, manifests, until, VERIFIER } from './api-server.ts';

interface Asked {
  verb: string;
  group?: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

const OWN = 'tokenwright-system';
const UPSTREAMS = 'tokenwright-upstreams';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
let admin: ApiServer;

const placeOf = (kind: string, namespace: string | undefined): string | undefined => {
  const plural = `${kind.toLowerCase()}s`;
  if (kind === 'Namespace') return '/api/v1/namespaces';
  if (kind.startsWith('ClusterRole')) return `${rbac}/${plural}`;
  return kind.startsWith('Role') ? `${rbac}/namespaces/${namespace}/${plural}` : undefined;
};

/** As the verifier's token would be, with the groups that every ServiceAccount has. */
async function may(asked: Asked): Promise<boolean> {
  const answer = await admin.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: VERIFIER.name,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${OWN}`, 'system:authenticated'],
      resourceAttributes: asked,
    },
  });
  return (expectOk(answer).body.status as { allowed: boolean }).allowed;
}

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  const made = await admin.create('/api/v1/namespaces', { metadata: { name: OWN } });
  if (made.status !== 409) expectOk(made);
  for (const object of await manifests(join(import.meta.dirname, '../../deploy/rbac'))) {
    const { name, namespace } = object.metadata as { name: string; namespace?: string };
    const place = placeOf(object.kind, namespace);
    if (place !== undefined) expectOk(await admin.apply(`${place}/${name}`, object, 'tokenwright-test'));
  }
  await until('the roles are known', async () => {
    const last = { verb: 'list', resource: 'secrets', namespace: UPSTREAMS };
    return (await may(last)) && (await may({ verb: 'list', group: 'tokenwright.dev', resource: 'apitokens' }));
  });
});

afterAll(() => admin?.close());

const group = 'tokenwright.dev';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const sentence = ({ verb, resource, subresource, namespace, name }: Asked) =>
  `${verb} ${[resource, subresource].filter(Boolean).join('/')}${name ? ` ${name}` : ''}${namespace ? ` in ${namespace}` : ''}`;
const table = (asked: Asked[]) => asked.map((one) => [sentence(one), one] as const);
const each = (verbs: readonly string[], of: Omit<Asked, 'verb'>): Asked[] => verbs.map((verb) => ({ verb, ...of }));

const JUDGED_BY = ['apitokens', 'tokenaudiences', 'tokenrevocations', 'clustertokenrevocations'];
const REVOCATIONS = ['tokenrevocations', 'clustertokenrevocations'];
const LEASE = { group: 'coordination.k8s.io', resource: 'leases' };
const KEYS = { resource: 'configmaps', name: 'tokenwright-seal-public-keys' };

describe('a verifier may', () => {
  it.each(
    table([
      ...JUDGED_BY.flatMap((resource) => each(READ, { group, resource })),
      ...each(READ, { resource: 'namespaces' }),
      ...REVOCATIONS.flatMap((resource) => each(['patch'], { group, resource, subresource: 'status' })),
      ...each(['create'], { group: 'authentication.k8s.io', resource: 'tokenreviews' }),
      ...each(['create'], { group: 'authorization.k8s.io', resource: 'subjectaccessreviews' }),
      ...each([...READ, 'create', 'update', 'patch'], { ...LEASE, namespace: OWN }),
      ...each(READ, { ...KEYS, namespace: OWN }),
      ...each(READ, { resource: 'secrets', namespace: UPSTREAMS }),
    ]),
  )('%s', async (_, asked) => {
    expect(await may(asked)).toBe(true);
  });
});

describe('a verifier may not', () => {
  it.each(
    table([
      // with the private seal keys it could mint
      ...each([...READ, ...WRITE], { resource: 'secrets', namespace: OWN }),
      ...each([...READ, ...WRITE], { resource: 'secrets', namespace: OWN, name: 'tokenwright-seal-keys' }),
      ...each([...READ, ...WRITE], { resource: 'secrets', namespace: 'default' }),
      ...each(READ, { resource: 'secrets' }),
      ...each(WRITE, { resource: 'secrets', namespace: UPSTREAMS }),
      ...each(WRITE, { ...KEYS, namespace: OWN }),
      ...each(READ, { resource: 'configmaps', namespace: OWN }),
      ...JUDGED_BY.flatMap((resource) => each(WRITE, { group, resource })),
      ...each(['update', 'patch'], { group, resource: 'apitokens', subresource: 'status' }),
      ...REVOCATIONS.flatMap((resource) => each(['update'], { group, resource, subresource: 'status' })),
      ...each(['revoke-everything'], { group, resource: 'clustertokenrevocations' }),
      ...each(['get', 'update'], { ...LEASE, namespace: 'kube-system' }),
      ...each(['delete'], { ...LEASE, namespace: OWN }),
      ...each(['create'], { resource: 'pods', namespace: OWN }),
      ...each(['create'], { resource: 'serviceaccounts', subresource: 'token', namespace: OWN }),
      ...each(['impersonate'], { resource: 'users' }),
      ...each(['bind', 'escalate'], { group: 'rbac.authorization.k8s.io', resource: 'clusterroles' }),
    ]),
  )('%s', async (_, asked) => {
    expect(await may(asked)).toBe(false);
  });
});
