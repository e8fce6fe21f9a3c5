/** What a user sees of a revocation, on a real API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterTokenRevocation, TokenRevocation } from '../../src/api/token-revocation.ts';
import { expectOk, OPERATOR } from '../crds/api-server.ts';
import { breachesOf } from './harness/invariants.ts';
import { tokenRevocation } from './harness/manifests.ts';
import { type Call, isProtocolWrite, labelOf } from './harness/proxy.ts';
import { keyOfSecret, type Stage, Theatre } from './harness/stage.ts';

const CLUSTER = '/apis/tokenwright.dev/v1alpha1/clustertokenrevocations';

let theatre: Theatre;
/** One namespace and operator for all tests that mind only their own ApiToken. */
let common: Stage;

beforeAll(async () => {
  theatre = await Theatre.open('revocation');
  common = await theatre.stage();
  await common.start();
});

afterAll(async () => {
  await theatre?.close();
});

async function ownStage(flags: Record<string, string> = {}): Promise<Stage> {
  const stage = await theatre.stage();
  await stage.start(flags);
  return stage;
}

const order = (stage: Stage, name: string) => stage.timeline.get('tokenrevocations', stage.namespace, name);
const ready = (revocation: TokenRevocation | ClusterTokenRevocation | undefined) =>
  revocation?.status?.conditions?.find(({ type }) => type === 'Ready');
const standing = (stage: Stage, name: string) =>
  stage.token(name)?.status?.versions?.map(({ version, state }) => `${version} ${state}`);
const about = (name: string) => (call: Call) => isProtocolWrite(call) && labelOf(call).endsWith(` ${name}`);

const untilSealed = (stage: Stage, name: string) =>
  stage.until(`the revocation ${name} is sealed`, () => order(stage, name)?.status?.sealed === true);

const inSeconds = (seconds: number) => `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;

/** As the audit file has them: `phase operation version cause`. */
function recorded(stage: Stage, name: string): string[] {
  return stage
    .audit()
    .filter((entry) => entry.name === name)
    .map(({ phase, operation, version, cause }) => `${phase} ${operation} ${version} ${cause}`);
}

const untilRecorded = (stage: Stage, name: string, record: string) =>
  stage.untilAsked(`"${record}" of ${name} is on record`, async () => recorded(stage, name).includes(record));

/** Two versions stand: Current, and Previous for a long overlap. */
async function rotated(stage: Stage, name: string, spec = {}): Promise<void> {
  await stage.issue(name, { rotation: { overlap: '20m' }, ...spec });
  await stage.untilDelivered(name, 1);
  await stage.requestRotation(name);
  await stage.untilDelivered(name, 2);
  expect(standing(stage, name)).toEqual(['2 Current', '1 Previous']);
}

describe.concurrent('a revocation', () => {
  it('ends every version and has one more minted, and says so everywhere', async () => {
    await rotated(common, 'leaked');
    const [, before] = common.values('leaked');
    await common.revoke('leaked', { match: { name: 'leaked' }, note: 'seen in a public repository' });
    await common.untilSettled('leaked', 3);
    await untilSealed(common, 'leaked');
    const { status } = common.token('leaked') ?? {};
    const revocation = order(common, 'leaked');
    expect(status).toMatchObject({
      lastVersion: 3,
      revokedThroughVersion: 2,
      handledRevocations: [revocation?.metadata.uid],
    });
    expect(common.values('leaked').at(-1)).not.toBe(before);
    expect(keyOfSecret(common.secret('leaked'), 'previous-token')).toBeUndefined();
    expect(revocation?.status).toMatchObject({ matched: 1, sealed: true, observedGeneration: 1 });
    expect(ready(revocation)).toMatchObject({ status: 'True', reason: 'Sealed' });
    expect(revocation?.metadata.finalizers).toEqual(['tokenwright.dev/revocation']);
    expect(revocation?.metadata.labels).toMatchObject({ 'tokenwright.dev/pending': 'true' });
    await untilRecorded(common, 'leaked', 'outcome rotate 3 Revoked');
    const revoked = recorded(common, 'leaked').filter((record) => record.includes('revoke'));
    expect(revoked.sort()).toEqual([
      'intent revoke 1 Compromised',
      'intent revoke 2 Compromised',
      'outcome revoke 1 Compromised',
      'outcome revoke 2 Compromised',
    ]);
    const requester = revocation?.metadata.annotations?.['tokenwright.dev/requested-by'];
    for (const entry of common.audit().filter((one) => one.name === 'leaked' && one.operation === 'revoke'))
      expect(entry.requester).toBe(requester);
    await common.until('the event is written', () =>
      common.events('Revoked').some(({ regarding, type }) => regarding?.name === 'leaked' && type === 'Warning'),
    );
    expect(await common.operator.metric('tokenwright_revocations_total', 'reason="Compromised"')).toBeGreaterThan(1);
  });

  it('is one write of status before anything is minted, whatever stood', async () => {
    await rotated(common, 'one-write');
    await common.revoke('one-write', { match: { name: 'one-write' } });
    await common.untilSettled('one-write', 3);
    const statuses = common.history('apitokens', 'one-write').map(({ object }) => object.status);
    const first = statuses.findIndex((status) => status?.revokedThroughVersion === 2);
    expect(statuses[first - 1]?.versions).toHaveLength(2);
    expect(statuses[first]).toMatchObject({ versions: [], lastVersion: 2 });
    expect(statuses[first]?.handledRevocations).toHaveLength(1);
  });

  it('with Block removes the Secret, lets nothing be minted, and its deletion lifts it', async () => {
    await common.issue('blocked');
    await common.untilDelivered('blocked', 1);
    await common.revoke('blocked', { match: { name: 'blocked' }, afterwards: 'Block', reason: 'PolicyViolation' });
    await common.until('it is blocked', () => common.condition('blocked', 'Ready')?.reason === 'Blocked');
    await untilSealed(common, 'blocked');
    await common.caughtUp();
    expect(common.secret('blocked')).toBeUndefined();
    expect(common.condition('blocked', 'Ready')?.message).toContain(`TokenRevocation ${common.namespace}/blocked`);
    expect(common.condition('blocked', 'Stalled')).toBeUndefined();
    expect(standing(common, 'blocked') ?? []).toEqual([]);
    await common.requestRotation('blocked');
    await common.quiet(1000, about('blocked'));
    await common.remove('tokenrevocations', 'blocked');
    await common.untilDelivered('blocked', 2);
    expect(order(common, 'blocked')).toBeUndefined();
    await untilRecorded(common, 'blocked', 'outcome rotate 2 Revoked');
  });

  it('with Block reaches also who comes to match later', async () => {
    const tokens = { matchLabels: { quarantine: 'yes' } };
    await common.revoke('quarantine', { match: { tokens }, afterwards: 'Block' });
    await untilSealed(common, 'quarantine');
    expect(order(common, 'quarantine')?.status?.matched).toBe(0);
    expect(ready(order(common, 'quarantine'))?.message).toContain('no ApiToken matches');
    await common.issue('latecomer');
    await common.untilDelivered('latecomer', 1);
    await common.patch('apitokens', 'latecomer', { metadata: { labels: { quarantine: 'yes' } } });
    await common.until('it is blocked', () => common.condition('latecomer', 'Ready')?.reason === 'Blocked');
    await common.caughtUp();
    expect(common.secret('latecomer')).toBeUndefined();
    await common.patch('apitokens', 'latecomer', { metadata: { labels: { quarantine: null } } });
    await common.untilDelivered('latecomer', 2);
    await untilRecorded(common, 'latecomer', 'outcome revoke 1 Compromised');
  });

  it('of Previous leaves Current, mints nothing and takes previous-token out of the Secret', async () => {
    await rotated(common, 'previous', { secret: { includePrevious: true } });
    expect(keyOfSecret(common.secret('previous'), 'previous-token')).toBeDefined();
    await common.revoke('previous', { match: { name: 'previous' }, versions: 'Previous', reason: 'Superseded' });
    await untilSealed(common, 'previous');
    await common.until('previous-token is gone', () => !common.secret('previous')?.data?.['previous-token']);
    await common.caughtUp();
    expect(common.delivered('previous')).toBe(2);
    expect(standing(common, 'previous')).toEqual(['2 Current']);
    await common.quiet(700, about('previous'));
    await untilRecorded(common, 'previous', 'outcome revoke 1 Superseded');
  });

  it('of Listed ends those, and mints where Current is among them', async () => {
    await rotated(common, 'listed');
    const { tokenID = '' } = common.token('listed')?.status ?? {};
    await common.revoke('listed-1', { match: { tokenID }, versions: 'Listed', versionNumbers: [1, 9] });
    await untilSealed(common, 'listed-1');
    await common.caughtUp();
    expect(standing(common, 'listed')).toEqual(['2 Current']);
    await common.revoke('listed-2', { match: { name: 'listed' }, versions: 'Listed', versionNumbers: [2] });
    await common.untilSettled('listed', 3);
    expect(common.token('listed')?.status?.revokedThroughVersion).toBe(2);
  });

  it('reaches by labels, subject and environment whom it says, and nobody else', async () => {
    const manifest = (name: string, team: string) =>
      common.issue(name).then(() => common.patch('apitokens', name, { metadata: { labels: { team } } }));
    await Promise.all([manifest('by-label-1', 'red'), manifest('by-label-2', 'blue'), common.issue('by-label-3')]);
    const names = ['by-label-1', 'by-label-2', 'by-label-3'];
    await Promise.all(names.map((name) => common.untilDelivered(name, 1)));
    const tokens = { matchExpressions: [{ key: 'team', operator: 'In' as const, values: ['red', 'green'] }] };
    await common.revoke('by-label', { match: { tokens, environment: 'e2e', subject: 'agent:by-label-1' } });
    await common.untilDelivered('by-label-1', 2);
    await untilSealed(common, 'by-label');
    await common.caughtUp();
    expect(order(common, 'by-label')?.status?.matched).toBe(1);
    expect(names.map((name) => common.token(name)?.status?.revokedThroughVersion)).toEqual([1, 0, 0]);
  });

  it('that is sealed means nobody who comes later', async () => {
    await common.revoke('early', { match: { subject: 'agent:after-the-order' } });
    await untilSealed(common, 'early');
    await common.issue('after-the-order');
    await common.untilSettled('after-the-order', 1);
    expect(common.token('after-the-order')?.status).toMatchObject({ revokedThroughVersion: 0, lastVersion: 1 });
  });

  it('strikes also what is suspended, cannot be read, or has ended', async () => {
    const names = ['struck-suspended', 'struck-invalid', 'struck-ended'];
    await Promise.all(names.map((name) => common.issue(name)));
    await Promise.all(names.map((name) => common.untilDelivered(name, 1)));
    await common.patchSpec('struck-suspended', { state: 'Suspended' });
    await common.patchSpec('struck-invalid', { rotation: { schedule: '0 0 31 2 *' } });
    await common.patchSpec('struck-ended', { notAfter: inSeconds(2) });
    const reasons = ['Suspended', 'InvalidSchedule', 'GrantEnded'];
    const said = (name: string) => common.token(name)?.status?.conditions?.map(({ reason }) => reason) ?? [];
    await common.until('each says so', () => names.every((name, i) => said(name).includes(reasons[i] ?? '')));
    for (const name of names) await common.revoke(name, { match: { name } });
    await Promise.all(names.map((name) => untilSealed(common, name)));
    await common.caughtUp();
    for (const name of names) expect(standing(common, name) ?? []).toEqual([]);
    await common.patchSpec('struck-suspended', { state: 'Active' });
    await common.patchSpec('struck-invalid', { rotation: null });
    await common.patchSpec('struck-ended', { notAfter: inSeconds(3600) });
    await Promise.all(names.map((name) => common.untilDelivered(name, 2)));
  });

  it('restarts who holds the revoked value', async () => {
    const stage = await ownStage();
    await stage.issue('agent');
    await stage.untilDelivered('agent', 1);
    await stage.deploy('web', { secret: 'agent', replicas: 2 });
    await stage.revoke('leak', { match: { name: 'agent' } });
    await stage.untilSettled('agent', 2);
    expect(stage.restarts('deployments', 'web', 'agent')).toEqual(['2']);
    expect(await breachesOf(stage)).toEqual([]);
  });
});

describe.concurrent('an order of the cluster', () => {
  it('reaches the namespaces that it selects, and is sealed by who governs them', async () => {
    const [stage, other] = await Promise.all([ownStage(), ownStage()]);
    const label = { 'example.com/tier': stage.namespace };
    await Promise.all([stage, other].map((one) => one.issue('agent').then(() => one.untilDelivered('agent', 1))));
    expectOk(await theatre.server.mergePatch(`/api/v1/namespaces/${stage.namespace}`, { metadata: { labels: label } }));
    const name = `tier-${stage.namespace}`;
    const manifest = tokenRevocation(name, { match: {}, reason: 'OwnerLeft' });
    const match = { namespaces: { matchLabels: label }, environment: 'e2e' };
    const spec = { ...manifest.spec, match };
    expectOk(await theatre.server.create(CLUSTER, { ...manifest, kind: 'ClusterTokenRevocation', spec }));
    const read = async () => (await theatre.server.get(`${CLUSTER}/${name}`)).body as unknown as ClusterTokenRevocation;
    const sealed = await stage.untilAsked('it is sealed', async () => {
      const found = await read();
      return found.status?.sealed === true && found;
    });
    await stage.untilDelivered('agent', 2);
    expect(sealed.status?.matched).toBe(1);
    await untilRecorded(stage, 'agent', 'outcome revoke 1 OwnerLeft');
    expect(other.delivered('agent')).toBe(1);
    expectOk(await theatre.server.delete(`${CLUSTER}/${name}`));
    await stage.untilAsked('it is gone', async () => (await theatre.server.get(`${CLUSTER}/${name}`)).status === 404);
    expect(await breachesOf(stage)).toEqual([]);
    expect(await breachesOf(other)).toEqual([]);
  });

  it('that reaches further is carried out, and called sealed by nobody who does not govern all', async () => {
    const stage = await ownStage();
    await stage.issue('wide');
    await stage.untilDelivered('wide', 1);
    const { tokenID } = stage.token('wide')?.status ?? {};
    const name = `wide-${stage.namespace}`;
    const spec = { match: { tokenID }, reason: 'Compromised' };
    const path = `${CLUSTER}/${name}`;
    const object = { apiVersion: 'tokenwright.dev/v1alpha1', kind: 'ClusterTokenRevocation', metadata: { name }, spec };
    expectOk(await theatre.server.create(CLUSTER, object));
    await stage.untilDelivered('wide', 2);
    const revocation = expectOk(await theatre.server.get(path)).body as unknown as ClusterTokenRevocation;
    expect(stage.token('wide')?.status?.handledRevocations).toEqual([revocation.metadata.uid]);
    expect(revocation.status).toBeUndefined();
    // nobody else lets it go here
    expectOk(await theatre.server.as(OPERATOR).mergePatch(path, { metadata: { finalizers: null } }));
    expectOk(await theatre.server.delete(path));
    expect(await breachesOf(stage)).toEqual([]);
  });
});

describe.concurrent('whatever the operator is at', () => {
  it('an order made while it is down is carried out when it is back', async () => {
    const stage = await ownStage();
    await stage.issue('agent');
    await stage.untilSettled('agent', 1);
    await stage.operator.stop();
    await stage.revoke('while-down', { match: { name: 'agent' } });
    expect(order(stage, 'while-down')?.status).toBeUndefined();
    await stage.start();
    await stage.untilSettled('agent', 2);
    await untilSealed(stage, 'while-down');
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('an order in the middle of a rotation ends Next too, and the value that was on its way', async () => {
    const stage = await ownStage();
    await stage.issue('agent');
    await stage.untilSettled('agent', 1);
    const minted = Promise.withResolvers<void>();
    const ordered = Promise.withResolvers<void>();
    stage.proxy.hold = async (call) => {
      if (call.resource !== 'secrets' || call.verb !== 'update') return;
      minted.resolve();
      await ordered.promise;
    };
    await stage.requestRotation('agent', 'now');
    await minted.promise;
    await stage.caughtUp();
    expect(standing(stage, 'agent')).toEqual(['2 Next', '1 Current']);
    await stage.revoke('mid-rotation', { match: { name: 'agent' } });
    await stage.until('the order stands', () => order(stage, 'mid-rotation'));
    ordered.resolve();
    await stage.untilSettled('agent', 3);
    await untilSealed(stage, 'mid-rotation');
    expect(stage.token('agent')?.status?.revokedThroughVersion).toBe(2);
    await untilRecorded(stage, 'agent', 'outcome revoke 2 Compromised');
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('two operators without leader election carry an order out once', async () => {
    const stage = await theatre.stage();
    const flags = { 'leader-elect': 'false' };
    await stage.start(flags);
    await stage.startAnother(flags);
    const names = ['one', 'two', 'three'];
    for (const name of names) await stage.issue(name, { rotation: { overlap: '3s' } });
    await Promise.all(names.map((name) => stage.untilSettled(name, 1)));
    await stage.revoke('both', { match: { environment: 'e2e' } });
    await Promise.all(
      names.map((name) =>
        stage.until(
          `another version of ${name} stands alone`,
          () => (stage.delivered(name) ?? 0) > 1 && stage.isSettled(name),
        ),
      ),
    );
    await untilSealed(stage, 'both');
    await stage.caughtUp();
    expect(order(stage, 'both')?.status?.matched).toBe(3);
    for (const name of names) expect(stage.token(name)?.status?.revokedThroughVersion).toBe(1);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('the deletion of an order waits until it is carried out', async () => {
    const stage = await ownStage();
    await stage.issue('agent');
    await stage.untilSettled('agent', 1);
    const deleted = Promise.withResolvers<void>();
    stage.proxy.hold = async (call) => {
      if (call.resource === 'apitokens/status') await deleted.promise;
    };
    await stage.revoke('held', { match: { name: 'agent' } });
    await stage.until('it is held', () => (order(stage, 'held')?.metadata.finalizers?.length ?? 0) > 0);
    await stage.remove('tokenrevocations', 'held');
    await stage.until('it is to go', () => order(stage, 'held')?.metadata.deletionTimestamp !== undefined);
    expect(order(stage, 'held')?.status?.sealed).not.toBe(true);
    deleted.resolve();
    await stage.until('it is gone', () => order(stage, 'held') === undefined);
    expect(stage.history('tokenrevocations', 'held').some(({ object }) => object.status?.sealed)).toBe(true);
    await stage.untilSettled('agent', 2);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('an order is found for a while, then let go, then deleted, save one that blocks', async () => {
    const stage = await ownStage({ 'revocation-retention': '1m' });
    await stage.issue('agent');
    await stage.untilSettled('agent', 1);
    await stage.revoke('replaces', { match: { name: 'agent' } });
    await stage.revoke('blocks', { match: { name: 'nobody' }, afterwards: 'Block' });
    await Promise.all([untilSealed(stage, 'replaces'), untilSealed(stage, 'blocks')]);
    await stage.untilSettled('agent', 2);
    await stage.until('it is deleted', () => order(stage, 'replaces') === undefined, 180);
    const lets = stage.history('tokenrevocations', 'replaces').map(({ object }) => object);
    const sealed = lets.find(({ status }) => status?.sealed)?.status?.sealedTime ?? '';
    const last = lets.at(-1);
    expect(last?.metadata.finalizers ?? []).toEqual([]);
    expect(last?.metadata.labels?.['tokenwright.dev/pending']).toBeUndefined();
    expect(Date.now() - Date.parse(sealed)).toBeGreaterThanOrEqual(60_000);
    await stage.until('it is let go', () => !order(stage, 'blocks')?.metadata.finalizers?.length);
    await stage.requestRotation('agent', 'forget');
    await stage.untilDelivered('agent', 3);
    expect(stage.token('agent')?.status?.handledRevocations).toBeUndefined();
    expect(order(stage, 'blocks')).toBeDefined();
    expect(await breachesOf(stage)).toEqual([]);
  });
});

it('broke no invariant in the common namespace', async () => {
  expect(await breachesOf(common)).toEqual([]);
});
