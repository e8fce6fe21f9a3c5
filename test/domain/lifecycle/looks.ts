/** Looks at an ApiToken, for tests: all is well unless they say otherwise. */
import type { Consumer, Seen, TokenSpec, Tuning } from '../../../src/domain/lifecycle/seen.ts';
import type { Order } from '../../../src/domain/revocation.ts';
import type { VersionRecord } from '../../../src/domain/seal.ts';
import { type Digest, tokenIDOf } from '../../../src/domain/value.ts';

export const NOW = 1_000_000;
export const TUNING: Tuning = { settleAfter: 120, orphanAfter: 15, minHealInterval: 5 };
export const digest = (n: number) => `${n}`.padStart(64, '0') as Digest;

export const SPEC: TokenSpec = {
  subject: 'agent:a',
  purpose: 'test',
  environment: 'production',
  audiences: ['gateway'],
  scopes: ['chat:write'],
  ttl: 3600,
  mode: 'Automatic',
  renewBefore: 1200,
  secretName: 's',
  restart: 'Auto',
  suspended: false,
};

export function version(n: number, state: VersionRecord['state'], extra: Partial<VersionRecord> = {}): VersionRecord {
  const grant = {
    subject: SPEC.subject,
    environment: SPEC.environment,
    audiences: SPEC.audiences,
    scopes: SPEC.scopes,
  };
  return { version: n, state, digest: digest(n), issueTime: NOW - 60, expirationTime: NOW + 3540, grant, ...extra };
}

export const CURRENT = version(1, 'Current');
type Ours = Extract<Seen['secret'], { is: 'ours' }>;
export const HOLDS_1: Ours = { is: 'ours', digest: digest(1), intact: true, asDeclared: true, version: 1 };
export const HOLDS_2: Ours = { is: 'ours', digest: digest(2), intact: true, asDeclared: true, version: 2 };
export const APP: Consumer = {
  kind: 'Deployment',
  name: 'app',
  uid: 'u',
  reads: 'fixed',
  rolledOut: true,
  inert: false,
  pods: { stale: 1, startedBefore: true },
};

export function seen(
  change: Omit<Partial<Seen>, 'status' | 'spec'> & { status?: Partial<Seen['status']>; spec?: Partial<TokenSpec> } = {},
): Seen {
  const { status, spec, ...rest } = change;
  return {
    uid: 'uid',
    tokenID: tokenIDOf('uid'),
    generation: 1,
    deleting: false,
    orders: [],
    pastOrders: new Set(),
    spec: { ok: true, spec: { ...SPEC, ...spec } },
    compliance: { allows: true, reason: 'PolicySatisfied', message: 'allowed' },
    status: {
      observedGeneration: 1,
      lastVersion: 1,
      revokedThroughVersion: 0,
      handledRevocations: [],
      versions: [CURRENT],
      ...status,
    },
    sealState: 'valid',
    secret: HOLDS_1,
    held: new Set(),
    consumers: { live: false, workloads: [], loosePods: { total: 0, stale: 0 } },
    rolloutSlot: true,
    ...rest,
  };
}

export const ROTATED = {
  lastVersion: 2,
  versions: [version(2, 'Current'), version(1, 'Previous', { acceptedUntilTime: NOW + 600 })],
  restarts: { version: 2, since: NOW - 130, pending: 0, workloads: [] },
};
export const live = (...workloads: Consumer[]) => ({ live: true, workloads, loosePods: { total: 0, stale: 0 } });

export function order(uid: string, change: Partial<Order> = {}): Order {
  const rest = { versions: 'All', afterwards: 'Replace', reason: 'Compromised', sealed: false } as const;
  return { uid, name: `TokenRevocation ns/${uid}`, ...rest, ...change };
}
