/** `tokenwright last-use`, with real verifiers that have allowed real calls. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectOk } from '../crds/api-server.ts';
import { VERIFIER_HOST } from '../e2e/gateways/doors.ts';
import { certificate } from '../e2e/gateways/scene.ts';
import { kubeconfig, tokenOf } from '../e2e/harness/kubeconfig.ts';
import { Fleet, type Member } from '../e2e/verifier/fleet.ts';
import { tokenwright } from './built.ts';
import { kubeconfigOf } from './people.ts';

/** Of its own: verifiers of other tests are none that would have to be asked. */
const ENVIRONMENT = 'last-use';
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';
const BINDINGS = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings';

let fleet: Fleet;
let members: [Member, Member];
let caFile: string;
let KUBECONFIG: string;
let reader: string;
let stranger: string;

/** Of an account that asks verifiers. */
const tokenFor = (name: string, audience = 'tokenwright.dev') =>
  tokenOf(fleet.stage.server, { namespace: fleet.stage.namespace, name }, { audiences: [audience] });

/** An authorizer hears of roles a moment later. */
async function untilMay(account: string, attributes: object): Promise<void> {
  const { stage } = fleet;
  const spec = { user: `system:serviceaccount:${stage.namespace}:${account}`, ...attributes };
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
  await stage.untilAsked(`${account} may`, async () => {
    const { body } = expectOk(await stage.server.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', review));
    return (body.status as { allowed: boolean }).allowed;
  });
}

beforeAll(async () => {
  const tls = await certificate();
  caFile = tls.caFile;
  const spec = { environment: ENVIRONMENT, rotation: { overlap: '10m' } };
  fleet = await Fleet.open('last-use', {
    verifiers: 2,
    staleness: '30s',
    tokens: { used: spec, idle: spec },
    flags: { environment: ENVIRONMENT, 'tls-cert-file': tls.certFile, 'tls-key-file': tls.keyFile },
    environments: [ENVIRONMENT],
  });
  members = fleet.members as [Member, Member];
  const { server, namespace } = fleet.stage;
  KUBECONFIG = await kubeconfig(namespace, { namespace });
  await kubeconfigOf(fleet.stage, 'reader');
  await kubeconfigOf(fleet.stage, 'stranger');
  const rules = [{ nonResourceURLs: ['/last-use'], verbs: ['get'] }];
  expectOk(await server.create(ROLES, { metadata: { name: namespace }, rules }));
  expectOk(
    await server.create(BINDINGS, {
      metadata: { name: namespace },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: namespace },
      subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }],
    }),
  );
  await untilMay('reader', { nonResourceAttributes: { path: '/last-use', verb: 'get' } });
  [reader, stranger] = await Promise.all([tokenFor('reader'), tokenFor('stranger')]);
});

afterAll(async () => {
  const { server, namespace = '' } = fleet?.stage ?? {};
  for (const path of [`${ROLES}/${namespace}`, `${ROLES}/${namespace}-viewer`, `${BINDINGS}/${namespace}`])
    await server?.delete(path);
  await fleet?.close();
});

const origin = (member: Member) => `--verifier=${member.address.origin}`;
const TLS = () => [`--ca-file=${caFile}`, `--server-name=${VERIFIER_HOST}`];
const all = () => [...members.map(origin), ...TLS()];
const ask = (args: string[], input = reader, env = { KUBECONFIG }) =>
  tokenwright(['last-use', ...args], { input, env });

const ageless = (text: string) => text.replaceAll(/\b\d+[smh](\d+[smh])?\b/g, 'AGE').replaceAll(/ +/g, ' ');

describe('tokenwright last-use', () => {
  it('tells what each verifier has allowed, version by version, and leaves the ApiToken as it is', async () => {
    const [one, other] = members;
    const { stage } = fleet;
    const began = Math.floor(Date.now() / 1000) * 1000;
    await stage.untilAsked('version 1 is let through', async () => (await one.ask(fleet.value('used'))).status === 200);
    await stage.requestRotation('used');
    await stage.untilDelivered('used', 2);
    await stage.untilAsked(
      'version 2 is let through',
      async () => (await other.ask(fleet.value('used'))).status === 200,
    );
    const before = stage.token('used')?.metadata.resourceVersion;

    const { code, stdout, stderr } = await ask(['used', 'idle', ...all()]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(ageless(stdout).split('\n').toSorted()).toEqual([
      '',
      'NAME VERSION STATE LAST USED',
      'idle 1 Current not in AGE',
      'used 1 Previous AGE ago',
      'used 2 Current AGE ago',
    ]);

    const told = JSON.parse((await ask(['used', '-o', 'json', ...all()])).stdout);
    expect(told).toMatchObject({
      verifiers: members.map(({ name }) => ({ verifier: name, environment: ENVIRONMENT })),
      notAsked: [],
    });
    for (const { lastUseTime } of told.versions) {
      expect(Date.parse(lastUseTime)).toBeGreaterThanOrEqual(began);
      expect(Date.parse(lastUseTime)).toBeLessThanOrEqual(Date.now());
    }
    expect(stage.token('used')?.metadata.resourceVersion).toBe(before);
  });

  it('names the verifiers that were left out, after what the others say', async () => {
    const [one, other] = members;
    const { code, stdout, stderr } = await ask(['used', origin(one), ...TLS()]);
    expect(ageless(stdout)).toMatch(/^used 2 Current not in AGE$/m);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `Not asked: ${other.name}. What they allowed is not in this: name them by --verifier too.\n`,
    });
  });

  it('says so where nobody may tell whether these are all', async () => {
    const { server, namespace } = fleet.stage;
    const rules = [{ apiGroups: ['tokenwright.dev'], resources: ['apitokens'], verbs: ['get'] }];
    expectOk(await server.create(ROLES, { metadata: { name: `${namespace}-viewer` }, rules }));
    const env = { KUBECONFIG: await kubeconfigOf(fleet.stage, 'viewer', `${namespace}-viewer`) };
    const resourceAttributes = { group: 'tokenwright.dev', resource: 'apitokens', verb: 'get', namespace };
    await untilMay('viewer', { resourceAttributes });
    const { code, stderr } = await ask(['used', ...all()], reader, env);
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: 'Whether these are all verifiers is not known: you may not list the Leases of their namespace.\n',
    });
  });

  it.each<[string, () => [string[], string?] | Promise<[string[], string]>, RegExp, number?]>([
    [
      'a token for another audience',
      async () => [all(), await tokenFor('reader', 'elsewhere')],
      /does not take the token\. Give one/,
    ],
    ['an account without the role', () => [all(), stranger], /to the ClusterRole tokenwright-last-use-reader\.\n$/],
    ['a certificate by a CA that is not known', () => [[origin(members[0])]], /by --ca-file, .* by --server-name\.\n$/],
    [
      'nobody there',
      () => [['--verifier=http://127.0.0.1:1']],
      /^http:\/\/127.0.0.1:1 does not answer \(ECONNREFUSED\)\.\n$/,
    ],
    ['no token', () => [all(), ''], /^stdin holds no token of Kubernetes\.\n$/],
    ['no verifier', () => [[]], /^Name each verifier by --verifier=URL\.\n/, 2],
    ['a path', () => [['--verifier=https://v/x']], /^--verifier must be a URL without a path, such as /, 2],
  ])('%s is told', async (_, given, says, code = 1) => {
    const [args, input] = await given();
    const outcome = await ask(['used', ...args], input);
    expect(outcome).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(says) });
  });

  it('looks for the others in the namespace that is given', async () => {
    const home = `--verifier-namespace=${fleet.stage.namespace}`;
    expect(await ask(['used', home, origin(members[0]), ...TLS()])).toMatchObject({ code: 0, stderr: '' });
  });
});
