import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cluster } from '../e2e/cluster.ts';
import { API, ApiServer, asShown, installApi, sentences } from './api-server.ts';
import { BAD, GOOD, LEAST } from './policy-tables.ts';

// a policy is the cluster's: nothing is kept
const policies = `${API}/tokenpolicies?dryRun=All`;
let admin: ApiServer;
let showsValues = true;

/** By a name that nobody else on this cluster gives: a dry run, too, finds that there is one already. */
const manifest = (patch: object) => ({
  apiVersion: 'tokenwright.dev/v1alpha1',
  kind: 'TokenPolicy',
  metadata: { name: 'policy-under-test' },
  spec: { ...LEAST, ...patch },
});

beforeAll(async () => {
  admin = await ApiServer.open(cluster().kubeconfig);
  await installApi(admin);
  const wrong = await admin.create(policies, manifest({ allow: { environments: ['NO'] } }));
  showsValues = wrong.body.message.includes('"NO"');
});

afterAll(() => admin?.close());

describe('of a TokenPolicy the API server', () => {
  it.each(GOOD)('accepts %s', async (_, patch) => {
    const created = await admin.create(policies, manifest(patch));
    expect(sentences(created)).toEqual([]);
    // nothing is filled in
    expect(created.body.spec).toEqual(JSON.parse(JSON.stringify(manifest(patch).spec)));
  });

  it.each(BAD)('refuses %s', async (_, patch, says) => {
    expect(sentences(await admin.create(policies, manifest(patch)))).toEqual(asShown(says, showsValues));
  });

  it('refuses a field that it does not know, such as a selector of what tenants write', async () => {
    const answer = await admin.create(
      `${policies}&fieldValidation=Strict`,
      manifest({ match: { everything: true, tokens: { matchLabels: { a: 'b' } } } }),
    );
    expect(answer.status).toBe(400);
    expect(answer.body.message).toContain('unknown field "spec.match.tokens"');
  });
});
