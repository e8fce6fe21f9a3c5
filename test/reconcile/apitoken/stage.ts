/** One ApiToken, `shop/agent`, and what its controller is given: an API in memory, and nothing else from outside. */
import { createPublicKey, randomBytes } from 'node:crypto';
import { API_TOKENS, type ApiToken } from '../../../src/api/apitoken.ts';
import type { AuditRecord } from '../../../src/domain/audit.ts';
import type { Compliance } from '../../../src/domain/lifecycle/compliance.ts';
import { signingKeyOf } from '../../../src/domain/seal.ts';
import { issuers } from '../../../src/issuers/registry.ts';
import type { AuditLog, KubeClient, Metrics } from '../../../src/ports.ts';
import { auditTrail } from '../../../src/reconcile/apitoken/audit-trail.ts';
import { Census } from '../../../src/reconcile/apitoken/census.ts';
import type { ApiTokenDeps } from '../../../src/reconcile/apitoken/deps.ts';
import { RolloutBudget } from '../../../src/reconcile/apitoken/rollout-budget.ts';
import { ValueMemory } from '../../../src/reconcile/apitoken/value-memory.ts';
import { WorkloadIndex } from '../../../src/reconcile/apitoken/workloads.ts';
import { RecordingLog } from '../../kube/recording-log.ts';
import { FakeApi } from '../seal-keys/fake-api.ts';

export const KEY = 'shop/agent';

export class Stage {
  readonly api = new FakeApi();
  /** Of the controller, such as `get Secret`. */
  readonly calls: string[] = [];
  readonly records: AuditRecord[] = [];
  /** What the watch has told of the ApiToken, until it is taken. */
  told: ApiToken | undefined;
  compliance: Compliance = { allows: true, reason: 'PolicySatisfied', message: 'allowed' };
  readonly deps: ApiTokenDeps;

  static async withToken(): Promise<Stage> {
    const stage = new Stage();
    const manifest = {
      metadata: { name: 'agent', namespace: 'shop', generation: 1 },
      spec: { subject: 'agent:buyer', purpose: 'Buy', environment: 'production', audiences: ['api'], ttl: '24h' },
    };
    stage.told = await stage.api.client().create(API_TOKENS, manifest as unknown as ApiToken);
    return stage;
  }

  private constructor() {
    const client = this.api.client(async (moment, { verb, kind }) => {
      if (moment === 'request') this.calls.push(`${verb} ${kind}`);
    });
    const audit: AuditLog = {
      record: async (record) => void this.records.push(record),
      open: () => [],
      living: () => [],
      close: async () => {},
    };
    const key = signingKeyOf(randomBytes(32));
    const keys = new Map([[key.keyID, createPublicKey(key.privateKey)]]);
    this.deps = {
      client: { ...client, replaceStatus: client.replace, list: async () => [] } as unknown as KubeClient,
      tokens: { observe: () => {}, takeUnissued: () => this.#take() },
      secrets: { observe: () => {} },
      workloads: new WorkloadIndex(),
      revocations: { of: () => ({ orders: [], pastOrders: new Set() }) },
      policies: { judge: () => this.compliance, forget: () => {} },
      hurry: () => {},
      isNamespaceTerminating: () => false,
      issuer: issuers.opaque({ random: { bytes: (length) => randomBytes(length) } }),
      values: new ValueMemory(),
      rollouts: new RolloutBudget(1, () => {}),
      sealKeys: { signing: () => key, trusted: () => keys, lookAgain: async () => false },
      census: new Census([]),
      audit: auditTrail(audit, 'operator:test'),
      events: { event: () => {} },
      metrics: new Proxy({}, { get: () => () => {} }) as Metrics,
      log: new RecordingLog(),
      clock: { now: () => Date.parse('2026-11-23T12:00:00Z') },
      tuning: { settleAfter: 120, orphanAfter: 15, minHealInterval: 5 },
    };
  }

  get token(): ApiToken {
    return this.api.read('ApiToken', 'agent') as unknown as ApiToken;
  }

  edit(change: (token: ApiToken) => void): void {
    this.api.edit('ApiToken', 'agent', (object) => change(object as unknown as ApiToken));
  }

  condition(type: string) {
    return this.token.status?.conditions?.find((c) => c.type === type);
  }

  #take(): ApiToken | undefined {
    const taken = this.told;
    this.told = undefined;
    return taken;
  }
}
