import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { type Answer, ApiServer, asShown, expectOk, installApi, OPERATOR, sentences, until } from './api-server.ts';
import { BAD, CHANGES, GOOD, LEAST, MISTYPED } from './apitoken-tables.ts';
import { cells, kubectl } from './kubectl.ts';
import { FULL_STATUS, STATUS_CHANGES, TOKEN_IDS } from './status-tables.ts';

type Json = Record<string, unknown>;

const namespace = `manifests-${process.pid}-${Date.now().toString(36)}`;
const tokens = `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/apitokens`;
/** May do all in the namespace, but is not the operator. */
const tenant = { name: 'manifests-tenant' };
let admin: ApiServer;
let asTenant: ApiServer;
let operator: ApiServer;
let showsValues = true;
let count = 0;

const freshName = () => {
  count += 1;
  return `token-${count}`;
};
const manifest = (name: string, spec: Json, more: Json = {}) => ({
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'ApiToken',
  metadata: { name, ...more },
  spec: { ...LEAST, ...spec },
});
/** An ApiToken with FULL_STATUS. */
async function withStatus(name: string): Promise<Answer> {
  expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
  return expectOk(await operator.mergePatch(`${tokens}/${name}/status`, { status: FULL_STATUS }));
}

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  asTenant = admin.as(tenant);
  operator = admin.as(OPERATOR);
  await installApi(admin);
  expectOk(await admin.create('/api/v1/namespaces', { metadata: { name: namespace } }));
  const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  const rules = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  expectOk(await admin.create(`${roles}/roles`, { metadata: { name: 'all' }, rules }));
  expectOk(
    await admin.create(`${roles}/rolebindings`, {
      metadata: { name: 'all' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'all' },
      subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: tenant.name }],
    }),
  );
  // policies take a moment to be enforced
  const probe = manifest('probe', { notAfter: '2020-01-01T00:00:00Z' });
  await until('policies are enforced', async () => {
    const ended = await asTenant.create(`${tokens}?dryRun=All`, probe);
    const status = await asTenant.mergePatch(`${tokens}/probe/status?dryRun=All`, { status: {} });
    if (status.status === 404) await asTenant.create(tokens, manifest('probe', {}));
    return ended.status === 422 && status.status === 403;
  });
  showsValues = (await asTenant.create(tokens, manifest('probe', { ttl: '1y' }))).body.message.includes('"1y"');
});

afterAll(async () => {
  await admin?.delete(`/api/v1/namespaces/${namespace}`);
  await admin?.close();
});

describe('the API server accepts', () => {
  it.each(GOOD)('%s', async (_, patch) => {
    const name = freshName();
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, patch)))).toEqual([]);
    const created = await asTenant.create(tokens, manifest(freshName(), patch));
    expect(sentences(created)).toEqual([]);
    const replaced = await asTenant.replace(`${tokens}/${(created.body.metadata as Json).name}`, created.body);
    expect(sentences(replaced)).toEqual([]);
    // nothing is filled in: what was computed shows in status.effective
    expect(created.body.spec).toEqual(JSON.parse(JSON.stringify(manifest('', patch).spec)));
  });
});

describe('the API server refuses', () => {
  it.each(BAD)('%s', async (_, patch, says) => {
    const name = freshName();
    expect(sentences(await asTenant.create(tokens, manifest(name, patch)))).toEqual(asShown(says, showsValues));
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, patch)))).toEqual(
      asShown(says, showsValues),
    );
  });

  it.each(MISTYPED)('%s', async (_, patch, created, applied) => {
    const name = freshName();
    const told = `failed to create typed patch object (/${name}; tokenwright.dev/v1alpha1, Kind=ApiToken): `;
    expect(sentences(await asTenant.create(tokens, manifest(name, patch)))).toEqual(created);
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, patch)))).toEqual(
      applied.map((sentence) => told + sentence),
    );
  });

  it('a field that nobody knows', async () => {
    const answer = await asTenant.create(`${tokens}?fieldValidation=Strict`, manifest(freshName(), { scops: ['a'] }));
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('unknown field "spec.scops"');
  });

  it('no spec', async () => {
    const { spec: _, ...rest } = manifest(freshName(), {});
    expect(sentences(await asTenant.create(tokens, rest))).toEqual(['spec: Required value']);
  });
});

describe('the name of an ApiToken', () => {
  const says =
    'metadata.name: Invalid value: choose a name of at most 63 lower-case letters, digits and hyphens that starts and ends with a letter or digit';
  it.each([
    ['a', []],
    ['0-9', []],
    ['n'.repeat(63), []],
    ['n'.repeat(64), [says]],
    ['n'.repeat(253), [says]],
    ['a.b', [says]],
  ])('%s', async (name, expected) => {
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})))).toEqual(expected);
  });
});

describe('of an ApiToken that exists, the API server', () => {
  const named = (spec: Json, name: string): Json => JSON.parse(JSON.stringify(spec).replaceAll('NAME', name));
  const doors: readonly (readonly [string, (name: string, before: Answer, spec: Json) => Promise<Answer>])[] = [
    ['applied', (name, _, spec) => asTenant.apply(`${tokens}/${name}`, manifest(name, spec))],
    [
      'replaced',
      (name, before, spec) =>
        asTenant.replace(`${tokens}/${name}`, { ...before.body, spec: manifest(name, spec).spec }),
    ],
    [
      'patched',
      (name, _, spec) =>
        asTenant.jsonPatch(`${tokens}/${name}`, [{ op: 'replace', path: '/spec', value: manifest(name, spec).spec }]),
    ],
  ];
  const table = CHANGES.flatMap(([sentence, before, after, says]) =>
    doors.map(
      ([door, change]) =>
        [says.length > 0 ? 'refuses' : 'accepts', sentence, door, before, after, says, change] as const,
    ),
  );
  it.each(table)('%s %s, %s', async (_, __, ___, before, after, says, change) => {
    const name = freshName();
    // `undefined` takes a field of LEAST away, which JSON does by leaving it out
    const full = (patch: Json) => ({ ...named(patch, name), ...dropped(patch) });
    const first = expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, full(before))));
    const told = says.map((sentence) => sentence.replaceAll('NAME', name));
    expect(sentences(await change(name, first, full(after)))).toEqual(asShown(told, showsValues));
  });
});

const dropped = (patch: Json) => Object.fromEntries(Object.entries(patch).filter(([, value]) => value === undefined));

describe('an ApiToken whose grant has ended', () => {
  const name = 'ended';
  let notAfter: string;
  beforeAll(async () => {
    notAfter = new Date(Math.ceil(Date.now() / 1000) * 1000 + 1000).toISOString().replace('.000', '');
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, { notAfter })));
    await until('the grant has ended', async () => Date.now() > Date.parse(notAfter) + 1000);
  });

  it('may be applied again unchanged', async () => {
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, { notAfter })))).toEqual([]);
  });

  it('may be suspended and labelled', async () => {
    const patch = { metadata: { labels: { a: 'b' } }, spec: { state: 'Suspended' } };
    expect(sentences(await asTenant.mergePatch(`${tokens}/${name}`, patch))).toEqual([]);
  });

  it('may not be given another end that is past, though after its creation', async () => {
    const past = notAfter.replace('Z', '+00:00');
    const says = [`choose a notAfter in the future instead of ${past}, or leave it out`];
    expect(sentences(await asTenant.mergePatch(`${tokens}/${name}`, { spec: { notAfter: past } }))).toEqual(says);
    expect(sentences(await asTenant.apply(`${tokens}/${name}`, manifest(name, { notAfter: past })))).toEqual(says);
    const { body } = expectOk(await asTenant.get(`${tokens}/${name}`));
    const spec = { ...(body.spec as Json), notAfter: past };
    expect(sentences(await asTenant.replace(`${tokens}/${name}`, { ...body, spec }))).toEqual(says);
  });

  it('may not be made anew with the same end', async () => {
    const anew = await asTenant.create(tokens, manifest(freshName(), { notAfter }));
    expect(sentences(anew)).toEqual([`choose a notAfter in the future instead of ${notAfter}, or leave it out`]);
  });

  it('may be given a finalizer and deleted, and be let go', async () => {
    const path = `${tokens}/${name}`;
    expectOk(await asTenant.mergePatch(path, { metadata: { finalizers: ['example.com/hold'] } }));
    expectOk(await asTenant.delete(path));
    expect(sentences(await asTenant.mergePatch(path, { metadata: { finalizers: null } }))).toEqual([]);
    expect((await asTenant.get(path)).status).toBe(404);
  });
});

describe('a rotate request', () => {
  const request = (value: string) => ({ metadata: { annotations: { 'tokenwright.dev/rotate-requested-at': value } } });
  it('may be 256 characters', async () => {
    const name = freshName();
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
    expect(sentences(await asTenant.mergePatch(`${tokens}/${name}`, request('x'.repeat(256))))).toEqual([]);
  });

  it('may not be longer, on the ApiToken or with it', async () => {
    const name = freshName();
    const says = ['write a time, or at most 256 characters, in the annotation tokenwright.dev/rotate-requested-at'];
    const long = request('x'.repeat(257));
    expect(sentences(await asTenant.create(tokens, manifest(name, {}, long.metadata)))).toEqual(says);
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
    expect(sentences(await asTenant.mergePatch(`${tokens}/${name}`, long))).toEqual(says);
  });
});

describe('the status', () => {
  it.each(
    STATUS_CHANGES.map(
      ([sentence, after, says]) => [says.length > 0 ? 'refuses' : 'accepts', sentence, after, says] as const,
    ),
  )('%s %s', async (_, __, after, says) => {
    const name = freshName();
    const before = await withStatus(name);
    const path = `${tokens}/${name}/status`;
    const replaced = await operator.replace(`${path}?dryRun=All`, { ...before.body, status: after });
    expect(sentences(replaced)).toEqual(asShown(says, showsValues));
    const patched = await operator.jsonPatch(path, [{ op: 'replace', path: '/status', value: after }]);
    expect(sentences(patched)).toEqual(asShown(says, showsValues));
  });

  it.each(TOKEN_IDS)('with the tokenID %s', async (tokenID, says) => {
    const name = freshName();
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
    const answer = await operator.mergePatch(`${tokens}/${name}/status`, { status: { tokenID } });
    expect(sentences(answer)).toEqual(asShown(says, showsValues));
  });

  it('refuses null by merge patch', async () => {
    const name = freshName();
    await withStatus(name);
    const answer = await operator.mergePatch(`${tokens}/${name}/status`, { status: null });
    expect(sentences(answer)).toContain(
      'status: Forbidden: keep the status, which records the versions that were minted',
    );
  });

  it('refuses to be taken away by its manager, applied', async () => {
    const name = freshName();
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
    const path = `${tokens}/${name}/status`;
    const object = { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ApiToken', metadata: { name } };
    expectOk(await operator.apply(path, { ...object, status: { lastVersion: 3 } }, 'tokenwright'));
    const answer = await operator.apply(path, object, 'tokenwright');
    expect(sentences(answer)).toContain(
      'status.lastVersion: Forbidden: keep or raise lastVersion, since a version is never used twice',
    );
  });

  it('stays as it is when the ApiToken itself is replaced without it', async () => {
    const name = freshName();
    const { status: _, ...rest } = (await withStatus(name)).body;
    const answer = expectOk(await asTenant.replace(`${tokens}/${name}`, rest));
    expect(answer.body.status).toEqual(FULL_STATUS);
  });

  it('of a new ApiToken is empty, whatever its author writes', async () => {
    const answer = await asTenant.create(tokens, { ...manifest(freshName(), {}), status: FULL_STATUS });
    expect(expectOk(answer).body.status).toBeUndefined();
  });

  const says = ["change the spec of the ApiToken instead, since only Tokenwright's operator writes its status"];
  it.each([
    ['a tenant with every right in the namespace', () => asTenant],
    ['a cluster administrator', () => admin],
    [
      'an account of the same name in another namespace',
      () => admin.as({ name: 'system:serviceaccount:other:tokenwright-operator', groups: ['system:masters'] }),
    ],
  ])('refuses %s', async (_, who) => {
    const name = freshName();
    const { body } = await withStatus(name);
    const path = `${tokens}/${name}/status`;
    const higher = { ...FULL_STATUS, lastVersion: 99 };
    const object = { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ApiToken', metadata: { name }, status: higher };
    expect(sentences(await who().mergePatch(path, { status: { lastVersion: 99 } }))).toEqual(says);
    expect(sentences(await who().replace(path, { ...body, status: higher }))).toEqual(says);
    expect(sentences(await who().apply(path, object))).toEqual(says);
    expect((await asTenant.get(path)).body.status).toEqual(FULL_STATUS);
  });
});

describe('a list of ApiTokens', () => {
  it('can be had by token id', async () => {
    const name = freshName();
    expectOk(await asTenant.apply(`${tokens}/${name}`, manifest(name, {})));
    expectOk(await operator.mergePatch(`${tokens}/${name}/status`, { status: { tokenID: 'findMe00' } }));
    const found = expectOk(await asTenant.get(`${tokens}?fieldSelector=status.tokenID%3DfindMe00`));
    expect((found.body.items as { metadata: Json }[]).map((item) => item.metadata.name)).toEqual([name]);
  });
});

describe('kubectl', () => {
  const run = (args: string[], stdin = '') => kubectl(namespace, args, stdin);

  it.each(['--server-side=false', '--server-side=true'])('shows the sentence on apply %s', async (how) => {
    const { stderr } = await run(['apply', how, '-f', '-'], JSON.stringify(manifest('shown', { ttl: '1y' })));
    expect(stderr).toBe(
      `The ApiToken "shown" is invalid: spec.ttl: Invalid value: "${showsValues ? '1y' : 'string'}": write ttl in whole hours, minutes and seconds, such as 24h, 90m or 1h30m\n`,
    );
  });

  it('answers whether a token is fine and when it rotates', async () => {
    await withStatus('columns');
    const [header, row] = cells((await run(['get', 'atok', 'columns'])).stdout);
    expect(header).toEqual(['NAME', 'READY', 'REASON', 'ENVIRONMENT', 'VERSION', 'NEXT ROTATION', 'AGE']);
    expect(row?.slice(0, 6)).toEqual(['columns', 'True', 'Issued', 'production', '3', '2026-11-23T09:00:00Z']);
  });

  it('lists ApiTokens in the category tokenwright', async () => {
    expect((await run(['get', 'tokenwright', '-o', 'name'])).stdout).toContain('apitoken.tokenwright.dev/columns');
  });
});
