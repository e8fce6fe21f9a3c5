/** Two operators on one API server: at once without leader election, and one after the other with it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectOk } from '../crds/api-server.ts';
import { breachesOf } from './harness/invariants.ts';
import type { OperatorProcess } from './harness/operator.ts';
import { type ApiProxy, isProtocolWrite } from './harness/proxy.ts';
import { OPERATOR_NAMESPACE, type Stage, Theatre } from './harness/stage.ts';
import { Pulse } from './verifier/prober.ts';

let theatre: Theatre;

beforeAll(async () => {
  theatre = await Theatre.open('two');
});

afterAll(async () => {
  await theatre?.close();
});

const lastVersion = (stage: Stage, name: string) => stage.token(name)?.status?.lastVersion ?? 0;
const writesOf = (proxy: ApiProxy) => proxy.calls.filter(isProtocolWrite);

/** Every object that an operator writes, and the revision at which it stands. */
function standing(stage: Stage): string[] {
  return (['apitokens', 'secrets', 'deployments'] as const).flatMap((kind) =>
    stage.timeline
      .list(kind, stage.namespace)
      .map(({ metadata }) => `${kind}/${metadata.name} at ${metadata.resourceVersion}`),
  );
}

/** Each operator is made to look at each ApiToken once more, and finds nothing to do. */
async function expectRest(stage: Stage, names: readonly string[], proxies: readonly ApiProxy[]): Promise<void> {
  const from = proxies.map(({ calls }) => calls.length);
  for (const name of names) await stage.patch('apitokens', name, { metadata: { labels: { touched: 'yes' } } });
  await stage.until('the change is seen', () =>
    names.every((name) => stage.token(name)?.metadata.labels?.touched === 'yes'),
  );
  const before = standing(stage);
  await stage.until('both have looked', () =>
    proxies.every(({ calls }, index) =>
      names.every((name) =>
        calls.slice(from[index]).some((call) => call.resource === 'secrets' && call.name === name && call.status),
      ),
    ),
  );
  await stage.quiet(1500);
  expect(standing(stage)).toEqual(before);
}

describe('two operators at once, without leader election', () => {
  const NAMES = ['one', 'two', 'three', 'four', 'mounted'];
  const each = (act: (name: string) => Promise<unknown>) => Promise.all(NAMES.map(act));

  it('mint once, restart once and come to rest', async () => {
    const stage = await theatre.stage();
    const flags = { 'leader-elect': 'false' };
    await stage.start(flags);
    const proxies = [stage.proxy, (await stage.startAnother(flags)).proxy];

    // who mounts a Secret is not restarted, and the version before ends with the overlap
    await each((name) => stage.issue(name, name === 'mounted' ? { rotation: { overlap: '3s' } } : {}));
    await each((name) => stage.untilSettled(name, 1));
    await each((name) =>
      stage.deploy(name, { secret: name, reads: name === 'mounted' ? 'volume' : 'env', replicas: 2 }),
    );
    await stage.deploy('reads-two', { secret: 'one', alsoReads: 'two' });

    await each((name) => stage.requestRotation(name, 'alone'));
    await each((name) => stage.untilDelivered(name, 2));
    await each(async (name) => {
      // each as soon as the one before is minted, long before that is rolled out
      for (const [index, request] of ['first', 'second', 'third'].entries()) {
        await stage.requestRotation(name, request);
        await stage.until(
          `the ${request} request for ${name} is answered`,
          () => stage.token(name)?.status?.lastHandledRotateRequest === request,
        );
        expect(lastVersion(stage, name)).toBe(3 + index);
      }
    });
    await expectNextVersion(stage, (name) => stage.remove('secrets', name));
    await expectNextVersion(stage, (name) => stage.patchSpec(name, { scopes: ['chat:write', 'models:large'] }));

    await each((name) => stage.untilSettled(name, lastVersion(stage, name)));
    await expectRest(stage, NAMES, proxies);
    for (const name of [...NAMES, 'reads-two']) {
      // one change of the pod template for each version of each ApiToken that it was restarted for
      const restarts = NAMES.flatMap((token) => stage.restarts('deployments', name, token));
      const { generation } = stage.timeline.get('deployments', stage.namespace, name)?.metadata ?? {};
      expect(generation, name).toBe(1 + restarts.length);
    }
    expect(stage.restarts('deployments', 'mounted', 'mounted')).toEqual([]);
    expect(await breachesOf(stage)).toEqual([]);
    // or nothing was shown
    for (const proxy of proxies) expect(writesOf(proxy).length).toBeGreaterThan(NAMES.length);
    expect(proxies.flatMap(writesOf).some(({ status }) => status === 409)).toBe(true);
  });

  /** One change is one version, whoever sees it. */
  async function expectNextVersion(stage: Stage, change: (name: string) => Promise<void>): Promise<void> {
    await each((name) =>
      stage.until(`${name} holds its last version`, () => stage.delivered(name) === lastVersion(stage, name)),
    );
    // two mints within --min-heal-interval would wait for each other
    await stage.untilTheNextSecond();
    const before = NAMES.map((name) => lastVersion(stage, name));
    await each(change);
    await each((name) => stage.untilDelivered(name, (before[NAMES.indexOf(name)] ?? 0) + 1));
  }
});

interface Lease {
  holderIdentity: string;
  acquireTime: string;
  renewTime: string;
  leaseTransitions: number;
}

async function leaseOf(stage: Stage): Promise<Lease> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${OPERATOR_NAMESPACE}/leases/${stage.namespace}`;
  return expectOk(await stage.server.get(path)).body.spec as Lease;
}

/** When it logged that, in epoch milliseconds. */
function logged(operator: OperatorProcess, message: string): number[] {
  const lines = operator
    .log()
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`));
  return lines.map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
}

/** Starts one that leads and one that stands by, with one audit file between them. */
async function leaderAndStandby(stage: Stage, flags: Record<string, string> = {}) {
  const leader = await stage.start(flags);
  await stage.untilAsked('the first leads', () => leader.isLeading());
  const { operator: standby, proxy } = await stage.startAnother({ ...flags, 'audit-log': stage.auditFile });
  await stage.untilAsked('the second is ready', () => standby.isReady());
  expect(await standby.isLeading()).toBe(false);
  return { standby, writes: () => writesOf(proxy) };
}

describe('two operators with leader election', () => {
  it('change over within two seconds when the leader is stopped', async () => {
    const stage = await theatre.stage();
    const { standby, writes } = await leaderAndStandby(stage);
    await stage.issue('calm');
    await stage.untilDelivered('calm', 1);
    await stage.deploy('calm', { secret: 'calm' });
    const before = await leaseOf(stage);
    expect(writes()).toEqual([]);

    const pulse = new Pulse(stage);
    expect(await stage.operator.stop()).toBe(0);
    await stage.untilAsked('the second leads', () => standby.isLeading());
    await pulse.stop();
    const soon = 2000 + 2 * pulse.slowest;
    const after = await leaseOf(stage);
    const [stopping = 0] = logged(stage.operator, 'stopping');
    expect(logged(standby, 'leading')[0]).toBeLessThan(stopping + soon);
    expect(Date.parse(after.acquireTime)).toBeLessThan(stopping + soon);
    expect(after.leaseTransitions).toBe(before.leaseTransitions + 1);
    expect(after.holderIdentity).not.toBe(before.holderIdentity);

    await stage.quiet(1500);
    await stage.requestRotation('calm');
    await stage.untilSettled('calm', 2);
    expect(stage.restarts('deployments', 'calm', 'calm')).toEqual(['2']);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('change over once, when the lease has run out, where the leader is killed in mid-rotation', async () => {
    const stage = await theatre.stage();
    // as by default: a shorter one would be lost, by right, on a machine that pauses
    const leaseSeconds = 15;
    const { standby, writes } = await leaderAndStandby(stage, { 'lease-duration': `${leaseSeconds}s` });
    await stage.issue('struck');
    await stage.untilDelivered('struck', 1);
    await stage.deploy('struck', { secret: 'struck' });
    const struck = stage.proxy.arm({
      point: 'after-commit',
      strikes: (call) => call.resource === 'secrets' && call.verb === 'update',
      kill: () => stage.operator.kill(),
    });
    await stage.requestRotation('struck');
    await struck;
    const pulse = new Pulse(stage);
    const before = await leaseOf(stage);
    expect(writes()).toEqual([]);

    await stage.untilAsked('the second leads', () => standby.isLeading());
    await pulse.stop();
    const after = await leaseOf(stage);
    const silence = Date.parse(after.acquireTime) - Date.parse(before.renewTime);
    expect(silence).toBeGreaterThanOrEqual(leaseSeconds * 1000);
    expect(silence).toBeLessThan(leaseSeconds * 1000 + 2000 + 2 * pulse.slowest);

    await stage.untilSettled('struck', 2);
    expect(stage.restarts('deployments', 'struck', 'struck')).toEqual(['2']);
    await stage.quiet(1500);
    const atLast = await leaseOf(stage);
    expect(atLast.leaseTransitions).toBe(before.leaseTransitions + 1);
    expect(atLast.holderIdentity).toBe(after.holderIdentity);
    expect(logged(standby, 'leading')).toHaveLength(1);
    expect(await breachesOf(stage)).toEqual([]);
  });
});
