import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { API, ApiServer, asShown, expectOk, installApi, sentences } from './api-server.ts';
import * as tables from './revocation-tables.ts';
import { least, type Spec } from './revocation-tables.ts';
import { release } from './revocations.ts';

type Json = Record<string, unknown>;

const run = `${process.pid}-${Date.now().toString(36)}`;
const namespace = `revocations-${run}`;
let admin: ApiServer;
let showsValues = true;
let count = 0;
const freshName = () => {
  count += 1;
  return `revocation-${run}-${count}`;
};

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  await installApi(admin);
  expectOk(await admin.create('/api/v1/namespaces', { metadata: { name: namespace } }));
  const shown = await admin.create(KINDS[0].path, KINDS[0].manifest({ ...least, match: { name: 'NO' } }));
  showsValues = shown.body.message.includes('"NO"');
});

afterAll(async () => {
  for (const { path } of KINDS) await release(admin, path, ({ name }) => name.includes(run));
  await admin?.delete(`/api/v1/namespaces/${namespace}`);
  await admin?.close();
});

const manifest =
  (kind: string) =>
  (spec: Spec): Json & { metadata: { name: string } } => ({
    apiVersion: 'tokenwright.dev/v1alpha1',
    kind,
    metadata: { name: freshName() },
    spec,
  });

const KINDS = [
  {
    kind: 'TokenRevocation',
    path: `${API}/namespaces/${namespace}/tokenrevocations`,
    manifest: manifest('TokenRevocation'),
    good: tables.GOOD,
    bad: [...tables.BAD, ...tables.NAMESPACED_BAD],
  },
  {
    kind: 'ClusterTokenRevocation',
    path: `${API}/clustertokenrevocations`,
    manifest: manifest('ClusterTokenRevocation'),
    good: [...tables.GOOD, ...tables.CLUSTER_GOOD],
    bad: [...tables.BAD, ...tables.CLUSTER_BAD],
  },
] as const;

describe.each(KINDS)('of a $kind the API server', ({ kind, path, manifest, good, bad }) => {
  // nothing is kept: what is revoked here may be another test's
  it.each(good)('accepts %s', async (_, spec) => {
    const created = await admin.create(`${path}?dryRun=All`, manifest(spec));
    expect(sentences(created)).toEqual([]);
    // nothing is filled in
    expect(created.body.spec).toEqual(spec);
  });

  it.each(bad)('refuses %s', async (_, spec, says) => {
    const created = await admin.create(`${path}?dryRun=All`, manifest(spec));
    expect(sentences(created)).toEqual(asShown(says, showsValues));
  });

  it('refuses a field that nobody knows', async () => {
    const spec = { ...least, match: { name: 'a', enviroment: 'production' } };
    const answer = await admin.create(`${path}?dryRun=All&fieldValidation=Strict`, manifest(spec));
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('unknown field "spec.match.enviroment"');
  });

  it.each(tables.CHANGES)('refuses %s', async (_, before, after) => {
    const object = manifest(before);
    const at = `${path}/${object.metadata.name}`;
    const first = expectOk(await admin.apply(at, object));
    const says = [`spec: Forbidden: keep the spec, which cannot change, or create another ${kind}`];
    expect(sentences(await admin.apply(at, { ...object, spec: after }))).toEqual(says);
    expect(sentences(await admin.replace(at, { ...first.body, spec: after }))).toEqual(says);
    expect(sentences(await admin.jsonPatch(at, [{ op: 'replace', path: '/spec', value: after }]))).toEqual(says);
    expect(expectOk(await admin.get(at)).body.spec).toEqual(before);
  });

  it('accepts the same again, and labels of others', async () => {
    const object = manifest(least);
    const at = `${path}/${object.metadata.name}`;
    expectOk(await admin.create(path, object));
    expect(sentences(await admin.apply(at, object))).toEqual([]);
    expect(sentences(await admin.mergePatch(at, { metadata: { labels: { team: 'security' } }, spec: least }))).toEqual(
      [],
    );
  });
});

describe('a TokenRevocation', () => {
  it.each(['namespaces', 'namespaceNames', 'everything'])(
    'knows no %s, and so reaches its namespace only',
    async (field) => {
      const { path, manifest } = KINDS[0];
      const spec = { ...least, match: { name: 'a', [field]: field === 'everything' ? true : ['x'] } };
      const answer = await admin.create(`${path}?dryRun=All&fieldValidation=Strict`, manifest(spec));
      expect(answer.body.message).toContain(`unknown field "spec.match.${field}"`);
      const alone = manifest({ ...least, match: { [field]: field === 'everything' ? true : ['x'] } });
      expect(sentences(await admin.create(`${path}?dryRun=All`, alone))).toEqual(tables.NAMESPACED_BAD[0]?.[2]);
    },
  );
});
