import { createPublicKey, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { API_TOKENS, type ApiToken } from '../../../src/api/apitoken.ts';
import type { AuditRecord } from '../../../src/domain/audit.ts';
import { signingKeyOf } from '../../../src/domain/seal.ts';
import { issuers } from '../../../src/issuers/registry.ts';
import type { AuditLog, KubeClient, Metrics } from '../../../src/ports.ts';
import { auditTrail } from '../../../src/reconcile/apitoken/audit-trail.ts';
import { Census } from '../../../src/reconcile/apitoken/census.ts';
import type { ApiTokenDeps } from '../../../src/reconcile/apitoken/deps.ts';
import { reconcile } from '../../../src/reconcile/apitoken/reconcile.ts';
import { RolloutBudget } from '../../../src/reconcile/apitoken/rollout-budget.ts';
import { SECRETS } from '../../../src/reconcile/apitoken/secret.ts';
import { ValueMemory } from '../../../src/reconcile/apitoken/value-memory.ts';
import { WorkloadIndex } from '../../../src/reconcile/apitoken/workloads.ts';
import { RecordingLog } from '../../kube/recording-log.ts';
import { FakeApi } from '../seal-keys/fake-api.ts';

const KEY = 'shop/agent';
const metrics = new Proxy({}, { get: () => () => {} }) as Metrics;

let api: FakeApi;
let calls: string[];
let records: AuditRecord[];
let told: ApiToken | undefined;
let deps: ApiTokenDeps;

function token(): ApiToken {
  return api.read('ApiToken', 'agent') as unknown as ApiToken;
}

const isReady = () => token().status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');

beforeEach(async () => {
  api = new FakeApi();
  calls = [];
  records = [];
  const manifest = {
    metadata: { name: 'agent', namespace: 'shop', generation: 1 },
    spec: { subject: 'agent:buyer', purpose: 'Buy', environment: 'production', audiences: ['api'], ttl: '24h' },
  };
  told = await api.client().create(API_TOKENS, manifest as unknown as ApiToken);
  const client = api.client(async (moment, { verb, kind }) => {
    if (moment === 'request') calls.push(`${verb} ${kind}`);
  });
  const audit: AuditLog = {
    record: async (record) => void records.push(record),
    open: () => [],
    living: () => [],
    close: async () => {},
  };
  const key = signingKeyOf(randomBytes(32));
  const keys = new Map([[key.keyID, createPublicKey(key.privateKey)]]);
  deps = {
    client: { ...client, replaceStatus: client.replace } as KubeClient,
    tokens: {
      observe: () => {},
      takeUnissued: () => {
        const taken = told;
        told = undefined;
        return taken;
      },
    },
    secrets: { observe: () => {} },
    workloads: new WorkloadIndex(),
    revocations: { of: () => ({ orders: [], pastOrders: new Set() }) },
    hurry: () => {},
    isNamespaceTerminating: () => false,
    issuer: issuers.opaque({ random: { bytes: (length) => randomBytes(length) } }),
    values: new ValueMemory(),
    rollouts: new RolloutBudget(1, () => {}),
    sealKeys: { signing: () => key, trusted: () => keys, lookAgain: async () => false },
    census: new Census([]),
    audit: auditTrail(audit, 'operator:test'),
    events: { event: () => {} },
    metrics,
    log: new RecordingLog(),
    clock: { now: () => Date.parse('2026-11-23T12:00:00Z') },
    tuning: { settleAfter: 120, orphanAfter: 15, minHealInterval: 5 },
  };
});

describe('a first issue', () => {
  it('takes one read and three writes', async () => {
    await reconcile(deps, KEY);
    expect(isReady()).toBe(true);
    expect(calls).toEqual(['get Secret', 'replace ApiToken', 'create Secret', 'replace ApiToken']);
  });

  it('reads live where the watch has told nothing, or was told already', async () => {
    told = undefined;
    await reconcile(deps, KEY);
    expect(isReady()).toBe(true);
    expect(calls.slice(0, 2)).toEqual(['get ApiToken', 'get Secret']);
  });

  it('leaves no value in memory once the Secret has it', async () => {
    await reconcile(deps, KEY);
    const { uid } = token().metadata;
    expect(token().status?.versions).toHaveLength(1);
    expect(deps.values.digests(uid)).toEqual(new Set());
  });

  it('meets a conflict with what the watch told too late, and then reads live', async () => {
    api.edit('ApiToken', 'agent', (object) => Object.assign(object, { spec: { ...token().spec, purpose: 'Sell' } }));
    const { requeueAt } = await reconcile(deps, KEY);
    expect(requeueAt).toBeGreaterThan(deps.clock.now());
    expect(calls).toEqual(['get Secret', 'replace ApiToken']);
    expect(token().status).toBeUndefined();

    await reconcile(deps, KEY);
    expect(calls[2]).toBe('get ApiToken');
    expect(isReady()).toBe(true);
    expect(token().spec.purpose).toBe('Sell');
    expect(token().status?.lastVersion).toBe(1);
  });

  it('reads live where a Secret of that name is there', async () => {
    await api.client().create(SECRETS, { metadata: { name: 'agent', namespace: 'shop' }, data: {} });
    await reconcile(deps, KEY);
    expect(calls).toEqual(['get Secret', 'get ApiToken', 'get Secret', 'replace ApiToken']);
    expect(token().status?.conditions?.find((c) => c.type === 'Ready')?.reason).toBe('SecretConflict');
    expect(records).toEqual([]);
  });
});
