/** `tokenwright revoke`, with the operator at work. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectOk, OPERATOR, VERIFIER } from '../crds/api-server.ts';
import { kubeconfig } from '../e2e/harness/kubeconfig.ts';
import { keyOfSecret, type Stage, Theatre } from '../e2e/harness/stage.ts';
import { Running, tokenwright } from './built.ts';
import { kubeconfigOf } from './people.ts';

let theatre: Theatre;
let stage: Stage;
let env: { KUBECONFIG: string };

beforeAll(async () => {
  theatre = await Theatre.open('cli-revoke');
  stage = await theatre.stage();
  await stage.start();
  env = { KUBECONFIG: await kubeconfig(stage.namespace, { namespace: stage.namespace }) };
});

afterAll(async () => {
  await theatre?.close();
});

async function issued(name: string, spec = {}): Promise<void> {
  await stage.issue(name, spec);
  await stage.untilDelivered(name, 1);
}

interface Order {
  metadata: { name: string; annotations: Record<string, string> };
  spec: object;
  status?: { sealed?: boolean };
}

const ordersOf = ({ namespace }: Stage) => `/apis/tokenwright.dev/v1alpha1/namespaces/${namespace}/tokenrevocations`;

async function orders(where: Stage): Promise<Order[]> {
  return expectOk(await where.server.get(ordersOf(where))).body.items as Order[];
}

async function orderFor(name: string, where = stage): Promise<Order | undefined> {
  return (await orders(where)).find(({ metadata }) => metadata.name.startsWith(`${name}-`));
}

describe('tokenwright revoke', () => {
  it('has a token refused, replaced, and says that it is sealed', async () => {
    await issued('leaked');
    const value = keyOfSecret(stage.secret('leaked'), 'token') ?? '';
    const args = ['leaked', '--reason=Compromised', '--note=seen in a public repository', '--wait'];
    const { code, stdout, stderr } = await tokenwright(['revoke', ...args], { env });
    const order = await orderFor('leaked');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toBe(`tokenrevocation.tokenwright.dev/${order?.metadata.name} created`);
    expect(stderr.split('\n')[0]).toBe(`It reaches ${stage.namespace}/leaked.`);
    // what comes once it is sealed: the verifiers of other tests may be there, and all have answered by then
    expect(stdout + stderr).toMatch(/^(?:VERIFIER {2,}|No verifier has said )/m);
    expect(order).toMatchObject({
      spec: { match: { name: 'leaked' }, reason: 'Compromised', note: 'seen in a public repository' },
      status: { sealed: true },
    });
    await stage.untilDelivered('leaked', 2);
    expect(stage.token('leaked')?.status?.revokedThroughVersion).toBe(1);
    const verified = await tokenwright(['verify'], { env, input: value });
    expect(verified).toMatchObject({ code: 1, stdout: expect.stringContaining('no: ValueUnknown') });
  });

  it('shows which verifiers refuse, and after how long', async () => {
    // without an operator, so that the order is sealed when the test says so
    const deserted = await theatre.stage();
    const { namespace, server } = deserted;
    await deserted.issue('seen');
    const args = ['seen', '--reason=Superseded', '--wait', '-n', namespace];
    const revoke = await Running.start(['revoke', ...args], { env });
    await revoke.says('the order waits for the operator');
    const { metadata } = (await orderFor('seen', deserted)) ?? expect.unreachable();
    const path = `${ordersOf(deserted)}/${metadata.name}/status`;
    const order = {
      apiVersion: 'tokenwright.dev/v1alpha1',
      kind: 'TokenRevocation',
      metadata: { name: metadata.name },
    };
    const time = '2026-01-01T00:00:00Z';
    for (const [verifier, afterMilliseconds] of [
      ['gateway-1', 128],
      ['gateway-0', 41],
    ] as const) {
      const receipt = { verifier, environment: 'e2e', afterMilliseconds, time };
      const said = { ...order, status: { receipts: [receipt] } };
      // as verifiers do, each under a field manager of its own
      expectOk(await server.as(VERIFIER).apply(path, said, `tokenwright-verifier-${verifier}`));
    }
    const expectedVerifiers = ['gateway-0', 'gateway-1', 'gateway-2'];
    const sealed = { status: { sealed: true, sealedTime: time, matched: 1, expectedVerifiers } };
    expectOk(await server.as(OPERATOR).mergePatch(path, sealed));
    const { code, stdout, stderr } = await revoke.end();
    expect(code).toBe(0);
    const [created, titles = '', ...rows] = stdout.trimEnd().split('\n');
    expect(created).toBe(`tokenrevocation.tokenwright.dev/${metadata.name} created`);
    expect(titles.split(/ {3,}/)).toEqual(['VERIFIER', 'ENVIRONMENT', 'REFUSES AFTER']);
    // those of other tests may be heard too
    const ours = rows.map((row) => row.split(/ {3,}/)).filter(([verifier]) => verifier?.startsWith('gateway-'));
    expect(ours).toEqual([
      ['gateway-0', 'e2e', '41 ms'],
      ['gateway-1', 'e2e', '128 ms'],
    ]);
    expect(stderr).toMatch(/sealed; \d of 3 verifiers heard\n/);
    expect(stderr).toContain('gateway-2 has not said that it refuses the tokens.');
  });

  it('blocks, until the order is deleted', async () => {
    await issued('barred');
    const args = ['barred', '--reason=OwnerLeft', '--block', '--wait'];
    expect(await tokenwright(['revoke', ...args], { env })).toMatchObject({ code: 0 });
    await stage.until('it is blocked', () => stage.condition('barred', 'Ready')?.reason === 'Blocked');
    const rotate = await tokenwright(['rotate', 'barred'], { env });
    expect(rotate.code).toBe(1);
    expect(rotate.stderr).toContain(`Nothing was asked for: ${stage.namespace}/barred: `);
    expect(rotate.stderr).toContain('delete it to lift the block');
  });

  it('lists what would be revoked, and revokes nothing', async () => {
    await issued('old-a', { subject: 'agent:old', environment: 'staging' });
    await issued('old-b', { subject: 'agent:old' });
    const before = await orders(stage);
    const ids = ['old-a', 'old-b'].map((name) => stage.token(name)?.status?.tokenID);
    const preview = async (...args: string[]) => {
      const { code, stdout, stderr } = await tokenwright(['revoke', ...args, '--dry-run', '--reason=Superseded'], {
        env,
      });
      const rows = stdout.trimEnd().split('\n').slice(1);
      return { code, rows: rows.map((row) => row.split(/ {3,}/).slice(1)), stderr };
    };
    expect(await preview('--subject=agent:old')).toEqual({
      code: 0,
      rows: [
        ['old-a', ids[0], 'agent:old', 'staging', '1', '<none>'],
        ['old-b', ids[1], 'agent:old', 'e2e', '1', '<none>'],
      ],
      stderr: '2 ApiTokens match. Nothing was revoked: --dry-run.\n',
    });
    expect((await preview('--subject=agent:old', '--environment=staging')).rows).toHaveLength(1);
    expect((await preview('-A', '--token-id', ids[1] ?? '', '--versions=Previous')).rows).toEqual([
      ['old-b', ids[1], 'agent:old', 'e2e', '<none>', '1'],
    ]);
    expect((await preview('old-a', '--versions=1')).rows[0]?.slice(-2)).toEqual(['1', '<none>']);
    expect((await preview('-l', 'team=nobody')).rows).toEqual([]);
    expect(await orders(stage)).toEqual(before);
    expect(stage.token('old-a')?.status?.lastVersion).toBe(1);
  });

  it('says that nothing matches, and how to undo the order', async () => {
    const { code, stdout, stderr } = await tokenwright(['revoke', 'leked', '--reason=Compromised'], { env });
    const name = (await orderFor('leked'))?.metadata.name;
    expect({ code, stdout }).toEqual({ code: 1, stdout: `tokenrevocation.tokenwright.dev/${name} created\n` });
    expect(stderr).toBe(
      `No ApiToken matches it: nothing is revoked. Undo it by "kubectl delete tokenrevocations -n ${stage.namespace} ${name}".\n`,
    );
  });

  it('is late where no operator is', async () => {
    const deserted = await theatre.stage();
    await deserted.issue('left');
    const args = ['left', '--reason=Compromised', '--wait', '--timeout=5s', '-n', deserted.namespace];
    const { code, stderr } = await tokenwright(['revoke', ...args], { env });
    expect(code).toBe(3);
    expect(stderr).toContain('Not sealed in time: the order waits for the operator');
  });

  it.each<[string[], string]>([
    [
      [],
      'Say which tokens: by NAME, --token-id, --subject, --environment or --selector.\n--reason is missing: one of Compromised, Superseded, OwnerLeft, PolicyViolation, Decommissioned.\n',
    ],
    [
      ['a', '--reason=Leaked', '--versions=0', '-l', 'team'],
      '--selector must be labels, such as team=support,tier=prod, not "team".\n' +
        '--reason must be one of Compromised, Superseded, OwnerLeft, PolicyViolation, Decommissioned, not "Leaked".\n' +
        '--versions must be All, Previous, or numbers such as 2,3, not "0".\n',
    ],
    [['a', 'b', '--reason=Superseded'], 'Unexpected argument "b".\n'],
  ])('%j is used wrongly', async (args, sentences) => {
    const { code, stdout, stderr } = await tokenwright(['revoke', ...args], { env });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`${sentences}Run "tokenwright revoke --help" for all flags.\n`);
  });

  it('tells what the cluster refuses: an order that makes no sense, and who may not', async () => {
    const senseless = ['a', '--reason=Superseded', '--versions=1', '--block'];
    const refused = await tokenwright(['revoke', ...senseless], { env });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain('choose Replace, or revoke All versions, since Block leaves none');
    const KUBECONFIG = await kubeconfigOf(stage, 'guest');
    const forbidden = await tokenwright(['revoke', 'a', '--reason=Superseded'], { env: { KUBECONFIG } });
    expect(forbidden).toMatchObject({ code: 1, stdout: '' });
    expect(forbidden.stderr).toContain('Ask for a RoleBinding to the ClusterRole "admin"');
  });
});
