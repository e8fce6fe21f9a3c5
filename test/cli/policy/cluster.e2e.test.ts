/** `tokenwright policy` with the policies of a cluster; and what Helm and kustomize make, checked. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenPolicySpec } from '../../../src/api/token-policy.ts';
import { API, expectOk } from '../../crds/api-server.ts';
import { cluster } from '../../e2e/cluster.ts';
import { kubeconfig } from '../../e2e/harness/kubeconfig.ts';
import { apiToken, tokenPolicy, UNGOVERNED } from '../../e2e/harness/manifests.ts';
import { type Stage, Theatre } from '../../e2e/harness/stage.ts';
import { programs, tokenwright } from '../built.ts';
import { kubeconfigOf } from '../people.ts';
import { folder } from './manifests.ts';

let theatre: Theatre;
let stage: Stage;
let env: { KUBECONFIG: string };
let name: string;

beforeAll(async () => {
  theatre = await Theatre.open('cli-policy');
  stage = await theatre.stage({ [UNGOVERNED]: '' });
  env = { KUBECONFIG: await kubeconfig(stage.namespace, { namespace: stage.namespace }) };
  name = `${stage.namespace}-own`;
  await declare({ bounds: { ttl: { max: '24h' } } });
  await stage.issue('here', { ttl: '12h' });
});

afterAll(async () => {
  await theatre?.server.delete(`${API}/tokenpolicies/${name}`);
  await theatre?.close();
});

const policyOf = (spec: Partial<TokenPolicySpec>) =>
  tokenPolicy(name, {
    match: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': stage.namespace } } },
    ...spec,
  });

async function declare(spec: Partial<TokenPolicySpec>): Promise<void> {
  expectOk(await theatre.server.apply(`${API}/tokenpolicies/${name}`, policyOf(spec)));
}

const sentence = (asked: string, max: string) =>
  `TokenPolicy ${name}, rule TTL: asked for a ttl of ${asked}; allowed: at most ${max}`;

describe('the policies of the cluster', () => {
  it('refuse in the pipeline', async () => {
    const long = apiToken('long', { ttl: '48h' });
    const { code, stdout } = await tokenwright(['policy', 'check', '-f', '-'], { env, input: JSON.stringify(long) });
    expect({ code, stdout }).toEqual({
      code: 4,
      stdout: `stdin:1: ApiToken ${stage.namespace}/long\n  error    ${sentence('48h', '24h')}\n`,
    });
  });

  it('are explained, and explained anew once they are narrowed', async () => {
    const explain = () => tokenwright(['policy', 'explain', `${stage.namespace}/here`], { env });
    expect((await explain()).stdout).toContain(`ApiToken ${stage.namespace}/here may be minted\n`);
    await declare({ bounds: { ttl: { max: '30m' } }, allow: { scopes: ['chat:*'] } });
    const { code, stdout } = await explain();
    expect(code).toBe(0);
    expect(stdout).toContain(`ApiToken ${stage.namespace}/here may not be minted\n`);
    expect(stdout).toContain(`forbids       ${sentence('12h', '30m')}\n`);
  });

  it('need not be the ones that are tried', async () => {
    const path = folder({ 'wide.yaml': JSON.stringify(policyOf({ bounds: { ttl: { max: '13h' } } })) });
    const { stdout } = await tokenwright(['policy', 'explain', 'here', '--policies', path], { env });
    expect(stdout).toContain(`ApiToken ${stage.namespace}/here may be minted\n`);
  });

  it('are not for everybody to read, who then gives those that count', async () => {
    const role = 'tokenwright-test-policy-viewer';
    const rules = [{ apiGroups: ['tokenwright.dev'], resources: ['apitokens'], verbs: ['get', 'list'] }];
    await stage.server.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', { metadata: { name: role }, rules });
    const theirs = { KUBECONFIG: await kubeconfigOf(stage, 'viewer', role) };
    const { code, stderr } = await tokenwright(['policy', 'explain', 'here'], { env: theirs });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: expect.stringMatching(/ lets you list no TokenPolicies\. Give them by --policies\.\n$/),
    });
    const path = folder({ 'own.yaml': JSON.stringify(policyOf({ bounds: { ttl: { max: '11h' } } })) });
    // RBAC learns of a binding a moment after it is written
    const own = await stage.untilAsked('the viewer may look', async () => {
      const outcome = await tokenwright(['policy', 'explain', 'here', '--policies', path], { env: theirs });
      return outcome.code === 0 && outcome;
    });
    expect(own.stdout).toContain(sentence('12h', '11h'));
    expect(own.stderr).toContain(`No labels are known of the namespace ${stage.namespace}, but `);
  });

  it('tell of a token that is not there', async () => {
    expect(await tokenwright(['policy', 'explain', 'none'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`There is no ApiToken ${stage.namespace}/none.`),
    });
  });
});

describe('with kubectl and Helm', () => {
  const root = join(import.meta.dirname, '../../..');
  const shell = async (command: string) => {
    const PATH = `${await programs()}:${cluster().binDirectory}:${process.env.PATH}`;
    return promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', command], { cwd: root, env: { PATH } });
  };
  const CHECK = 'policy check -f - --policies deploy/examples/policies';

  it('checks what kustomize makes', async () => {
    const { stderr } = await shell(`kubectl kustomize deploy/examples/policies/overlay | tokenwright ${CHECK}`);
    expect(stderr).toBe('1 ApiToken checked: the policies allow all.\n');
  });

  it('checks what Helm makes, and passes over the rest of it', async () => {
    const { stderr } = await shell(
      `helm template tokenwright charts/tokenwright --kube-version 1.36.0 | tokenwright ${CHECK}`,
    );
    expect(stderr).toBe('There are no ApiTokens to check.\n');
  });

  it('is a plugin', async () => {
    const { stderr } = await shell(`kubectl kustomize deploy/examples/policies/overlay | kubectl tokenwright ${CHECK}`);
    expect(stderr).toBe('1 ApiToken checked: the policies allow all.\n');
    const { stdout } = await shell('kubectl __complete tokenwright policy ex');
    expect(stdout).toMatch(/^explain\t/);
  });
});
