/** What a user sees of an ApiToken, from its first issue to its end, on a real API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, parseValue } from '../../src/domain/value.ts';
import { expectOk } from '../crds/api-server.ts';
import { breachesOf } from './harness/invariants.ts';
import { ENVIRONMENT } from './harness/manifests.ts';
import { type Call, isProtocolWrite, labelOf } from './harness/proxy.ts';
import { keyOfSecret, type Stage, Theatre } from './harness/stage.ts';
import { Pulse } from './verifier/prober.ts';

let theatre: Theatre;
/** One namespace and operator for all tests that mind only their own ApiToken. */
let common: Stage;

beforeAll(async () => {
  theatre = await Theatre.open('lifecycle');
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

const currentOf = (stage: Stage, name: string) =>
  stage.token(name)?.status?.versions?.find((v) => v.state === 'Current');
const lastVersion = (stage: Stage, name: string) => stage.token(name)?.status?.lastVersion;
const about = (name: string) => (call: Call) => isProtocolWrite(call) && labelOf(call).endsWith(` ${name}`);
const inSeconds = (seconds: number) => `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;
const unix = (time: string | undefined) => Date.parse(time ?? '') / 1000;

/** Waits for an audit record `phase operation version cause` of that ApiToken: an outcome may follow what it tells of. */
async function recorded(stage: Stage, name: string, record: string): Promise<void> {
  await stage.untilAsked(`"${record}" of ${name} is on record`, async () =>
    stage
      .audit()
      .filter((entry) => entry.name === name)
      .some(({ phase, operation, version, cause }) => `${phase} ${operation} ${version} ${cause}` === record),
  );
}

/** Rotates about every two seconds. */
const RESTLESS = { ttl: '1m', rotation: { renewBefore: '59s', overlap: '2s' } };

describe.concurrent('an ApiToken', () => {
  it('rotates by its cron schedule, in the first second of the minute', async () => {
    const pulse = new Pulse(common);
    await common.issue('by-cron', { rotation: { schedule: '* * * * *', overlap: '2s' } });
    await common.untilDelivered('by-cron', 2, 120);
    await pulse.stop();
    expect(unix(currentOf(common, 'by-cron')?.issueTime) % 60).toBeLessThan(3 + pulse.slowest / 1000);
    await recorded(common, 'by-cron', 'outcome rotate 2 Scheduled');
    await common.patchSpec('by-cron', { state: 'Suspended' });
  });

  it('in Manual mode does not rotate by itself, and says that it has expired', async () => {
    await common.issue('manual', { ...RESTLESS, rotation: { ...RESTLESS.rotation, mode: 'Manual' } });
    await common.untilDelivered('manual', 1);
    expect(common.token('manual')?.status?.nextRotationTime).toBeUndefined();
    await common.until('it has expired', () => common.condition('manual', 'Ready')?.reason === 'Expired', 120);
    expect(common.condition('manual', 'Ready')?.message).toContain('tokenwright.dev/rotate-requested-at');
    expect(lastVersion(common, 'manual')).toBe(1);
    await common.requestRotation('manual');
    await common.untilDelivered('manual', 2);
  });

  it('is issued: value, id, version, expiry and templates in a Secret of its own', async () => {
    const template = {
      data: { HEADER: 'Bearer $(token)', about: '$(tokenID) v$(version) until $(expirationTime), $$(token)' },
      metadata: { labels: { team: 'support' }, annotations: { 'example.com/version': 'v$(version)' } },
    };
    await common.issue('first', { secret: { name: 'first-token', template } });
    await common.until('it is issued', () => common.delivered('first', 'first-token') === 1);
    const token = common.token('first');
    const secret = common.secret('first-token');
    const value = keyOfSecret(secret, 'token') ?? '';
    const { tokenID = '', versions = [] } = token?.status ?? {};
    const [version] = versions;
    expect(parseValue(value)).toEqual({ ok: true, environment: ENVIRONMENT, tokenID, digest: version?.digest });
    expect(Object.keys(secret?.data ?? {}).sort()).toEqual(
      ['HEADER', 'about', 'expiration-time', 'token', 'token-id', 'version'].sort(),
    );
    expect(keyOfSecret(secret, 'HEADER')).toBe(`Bearer ${value}`);
    expect(keyOfSecret(secret, 'about')).toBe(`${tokenID} v1 until ${version?.expirationTime}, $(token)`);
    expect(keyOfSecret(secret, 'token-id')).toBe(tokenID);
    expect(keyOfSecret(secret, 'version')).toBe('1');
    expect(keyOfSecret(secret, 'expiration-time')).toBe(version?.expirationTime);
    expect(unix(version?.expirationTime) - unix(version?.issueTime)).toBe(3600);
    expect(secret).toMatchObject({
      type: 'Opaque',
      metadata: {
        labels: {
          team: 'support',
          'app.kubernetes.io/managed-by': 'tokenwright',
          'tokenwright.dev/token-id': tokenID,
        },
        annotations: { 'example.com/version': 'v1' },
        ownerReferences: [{ kind: 'ApiToken', name: 'first', uid: token?.metadata.uid, controller: true }],
      },
    });
    expect(versions).toHaveLength(1);
    expect(version?.grant).toEqual({
      subject: 'agent:first',
      environment: ENVIRONMENT,
      audiences: ['gateway'],
      scopes: ['chat:write'],
    });
    expect(token?.status).toMatchObject({
      lastVersion: 1,
      revokedThroughVersion: 0,
      secretName: 'first-token',
      effective: { renewBefore: '20m0s', overlap: '20m0s' },
      observedGeneration: 1,
    });
    await recorded(common, 'first', 'outcome mint 1 Issued');
    const [record] = common.audit().filter(({ name, phase }) => name === 'first' && phase === 'outcome');
    expect(record).toMatchObject({
      operation: 'mint',
      version: 1,
      cause: 'Issued',
      identity: `${common.namespace}/agent:first`,
      purpose: 'Prove what the operator promises',
      tokenID,
    });
    await common.until('the event is written', () =>
      common.events('Issued').some(({ regarding, type }) => regarding?.name === 'first' && type === 'Normal'),
    );
  });

  it('says in conditions that kstatus reads whether it is on its way or at rest', async () => {
    await common.issue('kstatus');
    await common.untilSettled('kstatus', 1);
    const seen = common.history('apitokens', 'kstatus').map(({ object }) => object);
    const onItsWay = seen.find((token) => token.status?.versions?.[0]?.state === 'Next');
    const types = (token = onItsWay) =>
      token?.status?.conditions?.map(({ type, status }) => `${type}=${status}`).sort();
    expect(types()).toEqual(['Compliant=True', 'Ready=False', 'Reconciling=True', 'RolledOut=False']);
    expect(types(seen.at(-1))).toEqual(['Compliant=True', 'Ready=True', 'RolledOut=True']);
    const conditions = common.token('kstatus')?.status?.conditions ?? [];
    expect(conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([1, 1, 1]);
    expect(conditions.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Ready Issued',
      'Compliant PolicySatisfied',
      'RolledOut NoConsumers',
    ]);
  });

  it('rotates before it expires, keeps the version before for the overlap, and retires it', async () => {
    await common.issue('restless', RESTLESS);
    await common.until('two rotations are over', () => (common.delivered('restless') ?? 0) >= 3);
    await common.patchSpec('restless', { state: 'Suspended' });
    const statuses = common.history('apitokens', 'restless').map(({ object }) => object.status);
    for (const status of statuses) {
      const [first, ...others] = status?.versions ?? [];
      if (first?.state !== 'Next') continue;
      // a scheduled rotation waits while a Previous is accepted
      for (const { acceptedUntilTime, state } of others) {
        if (state === 'Previous') expect(unix(acceptedUntilTime)).toBeLessThanOrEqual(unix(first.issueTime));
      }
    }
    const previous = statuses.flatMap((status) => status?.versions ?? []).find(({ state }) => state === 'Previous');
    const promoted = statuses.find((status) => status?.versions?.some(({ state }) => state === 'Previous'));
    expect(unix(previous?.acceptedUntilTime) - unix(promoted?.restarts?.since)).toBe(2);
    await common.until('the version before is retired', () => common.token('restless')?.status?.versions?.length === 1);
    await recorded(common, 'restless', 'outcome rotate 2 Expiring');
    await recorded(common, 'restless', 'outcome retire 1 OverlapEnded');
  });

  it('answers a request for rotation once, however often it is repeated', async () => {
    await common.issue('on-request', { rotation: { overlap: '2s' } });
    await common.untilDelivered('on-request', 1);
    await common.requestRotation('on-request', 'once');
    await common.untilSettled('on-request', 2);
    expect(common.token('on-request')?.status?.lastHandledRotateRequest).toBe('once');
    await common.requestRotation('on-request', 'once');
    await common.patch('apitokens', 'on-request', { metadata: { labels: { touched: 'yes' } } });
    await common.quiet(1000, about('on-request'));
    await common.requestRotation('on-request', 'twice');
    await common.untilDelivered('on-request', 3);
  });

  it('mints nothing while it is suspended, and what was asked meanwhile afterwards', async () => {
    await common.issue('suspended');
    await common.untilDelivered('suspended', 1);
    await common.patchSpec('suspended', { state: 'Suspended' });
    await common.until('it says so', () => common.condition('suspended', 'Ready')?.reason === 'Suspended');
    await common.requestRotation('suspended');
    await common.quiet(1000, about('suspended'));
    expect(lastVersion(common, 'suspended')).toBe(1);
    await common.patchSpec('suspended', { state: 'Active' });
    await common.untilDelivered('suspended', 2);
  });

  it('mints when its grant is widened, and not when it is narrowed', async () => {
    await common.issue('grant', { scopes: ['chat:write', 'models:small'], rotation: { overlap: '2s' } });
    await common.untilDelivered('grant', 1);
    await common.patchSpec('grant', { scopes: ['chat:write'] });
    await common.until('the change is seen', () => common.token('grant')?.status?.observedGeneration === 2);
    await common.quiet(700, about('grant'));
    expect(currentOf(common, 'grant')?.grant.scopes).toEqual(['chat:write', 'models:small']);
    await common.patchSpec('grant', { audiences: ['gateway', 'archive'] });
    await common.untilDelivered('grant', 2);
    expect(currentOf(common, 'grant')?.grant).toMatchObject({
      audiences: ['gateway', 'archive'],
      scopes: ['chat:write'],
    });
    await recorded(common, 'grant', 'outcome rotate 2 SpecChanged');
  });

  it('is renewed at once where a shorter ttl makes it due', async () => {
    await common.issue('shorter', { ttl: '2h', rotation: { overlap: '2s' } });
    await common.untilDelivered('shorter', 1);
    await common.patchSpec('shorter', RESTLESS);
    await common.until('it is renewed', () => (common.delivered('shorter') ?? 0) >= 2);
    await common.patchSpec('shorter', { state: 'Suspended' });
    const version = common
      .history('apitokens', 'shorter')
      .flatMap(({ object }) => object.status?.versions ?? [])
      .find((v) => v.version === 2);
    expect(unix(version?.expirationTime) - unix(version?.issueTime)).toBe(60);
  });

  it('ends with notAfter: no value, no Secret; and goes on with a higher version when the end is put off', async () => {
    const late = inSeconds(1800);
    await common.issue('ending', { notAfter: late });
    await common.untilDelivered('ending', 1);
    expect(currentOf(common, 'ending')?.expirationTime).toBe(late);
    // only now, or a slow machine would have it over before it is delivered
    const notAfter = inSeconds(4);
    await common.patchSpec('ending', { notAfter });
    await common.until('the grant has ended', () => common.condition('ending', 'Ready')?.reason === 'GrantEnded');
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(unix(notAfter));
    await common.caughtUp();
    expect(common.secret('ending')).toBeUndefined();
    expect(common.token('ending')?.status).toMatchObject({ versions: [], lastVersion: 1 });
    await recorded(common, 'ending', 'outcome retire 1 GrantEnded');
    await common.patchSpec('ending', { notAfter: inSeconds(3600) });
    await common.untilDelivered('ending', 2);
  });

  it('replaces a Secret that was deleted, by a new version', async () => {
    await common.issue('deleted-secret');
    await common.untilDelivered('deleted-secret', 1);
    await common.remove('secrets', 'deleted-secret');
    await common.untilDelivered('deleted-secret', 2);
    const [one, two] = common.values('deleted-secret');
    expect(two).not.toBe(one);
    await recorded(common, 'deleted-secret', 'outcome heal 2 SecretMissing');
    await common.until('the event is written', () =>
      common.events('SecretMissing').some(({ type }) => type === 'Warning'),
    );
  });

  it.each([
    ['token', { token: 'another' }],
    ['templated', { HEADER: 'Bearer another' }],
    ['added', { stranger: 'unknown' }],
    ['own', { version: '7' }],
  ])('replaces a Secret whose data was altered (%s), by a new version', async (which, stringData) => {
    const name = `altered-${which}`;
    await common.issue(name, { secret: { template: { data: { HEADER: 'Bearer $(token)' } } } });
    await common.untilDelivered(name, 1);
    await common.patch('secrets', name, { stringData });
    await common.untilDelivered(name, 2);
    const secret = common.secret(name);
    expect(keyOfSecret(secret, 'HEADER')).toBe(`Bearer ${keyOfSecret(secret, 'token')}`);
    expect(keyOfSecret(secret, 'version')).toBe('2');
    expect(keyOfSecret(secret, 'stranger')).toBeUndefined();
    await recorded(common, name, 'outcome heal 2 SecretAltered');
  });

  it('puts back labels and annotations without a new version, and leaves those of others', async () => {
    const template = { metadata: { labels: { team: 'support' }, annotations: { 'example.com/v': '$(version)' } } };
    await common.issue('metadata', { secret: { template } });
    await common.untilDelivered('metadata', 1);
    const declared = common.secret('metadata')?.metadata;
    await common.patch('secrets', 'metadata', {
      metadata: {
        labels: { team: null, 'app.kubernetes.io/managed-by': null, theirs: 'stays' },
        annotations: { 'example.com/v': 'other', 'example.com/theirs': 'stays' },
      },
    });
    await common.until('both are back', () => {
      const { labels, annotations } = common.secret('metadata')?.metadata ?? {};
      return labels?.team === 'support' && labels.theirs === 'stays' && annotations?.['example.com/v'] === '1';
    });
    expect(common.secret('metadata')?.metadata.labels).toEqual({ ...declared?.labels, theirs: 'stays' });
    expect(common.secret('metadata')?.metadata.annotations?.['example.com/theirs']).toBe('stays');
    await common.patch('apitokens', 'metadata', {
      spec: { secret: { template: { metadata: { labels: { team: null, tier: 'gold' }, annotations: null } } } },
    });
    await common.until('what the template no longer says is gone', () => {
      const { labels, annotations } = common.secret('metadata')?.metadata ?? {};
      const { metadata, status } = common.token('metadata') ?? {};
      const isSettled = status?.observedGeneration === metadata?.generation;
      return isSettled && labels?.tier === 'gold' && !('team' in labels) && !('example.com/v' in (annotations ?? {}));
    });
    expect(common.secret('metadata')?.metadata).toMatchObject({
      labels: { theirs: 'stays' },
      annotations: { 'example.com/theirs': 'stays' },
    });
    await common.quiet(700, about('metadata'));
    expect(lastVersion(common, 'metadata')).toBe(1);
    expect(common.values('metadata')).toHaveLength(1);
  });

  it('writes the previous value where it is asked to, for as long as that is accepted', async () => {
    await common.issue('previous', { secret: { includePrevious: true }, rotation: { overlap: '12s' } });
    await common.untilDelivered('previous', 1);
    expect(keyOfSecret(common.secret('previous'), 'previous-token')).toBeUndefined();
    await common.requestRotation('previous');
    await common.untilDelivered('previous', 2);
    const [one] = common.values('previous');
    expect(keyOfSecret(common.secret('previous'), 'previous-token')).toBe(one);
    await common.patch('secrets', 'previous', { stringData: { 'previous-token': 'another' } });
    await common.until(
      'what is not accepted is gone',
      () => keyOfSecret(common.secret('previous'), 'previous-token') === undefined,
    );
    expect(lastVersion(common, 'previous')).toBe(2);
    await common.requestRotation('previous');
    await common.untilDelivered('previous', 3);
    expect(keyOfSecret(common.secret('previous'), 'previous-token')).toBe(common.values('previous')[1]);
    await common.untilSettled('previous', 3);
    expect(Object.keys(common.secret('previous')?.data ?? {})).not.toContain('previous-token');
    expect(lastVersion(common, 'previous')).toBe(3);
  });

  it.each([
    ['schedule', 'InvalidSchedule', { schedule: '0 25 * * *' }],
    ['zone', 'InvalidTimeZone', { schedule: '0 3 * * *', timeZone: 'Europe/Atlantis' }],
  ])('stalls with a sentence on a %s that cannot be read, without a hot loop', async (_, reason, rotation) => {
    const stage = await ownStage();
    await stage.issue('stalled', { rotation });
    await stage.until('it is stalled', () => stage.condition('stalled', 'Stalled')?.reason === reason);
    expect(stage.condition('stalled', 'Stalled')?.message).toMatch(/"25" for the hour|"Europe\/Atlantis"/);
    expect(stage.condition('stalled', 'Ready')).toMatchObject({ status: 'False', reason });
    const before = stage.proxy.calls.length;
    await stage.quiet(1500);
    // policies of other tests have it list, too
    const calls = stage.proxy.calls.slice(before).filter(({ name }) => name === 'stalled');
    expect(calls.length).toBeLessThan(8);
    expect(stage.secret('stalled')).toBeUndefined();
    expect(await stage.operator.metric('tokenwright_tokens_stalled')).toBe(1);
    await stage.patchSpec('stalled', { rotation: { schedule: '0 3 * * *', timeZone: 'Europe/Berlin' } });
    await stage.untilDelivered('stalled', 1);
    expect(stage.condition('stalled', 'Stalled')).toBeUndefined();
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('never touches a Secret of somebody else, and takes its name once it is free', async () => {
    const theirs = { metadata: { name: 'foreign', labels: { 'app.kubernetes.io/managed-by': 'tokenwright' } } };
    expectOk(await common.server.create(common.path('secrets'), { ...theirs, stringData: { token: 'theirs' } }));
    await common.issue('foreign');
    await common.until('it says so', () => common.condition('foreign', 'Stalled')?.reason === 'SecretConflict');
    expect(common.condition('foreign', 'Ready')).toMatchObject({ status: 'False', reason: 'SecretConflict' });
    await common.requestRotation('foreign');
    await common.quiet(1000, about('foreign'));
    expect(common.history('secrets', 'foreign')).toHaveLength(1);
    expect(lastVersion(common, 'foreign')).toBe(0);
    await common.remove('secrets', 'foreign');
    // such a Secret is not watched, and looked at twice a minute
    await common.untilDelivered('foreign', 1, 90);
  });

  it('shares its Secret with no other ApiToken: one wins, the other says so', async () => {
    await Promise.all([
      common.issue('twin-a', { secret: { name: 'twins' } }),
      common.issue('twin-b', { secret: { name: 'twins' } }),
    ]);
    const ready = (name: string) => common.condition(name, 'Ready')?.status === 'True';
    const conflict = (name: string) => common.condition(name, 'Stalled')?.reason === 'SecretConflict';
    await common.until('one wins and one says so', () =>
      [
        ['twin-a', 'twin-b'],
        ['twin-b', 'twin-a'],
      ].some(([one = '', other = '']) => ready(one) && conflict(other)),
    );
    const winner = ready('twin-a') ? 'twin-a' : 'twin-b';
    const loser = winner === 'twin-a' ? 'twin-b' : 'twin-a';
    expect(common.condition(loser, 'Ready')?.message).toContain(`ApiToken ${winner}`);
    const writes = common.history('secrets', 'twins').length;
    await common.quiet(1000, about('twins'));
    expect(common.history('secrets', 'twins')).toHaveLength(writes);
    await common.remove('apitokens', loser);
    await recorded(common, loser, 'abandoned mint 1 Issued');
    expect(common.history('secrets', 'twins')).toHaveLength(writes);
  });

  it('leaves nothing when it is deleted, save its audit records', async () => {
    await common.issue('leaving');
    await common.untilDelivered('leaving', 1);
    await common.remove('apitokens', 'leaving');
    await common.until('the Secret is gone', () => common.secret('leaving') === undefined);
    await recorded(common, 'leaving', 'outcome delete 0 Deleting');
    await common.untilAsked(
      'its series are gone',
      async () => !(await common.operator.metrics()).includes('name="leaving"'),
    );
    await common.issue('leaving');
    await common.untilDelivered('leaving', 1);
  });

  it('is counted in metrics', async () => {
    const stage = await ownStage();
    await stage.issue('counted', { rotation: { overlap: '2s' } });
    await stage.untilDelivered('counted', 1);
    await stage.requestRotation('counted');
    await stage.untilSettled('counted', 2);
    const { operator } = stage;
    // it counts what is done, which others may see before it does
    await stage.untilAsked('all is counted', async () => (await operator.metric('tokenwright_retirements_total')) > 0);
    const token = ['name="counted"', `namespace="${stage.namespace}"`];
    expect(await operator.metric('tokenwright_mints_total', 'cause="Issued"')).toBe(1);
    expect(await operator.metric('tokenwright_mints_total', 'cause="Requested"')).toBe(1);
    expect(await operator.metric('tokenwright_rotations_total')).toBe(1);
    expect(await operator.metric('tokenwright_retirements_total')).toBe(1);
    expect(await operator.metric('tokenwright_tokens')).toBe(1);
    expect(await operator.metric('tokenwright_token_ready', ...token)).toBe(1);
    const { versions, nextRotationTime } = stage.token('counted')?.status ?? {};
    expect(await operator.metric('tokenwright_token_expiration_timestamp_seconds', ...token)).toBe(
      unix(versions?.[0]?.expirationTime),
    );
    expect(await operator.metric('tokenwright_token_next_rotation_timestamp_seconds', ...token)).toBe(
      unix(nextRotationTime),
    );
    expect(await operator.metric('tokenwright_api_calls_total', 'verb="update"', 'code="200"')).toBeGreaterThan(4);
    expect(await operator.isReady()).toBe(true);
    expect(await operator.stop()).toBe(0);
    expect(await breachesOf(stage)).toEqual([]);
  });
});

describe.concurrent('the operator', () => {
  it('stays calm in a namespace that is being deleted, and mints nothing there', async () => {
    const stage = await ownStage();
    await stage.issue('doomed');
    await stage.untilDelivered('doomed', 1);
    await stage.patch('apitokens', 'doomed', { metadata: { finalizers: ['example.com/hold'] } });
    const before = stage.proxy.calls.length;
    expectOk(await stage.server.delete(`/api/v1/namespaces/${stage.namespace}`));
    await stage.until('the Secret is gone', () => stage.secret('doomed') === undefined);
    await stage.requestRotation('doomed');
    await stage.quiet(1500);
    const calls = stage.proxy.calls.slice(before).filter(({ resource }) => resource !== 'leases');
    expect(calls.filter(isProtocolWrite)).toEqual([]);
    expect(calls.length).toBeLessThan(30);
    expect(lastVersion(stage, 'doomed')).toBe(1);
    expect(stage.operator.log()).not.toMatch(/"level":"(warn|error)"/);
    await stage.patch('apitokens', 'doomed', { metadata: { finalizers: null } });
    await recorded(stage, 'doomed', 'outcome delete 0 Deleting');
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('backs off from what the API server refuses, says so, and tries anew when the spec changes', async () => {
    const stage = await ownStage();
    const quota = { metadata: { name: 'none' }, spec: { hard: { secrets: '0' } } };
    const quotas = `/api/v1/namespaces/${stage.namespace}/resourcequotas`;
    expectOk(await stage.server.create(quotas, quota));
    await stage.issue('refused');
    const failures = () => stage.token('refused')?.status?.failures;
    await stage.until('it was refused', () => failures()?.count === 1);
    expect(stage.condition('refused', 'Stalled')).toMatchObject({ status: 'True', reason: 'WriteRefused' });
    expect(failures()?.message).toContain('403');
    await stage.quiet(1500);
    await stage.until('it was tried again', () => failures()?.count === 2);
    expect(unix(failures()?.nextAttemptTime) - unix(failures()?.lastTime)).toBe(10);
    const { nextAttemptTime } = failures() ?? {};
    expectOk(await stage.server.delete(`${quotas}/none`));
    const probe = { metadata: { name: 'probe' } };
    await stage.untilAsked(
      'the API server knows that the quota is gone',
      async () => (await stage.server.create(stage.path('secrets'), probe)).status === 201,
    );
    await stage.patchSpec('refused', { purpose: 'Try anew' });
    await stage.untilDelivered('refused', 1);
    expect(unix(currentOf(stage, 'refused')?.issueTime)).toBeLessThan(unix(nextAttemptTime));
    expect(failures()).toBeUndefined();
    expect(stage.condition('refused', 'Stalled')).toBeUndefined();
    expect(await stage.operator.metric('tokenwright_failures_total', 'reason="WriteRefused"')).toBeGreaterThan(0);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('believes no status that its seal does not confirm: a new version takes the place of what was forged', async () => {
    const stage = await ownStage();
    stage.forgesStatus = true;
    await stage.issue('forged');
    await stage.untilDelivered('forged', 1);
    const forgery = digestOf('a value of the forger');
    await stage.forgeStatus('forged', ({ status }) => {
      const [version] = status?.versions ?? [];
      if (version) version.digest = forgery;
    });
    await stage.untilDelivered('forged', 2);
    expect(JSON.stringify(stage.token('forged')?.status)).not.toContain(forgery);
    await recorded(stage, 'forged', 'outcome heal 2 SealInvalid');
    await stage.until('the event is written', () => stage.events('SealInvalid').length === 1);
  });

  it('hands back a status that claims a longer life than was sealed', async () => {
    const stage = await ownStage();
    stage.forgesStatus = true;
    await stage.issue('stretched', { ttl: '1h' });
    await stage.untilDelivered('stretched', 1);
    await stage.forgeStatus('stretched', ({ status }) => {
      const [version] = status?.versions ?? [];
      if (version) version.expirationTime = '2100-01-01T00:00:00Z';
    });
    await stage.untilDelivered('stretched', 2);
    expect(stage.token('stretched')?.status?.versions).toHaveLength(1);
  });
});

it('kept the invariants in all of this', async () => {
  expect(await breachesOf(common)).toEqual([]);
});
