/** What the operator mints, and what it does not, while TokenPolicies come, change and go. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GRANTED_NAMESPACES_NAME } from '../../src/api/granted-namespaces.ts';
import type { TokenPolicy, TokenPolicySpec } from '../../src/api/token-policy.ts';
import { API, expectOk, sentences, WITHOUT_ADMISSION } from '../crds/api-server.ts';
import { bindGrants, ungranted } from '../crds/grants.ts';
import { breachesOf } from './harness/invariants.ts';
import { apiToken, tokenPolicy, UNGOVERNED } from './harness/manifests.ts';
import { OPERATOR_NAMESPACE, type Stage, Theatre } from './harness/stage.ts';
import { Fleet, type Member } from './verifier/fleet.ts';
import { Loop, Pulse, untilRefused } from './verifier/prober.ts';

const POLICIES = `${API}/tokenpolicies`;
const EVERYWHERE_IN = (namespace: string) => ({
  namespaces: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
});

let theatre: Theatre;
const written = new Set<string>();

beforeAll(async () => {
  theatre = await Theatre.open('policy');
});

afterAll(async () => {
  for (const name of written) await theatre.server.delete(`${POLICIES}/${name}`);
  await theatre?.close();
});

/** A namespace without the baseline, and an operator for it. */
async function ungoverned(flags: Record<string, string> = {}): Promise<Stage> {
  const stage = await theatre.stage({ [UNGOVERNED]: '' });
  await stage.start(flags);
  return stage;
}

/** Written as it stands, or replaced: matches the namespace of the stage unless told otherwise. */
async function declare(stage: Stage, spec: Partial<TokenPolicySpec> = {}, ending = 'own'): Promise<string> {
  const name = `${stage.namespace}-${ending}`;
  const policy = tokenPolicy(name, { match: EVERYWHERE_IN(stage.namespace), ...spec });
  expectOk(await stage.server.apply(`${POLICIES}/${name}`, policy));
  written.add(name);
  return name;
}

async function withdraw(stage: Stage, name: string): Promise<void> {
  expectOk(await stage.server.delete(`${POLICIES}/${name}`));
}

async function statusOf(stage: Stage, name: string): Promise<TokenPolicy['status']> {
  return (expectOk(await stage.server.get(`${POLICIES}/${name}`)).body as unknown as TokenPolicy).status;
}

const untilCompliance = (stage: Stage, token: string, reason: string) =>
  stage.until(`Compliant of ${token} says ${reason}`, () => stage.condition(token, 'Compliant')?.reason === reason);

const warned = (stage: Stage, token: string, reason: string) =>
  stage.until(`an Event of ${token} says ${reason}`, () =>
    stage.events(reason).find(({ regarding }) => regarding?.name === token),
  );

const lastVersion = (stage: Stage, token: string) => stage.token(token)?.status?.lastVersion ?? 0;

const NARROW = { bounds: { ttl: { max: '30m' } } };
const WIDE = { bounds: { ttl: { max: '2h' } } };

it('an ApiToken that asks for too much gets nothing and the same sentence, from the API server or where that takes it', async () => {
  const stage = await ungoverned();
  const name = await declare(stage, NARROW);
  const answer = await stage.server.create(stage.path('apitokens'), apiToken('greedy'));
  const isRefused = sentences(answer).length > 0;
  if (!isRefused) await untilCompliance(stage, 'greedy', 'PolicyViolated');
  const told = isRefused ? sentences(answer) : [stage.condition('greedy', 'Compliant')?.message];
  expect(told).toEqual([
    expect.stringContaining(`TokenPolicy ${name}, rule TTL: asked for a ttl of 1h; allowed: at most 30m`),
  ]);
  await stage.quiet(1000);
  expect([lastVersion(stage, 'greedy'), stage.secret('greedy')]).toEqual([0, undefined]);
});

describe('an ApiToken in a namespace that no policy matches', () => {
  it('gets nothing and says why, until one matches', async () => {
    const stage = await ungoverned();
    await stage.issue('early');
    await untilCompliance(stage, 'early', 'NoPolicy');
    const sentence = `no TokenPolicy in mode Enforce matches namespace ${stage.namespace}`;
    await stage.until('Ready says why', () => stage.condition('early', 'Ready')?.message.includes(sentence));
    expect(stage.condition('early', 'Stalled')).toMatchObject({ status: 'True', reason: 'NoPolicy' });
    expect(await warned(stage, 'early', 'NoPolicy')).toMatchObject({ type: 'Warning' });
    await stage.quiet(1500);
    expect([lastVersion(stage, 'early'), stage.secret('early')]).toEqual([0, undefined]);
    await declare(stage);
    await stage.untilDelivered('early', 1);
    expect(stage.condition('early', 'Compliant')).toMatchObject({ status: 'True', reason: 'PolicySatisfied' });
    expect(await warned(stage, 'early', 'PolicySatisfied')).toMatchObject({ type: 'Normal' });
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('is minted for all the same with --default-policy=Allow, of which the operator warns', async () => {
    const stage = await ungoverned({ 'default-policy': 'Allow' });
    await stage.issue('free');
    await stage.untilDelivered('free', 1);
    expect(stage.operator.log()).toMatch(/"level":"warn".*--default-policy=Allow/);
    await declare(stage, NARROW);
    await untilCompliance(stage, 'free', 'PolicyViolated');
    // it tells the API server of other grants than the operators of all other stages do
    await stage.operator.stop();
  });

  it('is not exempted by labels of its own, only by those of the namespace', async () => {
    const stage = await ungoverned();
    const lax = { 'test.tokenwright.dev/lax': stage.namespace };
    await declare(stage, { match: { namespaces: { matchLabels: lax } } });
    await stage.issue('cunning');
    await stage.patch('apitokens', 'cunning', { metadata: { labels: lax } });
    await untilCompliance(stage, 'cunning', 'NoPolicy');
    await stage.quiet(1000);
    expectOk(await stage.server.mergePatch(`/api/v1/namespaces/${stage.namespace}`, { metadata: { labels: lax } }));
    await stage.untilDelivered('cunning', 1);
  });
});

describe('at kubectl apply an ApiToken in a namespace that no policy matches', () => {
  const bound: (() => Promise<unknown>)[] = [];
  afterAll(() => Promise.all(bound.map((end) => end())));

  /** A namespace in which the API server asks what the operators tell of grants. */
  async function judged(): Promise<Stage> {
    const stage = await ungoverned();
    const { server, namespace: name } = stage;
    const matchLabels = { 'kubernetes.io/metadata.name': name };
    bound.push(await bindGrants(server, { name, matchLabels, namespace: OPERATOR_NAMESPACE }));
    return stage;
  }

  const refusal = (stage: Stage) => (WITHOUT_ADMISSION ? [] : [ungranted(stage.namespace)]);

  const untilAnswered = (stage: Stage, expected: readonly string[]) =>
    stage.untilAsked(`an ApiToken is answered by "${expected}"`, async () => {
      const answer = await stage.server.create(`${stage.path('apitokens')}?dryRun=All`, apiToken('probe'));
      return JSON.stringify(sentences(answer)) === JSON.stringify(expected);
    });

  const untilReady = (stage: Stage, policy: string) =>
    stage.untilAsked('the policy is Ready', async () => {
      const { conditions } = (await statusOf(stage, policy)) ?? {};
      return conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });

  it('is refused in the sentence of the condition, until one does, and again when it is gone', async () => {
    const stage = await judged();
    await untilAnswered(stage, refusal(stage));
    const name = await declare(stage);
    await untilReady(stage, name);
    await untilAnswered(stage, []);
    await stage.issue('fine');
    await stage.untilDelivered('fine', 1);
    await withdraw(stage, name);
    await untilAnswered(stage, refusal(stage));
    await untilCompliance(stage, 'fine', 'NoPolicy');
    expect(stage.condition('fine', 'Compliant')?.message).toBe(ungranted(stage.namespace));
    const edit = async (patch: object) =>
      sentences(await stage.server.mergePatch(stage.path('apitokens', 'fine'), patch));
    expect(await edit({ metadata: { labels: { a: 'b' } } })).toEqual([]);
    expect(await edit({ spec: { ttl: '50m' } })).toEqual(refusal(stage));
    expect(await edit({ spec: { state: 'Suspended' } })).toEqual([]);
    expect(await edit({ spec: { state: 'Active' } })).toEqual(refusal(stage));
  });

  it('is refused in spite of who writes or deletes what the operator tells', async () => {
    const stage = await judged();
    const other = await declare(stage, { match: { namespaces: { matchLabels: { 'test.tokenwright.dev/no': 'x' } } } });
    await untilReady(stage, other);
    const path = `${API}/namespaces/${OPERATOR_NAMESPACE}/grantednamespaces/${GRANTED_NAMESPACES_NAME}`;
    const grants = async () =>
      ((await stage.server.get(path)).body.spec as { grants?: Record<string, string> } | undefined)?.grants ?? {};
    const untilRight = () =>
      stage.untilAsked('it is as it was', async () => {
        const now = await grants();
        return now[other] === 'test.tokenwright.dev/no In x' && !('forged' in now);
      });
    await untilRight();
    expectOk(await stage.server.mergePatch(path, { spec: { grants: { forged: '' } } }));
    await untilRight();
    expectOk(await stage.server.delete(path));
    await untilRight();
    await untilAnswered(stage, refusal(stage));
  });
});

describe('a policy that is narrowed', () => {
  it('stops rotations and repairs, lets the living version be, and lets go on at once when it is widened', async () => {
    const stage = await ungoverned();
    const name = await declare(stage, WIDE);
    await stage.issue('agent');
    await stage.untilSettled('agent', 1);
    await declare(stage, NARROW);
    await untilCompliance(stage, 'agent', 'PolicyViolated');
    const { message } = stage.condition('agent', 'Compliant') ?? {};
    expect(message).toContain(`TokenPolicy ${name}, rule TTL: asked for a ttl of 1h; allowed: at most 30m`);
    expect(stage.condition('agent', 'Ready')).toMatchObject({ status: 'True' });
    expect(stage.condition('agent', 'Ready')?.message).toContain('nothing is minted');
    expect(stage.condition('agent', 'Stalled')).toBeUndefined();

    await stage.requestRotation('agent');
    await stage.until('it is stalled', () => stage.condition('agent', 'Stalled')?.reason === 'RotationForbidden');
    expect(stage.condition('agent', 'Stalled')?.message).toMatch(
      /version 1 expires at .* and no other takes its place/,
    );
    expect(await warned(stage, 'agent', 'RotationForbidden')).toMatchObject({ type: 'Warning' });
    expect(stage.delivered('agent')).toBe(1);
    await stage.remove('secrets', 'agent');
    await stage.until('Ready says so', () => stage.condition('agent', 'Ready')?.reason === 'PolicyViolated');
    await stage.quiet(1500);
    expect([lastVersion(stage, 'agent'), stage.secret('agent')]).toEqual([1, undefined]);

    await declare(stage, WIDE);
    await stage.untilDelivered('agent', 2);
    const { lastHandledRotateRequest } = stage.token('agent')?.status ?? {};
    expect(lastHandledRotateRequest).toMatch(/^request/);
    expect(await breachesOf(stage)).toEqual([]);
  });

  it('announces that a version will expire from when its rotation is due', async () => {
    const stage = await ungoverned();
    await declare(stage, WIDE);
    await stage.issue('brief', { ttl: '1m', rotation: { renewBefore: '40s' } });
    const pulse = new Pulse(stage);
    await stage.untilDelivered('brief', 1);
    await declare(stage, { bounds: { ttl: { min: '2m' } } });
    await untilCompliance(stage, 'brief', 'PolicyViolated');
    const stalled = await stage.until('it is stalled', () => stage.condition('brief', 'Stalled'));
    await pulse.stop();
    expect(stalled.reason).toBe('RotationForbidden');
    const due = Date.parse(stage.token('brief')?.status?.nextRotationTime ?? '');
    const after = Date.parse(stalled.lastTransitionTime) - due;
    expect(after).toBeGreaterThanOrEqual(0);
    expect(after).toBeLessThan(5000 + pulse.slowest);
    expect(lastVersion(stage, 'brief')).toBe(1);
  });

  it('in mid-rotation lets what was minted be finished, and nothing more be minted', async () => {
    const stage = await ungoverned();
    await declare(stage, WIDE);
    await stage.issue('midway', { rotation: { overlap: '2s' } });
    await stage.untilSettled('midway', 1);
    const atTheSecret = Promise.withResolvers<void>();
    const mayGoOn = Promise.withResolvers<void>();
    stage.proxy.hold = async ({ verb, resource }) => {
      if (verb !== 'update' || resource !== 'secrets') return;
      atTheSecret.resolve();
      await mayGoOn.promise;
    };
    await stage.requestRotation('midway');
    await atTheSecret.promise;
    await declare(stage, NARROW);
    const withdrawn = await declare(stage, NARROW, 'seen');
    await stage.untilAsked('the operator knows', async () => {
      const { conditions } = (await statusOf(stage, withdrawn)) ?? {};
      return conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
    });
    stage.proxy.hold = undefined;
    mayGoOn.resolve();
    await stage.untilSettled('midway', 2);
    await untilCompliance(stage, 'midway', 'PolicyViolated');
    await stage.requestRotation('midway');
    await stage.until('it is stalled', () => stage.condition('midway', 'Stalled')?.reason === 'RotationForbidden');
    expect(lastVersion(stage, 'midway')).toBe(2);
    expect(await breachesOf(stage)).toEqual([]);
  });
});

describe('a policy that cannot be evaluated', () => {
  it('says so, and lets nothing be minted until it is mended', async () => {
    const stage = await ungoverned();
    await declare(stage);
    await stage.issue('steady');
    await stage.untilDelivered('steady', 1);
    const always = { days: ['Mon' as const], from: '00:00', to: '00:00', timeZone: 'Europe/Nowhere' };
    const broken = await declare(stage, { conditionsOfUse: { hours: [always] } }, 'broken');
    await stage.issue('late');
    await untilCompliance(stage, 'late', 'PolicyBroken');
    await untilCompliance(stage, 'steady', 'PolicyBroken');
    expect(stage.condition('late', 'Ready')?.message).toContain(`TokenPolicy ${broken}, rule Broken`);
    expect(stage.condition('steady', 'Ready')).toMatchObject({ status: 'True' });
    const ready = await stage.untilAsked('the policy says so', async () =>
      (await statusOf(stage, broken))?.conditions?.find(({ type }) => type === 'Ready'),
    );
    expect(ready).toMatchObject({ status: 'False', reason: 'InvalidPolicy' });
    expect(ready.message).toContain('Europe/Nowhere');
    await stage.quiet(1000);
    expect(lastVersion(stage, 'late')).toBe(0);
    await declare(stage, { conditionsOfUse: { hours: [{ ...always, timeZone: 'Europe/Berlin' }] } }, 'broken');
    await stage.untilDelivered('late', 1);
  });
});

describe('a policy', () => {
  it('in mode Audit only reports', async () => {
    const stage = await ungoverned();
    await declare(stage);
    const audit = await declare(stage, { ...NARROW, mode: 'Audit' }, 'audit');
    await stage.issue('watched');
    await stage.untilDelivered('watched', 1);
    const compliant = stage.condition('watched', 'Compliant');
    expect(compliant).toMatchObject({ status: 'True', reason: 'PolicySatisfied' });
    expect(compliant?.message).toContain(`not enforced: TokenPolicy ${audit}, rule TTL`);
    await stage.untilAsked('it is counted', async () => (await statusOf(stage, audit))?.violating === 1);
  });

  it('counts whom it governs and who violates it, in status and in metrics, and names no ApiToken', async () => {
    const stage = await ungoverned();
    const name = await declare(stage, WIDE);
    for (const token of ['one', 'two', 'three']) await stage.issue(token, token === 'one' ? { ttl: '20m' } : {});
    for (const token of ['one', 'two', 'three']) await stage.untilDelivered(token, 1);
    await declare(stage, NARROW);
    const { namespace } = stage;
    const counted = async (expected: { tokens: number; violating: number }) =>
      stage.untilAsked(`${JSON.stringify(expected)} are counted`, async () => {
        const status = await statusOf(stage, name);
        return status?.tokens === expected.tokens && status.violating === expected.violating && status;
      });
    const status = await counted({ tokens: 3, violating: 2 });
    expect(status.violations).toEqual([{ namespace, count: 2 }]);
    expect(status.observedGeneration).toBe(2);
    expect(status.conditions?.map(({ type, reason }) => `${type} ${reason}`)).toEqual(['Ready PolicyCompiled']);
    expect(JSON.stringify(status)).not.toMatch(/"(one|two|three)"/);
    const metric = (what: string) => stage.operator.metric(`tokenwright_policy_${what}`, `policy="${name}"`);
    await stage.untilAsked(
      'the metrics say so',
      async () => (await metric('tokens')) === 3 && (await metric('violations')) === 2,
    );
    await stage.remove('apitokens', 'two');
    expect((await counted({ tokens: 2, violating: 1 })).violations).toEqual([{ namespace, count: 1 }]);
    await withdraw(stage, name);
    await untilCompliance(stage, 'one', 'NoPolicy');
    await stage.untilAsked(
      'it is counted no more',
      async () => !(await stage.operator.metrics()).includes(`"${name}"`),
    );
  });
});

describe('verifiers', () => {
  let fleet: Fleet;

  beforeAll(async () => {
    const tokens = { caller: { scopes: ['chat:write', 'chat:read'] }, other: { subject: 'agent:other' } };
    fleet = await Fleet.open('policy-use', { verifiers: 2, staleness: '5s', tokens });
  });

  afterAll(() => fleet?.close());

  const ask = (member: Member, token: string) => member.ask(fleet.value(token), 'chat:write');
  const statuses = async (token: string) =>
    (await Promise.all(fleet.members.map((member) => ask(member, token)))).map(({ status }) => status);

  const untilAll = (status: number, token: string) =>
    fleet.stage.untilAsked(`all verifiers answer ${status} for ${token}`, async () =>
      (await statuses(token)).every((one) => one === status),
    );

  it.each<[string, Partial<TokenPolicySpec>]>([
    ['audience', { allow: { audiences: ['another'] } }],
    ['subject', { allow: { subjects: ['agent:other'] } }],
    ['scope', { deny: { scopes: ['*:write'] } }],
    ['source', { conditionsOfUse: { sourceCIDRs: ['192.0.2.0/24'] } }],
  ])(
    'refuse a living token within a second when its %s is forbidden, and take it again when it is not',
    async (what, spec) => {
      const { stage, members } = fleet;
      const name = await declare(stage, {}, 'use');
      await untilAll(200, 'caller');
      const pulse = new Pulse(fleet.stage);
      const load = members.map((member) => new Loop(() => ask(member, 'caller'), 2));
      const refusals = members.map((member) =>
        untilRefused({ name: member.name, ask: () => ask(member, 'caller') }, ''),
      );
      const narrowedAt = Date.now();
      await declare(stage, spec, 'use');
      const after = (await Promise.all(refusals)).map(({ no }) => no.answeredAt - narrowedAt);
      await pulse.stop();
      process.stderr.write(`${what} forbidden: refused after ${after.join(' and ')} ms\n`);
      expect(Math.max(...after)).toBeLessThanOrEqual(1000 + pulse.slack);
      expect((await Promise.all(refusals)).map(({ no }) => no.status)).toEqual([403, 403]);
      await untilAll(what === 'subject' ? 200 : 403, 'other');
      for (const loop of load) await loop.stop();
      await withdraw(stage, name);
      await untilAll(200, 'caller');
      expect(stage.delivered('caller')).toBe(1);
    },
  );

  it('keep what stood before a policy that cannot be evaluated', async () => {
    const { stage } = fleet;
    await declare(stage, { allow: { subjects: ['agent:other'] } }, 'kept');
    await untilAll(403, 'caller');
    const hours = [{ days: ['Mon' as const], from: '00:00', to: '00:00', timeZone: 'Europe/Nowhere' }];
    const name = await declare(stage, { conditionsOfUse: { hours } }, 'kept');
    await untilCompliance(stage, 'caller', 'PolicyBroken');
    for (const { process: verifier } of fleet.members)
      await stage.untilAsked(
        'it says so',
        async () => verifier.said('policy cannot be evaluated: what stood before it holds') > 0,
      );
    expect(await statuses('caller')).toEqual([403, 403]);
    expect(await statuses('other')).toEqual([200, 200]);
    await withdraw(stage, name);
    await untilAll(200, 'caller');
  });
});
