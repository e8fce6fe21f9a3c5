/** Who is restarted when a value changes, and when the version before is retired. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { versionAnnotation } from '../../src/api/names.ts';
import { expectOk } from '../crds/api-server.ts';
import { breachesOf } from './harness/invariants.ts';
import type { Reading } from './harness/manifests.ts';
import { keyOfSecret, type Stage, Theatre, type WorkloadKind } from './harness/stage.ts';
import { Pulse } from './verifier/prober.ts';

let theatre: Theatre;
/** For all tests whose pods always hold an accepted value. */
let common: Stage;
/** For those whose pods lose it, since they are not restarted in time. */
let careless: Stage;

beforeAll(async () => {
  theatre = await Theatre.open('restarts');
  [common, careless] = await Promise.all([theatre.stage(), theatre.stage()]);
  careless.losesOverlap = true;
  await Promise.all([common.start(), careless.start()]);
});

afterAll(async () => {
  await theatre?.close();
});

async function ownStage(flags: Record<string, string> = {}): Promise<Stage> {
  const stage = await theatre.stage();
  await stage.start(flags);
  return stage;
}

const unix = (time: string | undefined) => Date.parse(time ?? '') / 1000;

function versionKey(stage: Stage, token: string): string {
  return versionAnnotation(stage.token(token)?.status?.tokenID ?? '');
}

function annotationsOf(stage: Stage, kind: WorkloadKind, name: string): Record<string, string> {
  return stage.timeline.get(kind, stage.namespace, name)?.spec?.template?.metadata?.annotations ?? {};
}

async function issued(stage: Stage, name: string, spec = {}): Promise<void> {
  await stage.issue(name, spec);
  await stage.untilDelivered(name, 1);
}

/** Every pod of the workload was made after the value was written. */
async function expectYoungPods(stage: Stage, app: string, token: string): Promise<void> {
  await stage.caughtUp();
  const since = unix(stage.token(token)?.status?.restarts?.since);
  const pods = stage.podsOf(app).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  expect(pods.length).toBeGreaterThan(0);
  for (const { metadata } of pods) expect(unix(metadata.creationTimestamp)).toBeGreaterThan(since);
}

const READINGS: [Reading, 'restarted' | 'left alone'][] = [
  ['env', 'restarted'],
  ['envFrom', 'restarted'],
  ['subPath', 'restarted'],
  ['init', 'restarted'],
  ['volume', 'left alone'],
  ['projected', 'left alone'],
  ['nothing', 'left alone'],
];
const nameOf = (reading: Reading, token: string) => `${token}-${reading.toLowerCase()}`;

async function deployEach(stage: Stage, token: string, readings: readonly Reading[]): Promise<void> {
  await Promise.all(readings.map((reads) => stage.deploy(nameOf(reads, token), { reads, secret: token })));
}

describe.concurrent('a rotation', () => {
  it('restarts who keeps what it read at its start, and leaves mounts to the kubelet for the overlap', async () => {
    await issued(common, 'auto', { rotation: { overlap: '20s' } });
    await deployEach(
      common,
      'auto',
      READINGS.map(([reading]) => reading),
    );
    await common.requestRotation('auto');
    await common.untilSettled('auto', 2);
    const found = READINGS.map(([reading]) => [
      reading,
      common.restarts('deployments', nameOf(reading, 'auto'), 'auto').join() === '2' ? 'restarted' : 'left alone',
    ]);
    expect(found).toEqual(READINGS);
    for (const [reading, what] of READINGS)
      if (what === 'restarted') await expectYoungPods(common, nameOf(reading, 'auto'), 'auto');
    // a kubelet may show a mounted value for as long as that
    const retired = common.history('apitokens', 'auto').find(({ object }) => {
      const versions = object.status?.versions ?? [];
      return object.status?.lastVersion === 2 && versions.length === 1;
    });
    const previous = common
      .history('apitokens', 'auto')
      .flatMap(({ object }) => object.status?.versions ?? [])
      .find(({ state }) => state === 'Previous');
    const retiredAt = retired?.object.metadata as { managedFields?: { time?: string; subresource?: string }[] };
    const written = retiredAt.managedFields?.find(({ subresource }) => subresource === 'status')?.time;
    expect(unix(written)).toBeGreaterThanOrEqual(unix(previous?.acceptedUntilTime));
    const [warning] = await common.until('the short overlap is announced', () => {
      const found = common.events('OverlapTooShort').filter(({ regarding }) => regarding?.name === 'auto');
      return found.length > 0 && found;
    });
    expect(warning?.note).toContain('Deployment/auto-volume');
    expect(warning?.note).toContain('Deployment/auto-projected');
    expect(warning?.note).not.toContain('Deployment/auto-env');
  });

  it('restarts mounts too where restart is Always', async () => {
    await issued(common, 'always', { restart: 'Always' });
    await deployEach(common, 'always', ['volume', 'projected', 'nothing']);
    await common.requestRotation('always');
    await common.untilSettled('always', 2);
    expect(common.restarts('deployments', 'always-volume', 'always')).toEqual(['2']);
    expect(common.restarts('deployments', 'always-projected', 'always')).toEqual(['2']);
    expect(common.restarts('deployments', 'always-nothing', 'always')).toEqual([]);
    await expectYoungPods(common, 'always-volume', 'always');
  });

  it('restarts nobody where restart is Never', async () => {
    await issued(careless, 'never', { restart: 'Never', rotation: { overlap: '3s' } });
    await deployEach(careless, 'never', ['env']);
    await careless.requestRotation('never');
    await careless.untilSettled('never', 2);
    expect(careless.restarts('deployments', 'never-env', 'never')).toEqual([]);
    expect(careless.condition('never', 'RolledOut')).toMatchObject({ status: 'True', reason: 'RestartNever' });
  });

  it('restarts Deployments, StatefulSets and DaemonSets, and tells of each', async () => {
    await issued(common, 'kinds');
    await Promise.all([
      common.deploy('kinds-deployment', { secret: 'kinds', replicas: 3 }),
      common.deploy('kinds-statefulset', { kind: 'StatefulSet', secret: 'kinds', replicas: 2 }),
      common.deploy('kinds-daemonset', { kind: 'DaemonSet', secret: 'kinds' }),
    ]);
    await common.requestRotation('kinds');
    await common.untilSettled('kinds', 2);
    expect(
      common.token('kinds')?.status?.restarts?.workloads?.map(({ kind, name, state }) => [kind, name, state]),
    ).toEqual([
      ['DaemonSet', 'kinds-daemonset', 'Done'],
      ['Deployment', 'kinds-deployment', 'Done'],
      ['StatefulSet', 'kinds-statefulset', 'Done'],
    ]);
    for (const kind of ['deployment', 'statefulset', 'daemonset'] as const) {
      expect(common.restarts(`${kind}s`, `kinds-${kind}`, 'kinds')).toEqual(['2']);
      await expectYoungPods(common, `kinds-${kind}`, 'kinds');
    }
    expect(common.condition('kinds', 'RolledOut')).toMatchObject({ status: 'True', reason: 'RolledOut' });
  });

  it('reaches the workload also where two fall in one second', async () => {
    await issued(common, 'twice');
    await common.deploy('twice', { secret: 'twice' });
    for (let last = 1, tries = 1; ; last += 2, tries += 1) {
      await common.untilTheNextSecond();
      await common.requestRotation('twice', `${tries} one`);
      await common.until('the first is minted', () => (common.token('twice')?.status?.lastVersion ?? 0) > last);
      await common.requestRotation('twice', `${tries} two`);
      await common.untilSettled('twice', last + 2);
      expect(common.restarts('deployments', 'twice', 'twice').at(-1)).toBe(String(last + 2));
      await expectYoungPods(common, 'twice', 'twice');
      const versions = common.history('apitokens', 'twice').flatMap(({ object }) => object.status?.versions ?? []);
      const issueTimes = [last + 1, last + 2].map((n) => versions.find(({ version }) => version === n)?.issueTime);
      if (issueTimes[0] === issueTimes[1]) break;
      // a slow machine: the two were not in one second
      expect(tries).toBeLessThan(8);
    }
  });

  it('leaves a workload alone that was made after the value was written', async () => {
    await issued(common, 'newcomer', { rotation: { overlap: '4s' } });
    await common.requestRotation('newcomer');
    await common.untilDelivered('newcomer', 2);
    await common.untilTheNextSecond();
    await common.deploy('newcomer', { secret: 'newcomer' });
    await common.untilSettled('newcomer', 2);
    await common.quiet(
      1000,
      (call) => call.resource === 'deployments' && call.name === 'newcomer' && call.verb === 'patch',
    );
    expect(common.restarts('deployments', 'newcomer', 'newcomer')).toEqual([]);
  });

  it('is heard by both of two ApiTokens in one Deployment, which keep their annotations', async () => {
    await Promise.all([issued(common, 'left'), issued(common, 'right')]);
    await common.deploy('both', { secret: 'left', alsoReads: 'right' });
    // one after the other: pods that are younger than both values need no second restart
    for (const name of ['left', 'right']) {
      await common.requestRotation(name);
      await common.untilSettled(name, 2);
    }
    const [left, right] = [versionKey(common, 'left'), versionKey(common, 'right')];
    expect(annotationsOf(common, 'deployments', 'both')).toEqual({ [left]: '2', [right]: '2' });
    await common.requestRotation('left');
    await common.untilSettled('left', 3);
    expect(annotationsOf(common, 'deployments', 'both')).toEqual({ [left]: '3', [right]: '2' });
    expect(common.restarts('deployments', 'both', 'left')).toEqual(['2', '3']);
    expect(common.restarts('deployments', 'both', 'right')).toEqual(['2']);
  });

  it('starts no loop with a tool that wipes the annotation', async () => {
    const stage = await ownStage();
    stage.hasWipedAnnotations = true;
    await issued(stage, 'wiped');
    await stage.deploy('wiped', { secret: 'wiped' });
    const key = versionKey(stage, 'wiped');
    const restarts = () => stage.protocolWrites().filter(({ resource }) => resource === 'deployments');
    for (const version of [2, 3]) {
      await stage.requestRotation('wiped');
      await stage.untilSettled('wiped', version);
      expect(annotationsOf(stage, 'deployments', 'wiped')[key]).toBe(String(version));
      await stage.patch('deployments', 'wiped', { spec: { template: { metadata: { annotations: { [key]: null } } } } });
      await stage.until('it has rolled once more', () => stage.isRolledOut('deployments', 'wiped'));
      await stage.quiet(1000);
      expect(restarts()).toHaveLength(version - 1);
    }
    expect(await breachesOf(stage)).toEqual([]);
  });
});

describe.concurrent('the first issue', () => {
  it('restarts who started without the value, and nobody else', async () => {
    await common.deploy('early', { secret: 'first' });
    await issued(common, 'first');
    await common.untilSettled('first', 1);
    expect(common.restarts('deployments', 'early', 'first')).toEqual(['1']);
    await expectYoungPods(common, 'early', 'first');
    await common.deploy('late', { secret: 'first' });
    await common.quiet(1000, (call) => call.name === 'late' && call.verb === 'patch');
    expect(common.restarts('deployments', 'late', 'first')).toEqual([]);
  });
});

/** A rollout that never ends is announced at half the overlap, and holds the retirement back no longer than that. */
async function isLateAndOver(stage: Stage, token: string, unfinished: string): Promise<void> {
  const pulse = new Pulse(stage);
  await stage.until(
    `${token} is announced to be late`,
    () => stage.condition(token, 'RolledOut')?.reason === 'RolloutLate',
  );
  const status = stage.token(token)?.status;
  const end = unix(status?.versions?.find(({ state }) => state === 'Previous')?.acceptedUntilTime);
  expect(end).toBeGreaterThan(0);
  expect(stage.condition(token, 'RolledOut')).toMatchObject({ status: 'False' });
  expect(stage.condition(token, 'RolledOut')?.message).toContain(unfinished);
  expect(status?.restarts?.pending).toBe(1);
  const announced = stage
    .history('apitokens', token)
    .find(({ object }) => object.status?.conditions?.some(({ reason }) => reason === 'RolloutLate'));
  const written = announced?.object.status?.conditions?.find(({ reason }) => reason === 'RolloutLate');
  expect(unix(written?.lastTransitionTime)).toBeLessThan(end);
  await stage.until(
    `the version before ${token}'s is retired`,
    () => stage.token(token)?.status?.versions?.length === 1,
  );
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(end);
  await pulse.stop();
  expect(Date.now() / 1000).toBeLessThan(end + 5 + pulse.slowest / 1000);
  await stage.until('the event is written', () =>
    stage.events('RolloutLate').some(({ regarding, type }) => regarding?.name === token && type === 'Warning'),
  );
  await stage.untilAsked('the retirement is on record', async () =>
    stage
      .audit()
      .some((r) => r.name === token && r.operation === 'retire' && r.cause === 'OverlapEnded' && r.phase === 'outcome'),
  );
}

/** Half of it is left between the announcement and the end, for a machine that pauses. */
const SHORT = { rotation: { overlap: '12s' } };

describe.concurrent('a workload', () => {
  it('that is paused does not hold the retirement back', async () => {
    await issued(careless, 'paused', SHORT);
    await careless.deploy('paused', { secret: 'paused' });
    await careless.patch('deployments', 'paused', { spec: { paused: true } });
    await careless.requestRotation('paused');
    await isLateAndOver(careless, 'paused', 'Deployment/paused');
    await careless.patch('deployments', 'paused', { spec: { paused: false } });
    await careless.until('it has rolled', () => careless.token('paused')?.status?.restarts?.pending === 0);
    await expectYoungPods(careless, 'paused', 'paused');
  });

  it('that is stuck in a rollout of its own does not hold it back, and is not restarted', async () => {
    await issued(careless, 'stuck', SHORT);
    await careless.deploy('stuck', { secret: 'stuck', spec: { strategy: { rollingUpdate: { maxUnavailable: 0 } } } });
    const annotations = { 'controlplane.tokenwright.dev/ready': 'false' };
    await careless.patch('deployments', 'stuck', { spec: { template: { metadata: { annotations } } } });
    await careless.until('it is stuck', () => careless.podsOf('stuck').length === 2);
    await careless.requestRotation('stuck');
    await isLateAndOver(careless, 'stuck', 'Deployment/stuck');
    expect(careless.restarts('deployments', 'stuck', 'stuck')).toEqual([]);
  });

  it('whose restart never ends does not hold it back', async () => {
    const stage = await ownStage();
    stage.losesOverlap = true;
    await issued(stage, 'endless', SHORT);
    await stage.deploy('endless', { secret: 'endless', spec: { strategy: { rollingUpdate: { maxUnavailable: 0 } } } });
    expectOk(
      await stage.server.create(`/api/v1/namespaces/${stage.namespace}/resourcequotas`, {
        metadata: { name: 'no-more-pods' },
        spec: { hard: { pods: '1' } },
      }),
    );
    await stage.requestRotation('endless');
    await isLateAndOver(stage, 'endless', 'Deployment/endless');
    expect(stage.restarts('deployments', 'endless', 'endless')).toEqual(['2']);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('that is replaced OnDelete does not hold it back, and is done when its pods are deleted', async () => {
    await issued(careless, 'by-hand', SHORT);
    const spec = { updateStrategy: { type: 'OnDelete' } };
    await careless.deploy('by-hand', { kind: 'StatefulSet', secret: 'by-hand', spec });
    await careless.requestRotation('by-hand');
    await isLateAndOver(careless, 'by-hand', 'StatefulSet/by-hand');
    expect(careless.restarts('statefulsets', 'by-hand', 'by-hand')).toEqual(['2']);
    await careless.remove('pods', 'by-hand-0');
    await careless.until('it is done', () => careless.token('by-hand')?.status?.restarts?.pending === 0);
  });

  it('whose restart is undone does not hold it back, and is not restarted again', async () => {
    await issued(careless, 'undone', SHORT);
    // slow enough to be undone in mid-roll
    const annotations = { 'controlplane.tokenwright.dev/ready-after': '2s' };
    const spec = { strategy: { rollingUpdate: { maxUnavailable: 0 } } };
    await careless.deploy('undone', { secret: 'undone', annotations, spec });
    await careless.requestRotation('undone');
    const key = versionKey(careless, 'undone');
    await careless.until('it is restarted', () => annotationsOf(careless, 'deployments', 'undone')[key] === '2');
    // what `kubectl rollout undo` does: the pod template of the revision before
    const template = { metadata: { annotations: { [key]: null } } };
    await careless.patch('deployments', 'undone', { spec: { template } });
    await careless.until('it is rolled back', () => careless.isRolledOut('deployments', 'undone'));
    await isLateAndOver(careless, 'undone', 'Deployment/undone');
    expect(careless.restarts('deployments', 'undone', 'undone')).toEqual(['2']);
  });
});

describe.concurrent('the operator', () => {
  it('restarts nothing when it is itself restarted 20 times', async () => {
    const stage = await ownStage();
    await issued(stage, 'calm');
    await Promise.all([
      stage.deploy('calm-deployment', { secret: 'calm' }),
      stage.deploy('calm-mount', { secret: 'calm', reads: 'volume' }),
    ]);
    await stage.requestRotation('calm');
    await stage.until('it is rolled out', () => stage.condition('calm', 'RolledOut')?.reason === 'RolledOut');
    const writes = stage.protocolWrites().length;
    for (let restart = 1; restart <= 20; restart += 1) {
      await stage.operator.stop();
      const before = stage.proxy.calls.length;
      await stage.start();
      await stage.until('it has looked', () =>
        stage.proxy.calls
          .slice(before)
          .some((call) => call.resource === 'secrets' && call.name === 'calm' && call.status),
      );
    }
    await stage.quiet(1000);
    expect(stage.protocolWrites()).toHaveLength(writes);
    expect(stage.restarts('deployments', 'calm-deployment', 'calm')).toEqual(['2']);
    expect(stage.restarts('deployments', 'calm-mount', 'calm')).toEqual([]);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('does once what fell due while it was down', async () => {
    const stage = await ownStage();
    await issued(stage, 'due', { ttl: '1m', rotation: { renewBefore: '45s' } });
    await stage.operator.stop();
    const due = unix(stage.token('due')?.status?.nextRotationTime);
    expect(due - unix(stage.token('due')?.status?.versions?.[0]?.issueTime)).toBe(15);
    await stage.untilAsked('it is long due', async () => Date.now() / 1000 > due + 4);
    expect(stage.token('due')?.status?.lastVersion).toBe(1);
    await stage.start();
    await stage.untilDelivered('due', 2);
    await stage.quiet(2500);
    expect(stage.token('due')?.status?.lastVersion).toBe(2);
    expect(keyOfSecret(stage.secret('due'), 'version')).toBe('2');
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('restarts no more workloads at a time than it may in the whole cluster', async () => {
    const stage = await ownStage({ 'max-concurrent-rollouts': '1' });
    const names = ['one', 'two', 'three'];
    const annotations = { 'controlplane.tokenwright.dev/ready-after': '1s' };
    await Promise.all(names.map((name) => issued(stage, name)));
    await Promise.all(
      [...names, 'more'].map((name) => stage.deploy(name, { secret: name === 'more' ? 'one' : name, annotations })),
    );
    await Promise.all(names.map((name) => stage.requestRotation(name)));
    await Promise.all(names.map((name) => stage.untilSettled(name, 2)));
    const rollouts = [...names, 'more'].map((name) => rolloutOf(stage, name, name === 'more' ? 'one' : name));
    rollouts.sort((a, b) => a.from - b.from);
    for (const [index, { from }] of rollouts.entries()) {
      const before = rollouts[index - 1];
      if (before) expect(from).toBeGreaterThan(before.to);
    }
    expect(await breachesOf(stage)).toEqual([]);
  });
});

/** The revisions between which it was rolling for our annotation. */
function rolloutOf(stage: Stage, name: string, token: string): { from: number; to: number } {
  const key = versionKey(stage, token);
  const history = stage.history('deployments', name);
  const from = history.find(({ object }) => object.spec?.template?.metadata?.annotations?.[key] === '2');
  const to = history.find(({ at, object }) => {
    const { observedGeneration = 0, updatedReplicas, availableReplicas, replicas } = object.status ?? {};
    const isSeen = observedGeneration >= (object.metadata.generation ?? 0);
    return at > (from?.at ?? 0) && isSeen && updatedReplicas === 1 && availableReplicas === 1 && replicas === 1;
  });
  expect(from && to).toBeDefined();
  return { from: from?.at ?? 0, to: to?.at ?? 0 };
}

describe('all of this', () => {
  it('kept the invariants', async () => {
    expect(await breachesOf(common)).toEqual([]);
    expect(await breachesOf(careless)).toEqual([]);
  });
});
