import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { API, ApiServer, asShown, installApi, sentences } from './api-server.ts';
import { BAD, GOOD, LEAST } from './audience-tables.ts';

// an audience is the cluster's: nothing is kept
const audiences = `${API}/tokenaudiences?dryRun=All`;
let admin: ApiServer;
let showsValues = true;

/** By a name that nobody else on this cluster gives: a dry run, too, finds that there is one already. */
const manifest = (patch: object, name = 'manifest-under-test') => ({
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'TokenAudience',
  metadata: { name },
  spec: { ...LEAST, ...patch },
});

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  await installApi(admin);
  showsValues = (await admin.create(audiences, manifest({ environments: ['NO'] }))).body.message.includes('"NO"');
});

afterAll(() => admin?.close());

describe('of a TokenAudience the API server', () => {
  it.each(GOOD)('accepts %s', async (_, patch) => {
    const created = await admin.create(audiences, manifest(patch));
    expect(sentences(created)).toEqual([]);
    // nothing is filled in
    expect(created.body.spec).toEqual(JSON.parse(JSON.stringify(manifest(patch).spec)));
  });

  it.each(BAD)('refuses %s', async (_, patch, says) => {
    expect(sentences(await admin.create(audiences, manifest(patch)))).toEqual(asShown(says, showsValues));
  });

  it('refuses the namespace of a Secret, which the installation chooses', async () => {
    const secretRef = { name: 'a', key: 'b', namespace: 'tokenwright-system' };
    const spec = { upstream: { secretRef, header: 'x-api-key', value: '$(key)' } };
    const answer = await admin.create(`${audiences}&fieldValidation=Strict`, manifest(spec));
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('unknown field "spec.upstream.secretRef.namespace"');
  });

  it('takes as its name what an ApiToken may name', async () => {
    expect(sentences(await admin.create(audiences, manifest({}, 'api.example.com')))).toEqual([]);
    expect((await admin.create(audiences, manifest({}, 'API'))).status).toBe(422);
  });
});
