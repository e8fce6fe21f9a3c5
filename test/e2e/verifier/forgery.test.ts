/** I4 and I9 with real objects: who can write status, but has no seal key, opens nothing. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ApiToken, ApiTokenStatus } from '../../../src/api/apitoken.ts';
import { composeValue, digestOf, tokenIDOf } from '../../../src/domain/value.ts';
import type { Outcome } from '../../../src/domain/verdict/outcome.ts';
import { expectOk } from '../../crds/api-server.ts';
import { apiToken, ENVIRONMENT } from '../harness/manifests.ts';
import type { Stage } from '../harness/stage.ts';
import { Fleet, type Member } from './fleet.ts';

const HOUR = 3_600_000;
const later = (time: string | undefined) => `${new Date(Date.parse(time ?? '') + HOUR).toISOString().slice(0, 19)}Z`;

let fleet: Fleet;
let stage: Stage;
let production: Member;
/** Before the operator was stopped: of `older`, whose Previous is revoked since. */
let before: { value: string; status: ApiTokenStatus };

beforeAll(async () => {
  const names = ['own', 'older', 'expiry', 'overlap', 'gone', 'donor', 'heir', 'recreated', 'scopes', 'untouched'];
  fleet = await Fleet.open('forgery', {
    verifiers: 1,
    staleness: '1h',
    tokens: Object.fromEntries(names.map((name) => [name, {}])),
    environments: [ENVIRONMENT, 'production'],
  });
  ({ stage } = fleet);
  production = await fleet.join('production', { environment: 'production' });
  const value = fleet.value('older');
  for (const name of ['older', 'overlap']) {
    await stage.requestRotation(name);
    await stage.untilDelivered(name, 2);
  }
  before = { value, status: statusOf('older') };
  await stage.revoke('older', { match: { name: 'older' }, versions: 'Previous' });
  await stage.until('Previous is revoked', () => statusOf('older').versions?.length === 1);
  // it would heal what is forged here
  await stage.operator.stop();
});

afterAll(() => fleet?.close());

function statusOf(name: string): ApiTokenStatus {
  const { status } = stage.token(name) ?? {};
  if (status === undefined) throw new Error(`${name} has no status`);
  return structuredClone(status);
}

function versionOf(token: ApiToken, state: string) {
  const version = token.status?.versions?.find((one) => one.state === state);
  if (version === undefined) throw new Error(`${token.metadata.name} has no version that is ${state}`);
  return version;
}

/** ApiTokens are watched in the order of their changes: who knows of a later one knows what was forged before. */
async function untilSeen(): Promise<void> {
  const purpose = `Seen-at-${performance.now()}`;
  await stage.patchSpec('donor', { purpose });
  const value = fleet.value('donor');
  await stage.untilAsked(
    'the verifier has seen it',
    async () => (await fleet.members[0]?.ask(value))?.purpose === purpose,
  );
}

interface Forgery {
  what: string;
  outcome: Outcome;
  /** Returns the value that is to be refused. */
  forge(): Promise<string>;
}

const FORGERIES: Forgery[] = [
  {
    what: "the digest of a value of the forger's own in the place of Current's",
    outcome: 'SealInvalid',
    forge: async () => {
      const tokenID = tokenIDOf(stage.token('own')?.metadata.uid ?? '');
      const value = composeValue(ENVIRONMENT, tokenID, randomBytes(32)).reveal();
      await stage.forgeStatus('own', (token) => {
        versionOf(token, 'Current').digest = digestOf(value);
      });
      return value;
    },
  },
  {
    what: 'an older sealed status put back, whose value was revoked since',
    outcome: 'SealInvalid',
    forge: async () => {
      await stage.forgeStatus('older', (token) => {
        token.status = before.status;
      });
      return before.value;
    },
  },
  {
    what: 'a later expiry',
    outcome: 'SealInvalid',
    forge: async () => {
      await stage.forgeStatus('expiry', (token) => {
        const current = versionOf(token, 'Current');
        current.expirationTime = later(current.expirationTime);
      });
      return fleet.value('expiry');
    },
  },
  {
    what: 'Previous made Current, so that no overlap ends it',
    outcome: 'SealInvalid',
    forge: async () => {
      await stage.forgeStatus('overlap', (token) => {
        const [previous, current] = [versionOf(token, 'Previous'), versionOf(token, 'Current')];
        previous.state = 'Current';
        delete previous.acceptedUntilTime;
        current.state = 'Previous';
        current.acceptedUntilTime = current.expirationTime;
      });
      return stage.values('overlap')[0] ?? '';
    },
  },
  {
    what: 'the digest of a token that is gone, in the status of another',
    outcome: 'TokenUnknown',
    forge: async () => {
      const value = fleet.value('gone');
      const { digest } = versionOf(stage.token('gone') as ApiToken, 'Current');
      await stage.remove('apitokens', 'gone');
      await stage.forgeStatus('untouched', (token) => {
        versionOf(token, 'Current').digest = digest;
      });
      return value;
    },
  },
  {
    what: 'the sealed status of another ApiToken',
    outcome: 'ValueUnknown',
    forge: async () => {
      const { tokenID = '' } = statusOf('heir');
      await stage.forgeStatus('heir', (token) => {
        // admission lets nobody change it
        token.status = { ...statusOf('donor'), tokenID };
      });
      return fleet.value('heir');
    },
  },
  {
    what: 'the sealed status of an ApiToken that was made anew',
    outcome: 'TokenUnknown',
    forge: async () => {
      const [value, status] = [fleet.value('recreated'), statusOf('recreated')];
      const uid = stage.token('recreated')?.metadata.uid;
      await stage.remove('apitokens', 'recreated');
      await stage.until('it is gone', () => stage.token('recreated') === undefined);
      const { metadata, ...manifest } = apiToken('recreated', { audiences: [fleet.audience] });
      expectOk(await stage.server.create(stage.path('apitokens'), { ...manifest, metadata }));
      await stage.forgeStatus('recreated', (token) => {
        expect(token.metadata.uid).not.toBe(uid);
        token.status = status;
      });
      return value;
    },
  },
];

describe('forged by the account that may write status', () => {
  it.each(FORGERIES)('$what: $outcome', async ({ outcome, forge }) => {
    const value = await forge();
    await untilSeen();
    for (let call = 0; call < 5; call += 1) expect(await fleet.statuses(value)).toEqual([401, 401]);
    const traceparent = `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
    await fleet.members[0]?.ask(value, '-', traceparent);
    const record = await stage.untilAsked('the reason is on record', async () =>
      fleet.members[0]?.process.audit().find((one) => one.traceparent === traceparent),
    );
    expect(record.outcome).toBe(outcome);
  });
});

it('accepts the donor of a status as before', async () => {
  expect((await fleet.statuses(fleet.value('donor')))[0]).toBe(200);
});

it('refuses a token of another environment, whatever its scopes', async () => {
  for (const scope of ['-', 'chat:write']) expect((await production.ask(fleet.value('donor'), scope)).status).toBe(401);
  await stage.untilAsked('the reason is on record', async () =>
    production.process.audit().some(({ outcome, name }) => outcome === 'EnvironmentWrong' && name === 'donor'),
  );
});

it('gives an old value nothing of a scope that is added to the spec', async () => {
  const [member] = fleet.members;
  const value = fleet.value('scopes');
  expect((await member?.ask(value, 'chat:write'))?.status).toBe(200);
  expect((await member?.ask(value, 'admin:write'))?.status).toBe(403);
  await stage.patchSpec('scopes', { scopes: ['chat:write', 'admin:write'] });
  await untilSeen();
  expect((await member?.ask(value, 'admin:write'))?.status).toBe(403);
  expect((await member?.ask(value, 'chat:write'))?.status).toBe(200);
});
