/** What the API server takes for a status from the operator, and what it refuses. */
import { many } from './rows.ts';

type Status = Record<string, unknown>;

const TIME = '2026-11-23T09:00:00Z';
const DIGEST = 'a1'.repeat(32);

const version = (number: number, state: string, more: Status = {}): Status => ({
  version: number,
  state,
  digest: DIGEST,
  issueTime: TIME,
  expirationTime: TIME,
  grant: { subject: 'agent:summarizer', environment: 'production', audiences: ['ai-gateway'] },
  ...more,
});
const condition = (type: string): Status => ({
  type,
  status: 'True',
  reason: 'Issued',
  message: 'x',
  lastTransitionTime: TIME,
  observedGeneration: 1,
});
const workload = (index: number): Status => ({
  kind: 'Deployment',
  name: `w-${index}`,
  uid: `uid-${index}`,
  state: 'RollingOut',
});

export const FULL_STATUS: Status = {
  observedGeneration: 4,
  tokenID: '7Yx3kQ2m',
  lastVersion: 3,
  versions: [
    version(3, 'Current', {
      grant: { subject: 'agent:s', environment: 'production', audiences: ['ai-gateway'], scopes: ['chat:write'] },
    }),
    version(2, 'Previous', { acceptedUntilTime: TIME }),
  ],
  revokedThroughVersion: 1,
  handledRevocations: ['0b4ee2c6-5f0d-4a6c-9d52-6a7f9a1f6f0e'],
  seal: { keyID: 'k1', sequence: 17, signature: 'c2lnbmF0dXJl' },
  effective: { renewBefore: '8h0m0s', overlap: '8h0m0s' },
  nextRotationTime: TIME,
  secretName: 'summarizer-token',
  lastHandledRotateRequest: '2026-11-23T09:00:00.123Z',
  restarts: {
    version: 3,
    since: TIME,
    pending: 1,
    workloads: [workload(1), { ...workload(2), kind: 'DaemonSet', state: 'Done' }],
  },
  failures: {
    count: 1,
    reason: 'WriteRefused',
    message: 'x',
    lastTime: TIME,
    nextAttemptTime: TIME,
    observedGeneration: 4,
  },
  conditions: ['Ready', 'Compliant', 'RolledOut', 'Reconciling', 'Stalled'].map(condition),
};

/** Each list as long and each string as wide as it may be: must not cost more than the API server grants. */
export const LARGEST_STATUS: Status = {
  ...FULL_STATUS,
  lastVersion: Number.MAX_SAFE_INTEGER,
  versions: many(16, (i) =>
    version(i + 1, i === 15 ? 'Current' : 'Previous', {
      grant: {
        subject: 's'.repeat(128),
        environment: 'e'.repeat(24),
        audiences: many(32, () => 'a'.repeat(253)),
        scopes: many(64, () => 's'.repeat(64)),
      },
    }),
  ),
  handledRevocations: many(16, (i) => String(i).padStart(64, '0')),
  seal: { keyID: 'k'.repeat(64), sequence: Number.MAX_SAFE_INTEGER, signature: 's'.repeat(128) },
  lastHandledRotateRequest: 'r'.repeat(256),
  restarts: { version: 3, workloads: many(256, (i) => ({ ...workload(i), name: 'n'.repeat(253) })) },
  failures: { count: 2147483647, message: 'm'.repeat(1024), reason: 'R'.repeat(64) },
  conditions: many(16, (i) => ({ ...condition(`Type${i}`), message: 'm'.repeat(1024) })),
};

const KEEP_STATUS = 'status: Forbidden: keep the status, which records the versions that were minted';
const KEEP_LAST = 'status.lastVersion: Forbidden: keep or raise lastVersion, since a version is never used twice';
const KEEP_REVOKED =
  'status.revokedThroughVersion: Forbidden: keep or raise revokedThroughVersion, since a revoked version never comes back';
const KEEP_ID = 'status.tokenID: Forbidden: keep tokenID, which quotas and audit are counted by';
const ALL_KEPT = [KEEP_STATUS, KEEP_LAST, KEEP_REVOKED, KEEP_ID].sort();
const without = (field: string): Status => {
  const { [field]: _, ...rest } = FULL_STATUS;
  return rest;
};

/** From FULL_STATUS to another one, all of it replaced; null is null. */
export const STATUS_CHANGES: readonly (readonly [sentence: string, after: Status | null, says: readonly string[]])[] = [
  ['the same again', FULL_STATUS, []],
  ['a higher lastVersion', { ...FULL_STATUS, lastVersion: 4 }, []],
  ['a higher revokedThroughVersion', { ...FULL_STATUS, revokedThroughVersion: 3 }, []],
  [
    'no versions, failures, restarts and conditions',
    { tokenID: '7Yx3kQ2m', lastVersion: 3, revokedThroughVersion: 1 },
    [],
  ],
  ['all as large as may be', LARGEST_STATUS, []],
  ['null', null, ALL_KEPT],
  ['nothing', {}, [KEEP_LAST, KEEP_REVOKED, KEEP_ID].sort()],
  ['a lower lastVersion', { ...FULL_STATUS, lastVersion: 2 }, [KEEP_LAST]],
  ['no lastVersion', without('lastVersion'), [KEEP_LAST]],
  ['a lower revokedThroughVersion', { ...FULL_STATUS, revokedThroughVersion: 0 }, [KEEP_REVOKED]],
  ['no revokedThroughVersion', without('revokedThroughVersion'), [KEEP_REVOKED]],
  ['another tokenID', { ...FULL_STATUS, tokenID: '00000000' }, [KEEP_ID]],
  ['no tokenID', without('tokenID'), [KEEP_ID]],
  [
    'a negative observedGeneration',
    { ...FULL_STATUS, observedGeneration: -1 },
    ['status.observedGeneration: Invalid value: -1: observedGeneration in body should be greater than or equal to 0'],
  ],
  [
    'a lastVersion that JavaScript cannot count to',
    { ...FULL_STATUS, lastVersion: 2 ** 53 },
    [
      'status.lastVersion: Invalid value: 9007199254740992: lastVersion in body should be less than or equal to 9007199254740991',
    ],
  ],
  [
    'version 0',
    { ...FULL_STATUS, versions: [version(0, 'Current')] },
    ['status.versions[0].version: Invalid value: 0: versions[0].version in body should be greater than or equal to 1'],
  ],
  [
    'a version without a grant',
    { ...FULL_STATUS, versions: [{ ...version(3, 'Current'), grant: undefined }] },
    ['status.versions[0].grant: Required value'],
  ],
  [
    'an unknown state of a version',
    { ...FULL_STATUS, versions: [version(3, 'Retired')] },
    ['status.versions[0].state: Unsupported value: "Retired": supported values: "Next", "Current", "Previous"'],
  ],
  [
    'a digest in capitals',
    { ...FULL_STATUS, versions: [version(3, 'Current', { digest: 'A1'.repeat(32) })] },
    [
      `status.versions[0].digest: Invalid value: "${'A1'.repeat(32)}": write digest as 64 lower-case hexadecimal digits`,
    ],
  ],
  [
    'a value where the digest should be',
    { ...FULL_STATUS, versions: [version(3, 'Current', { digest: 'x'.repeat(64) })] },
    [`status.versions[0].digest: Invalid value: "${'x'.repeat(64)}": write digest as 64 lower-case hexadecimal digits`],
  ],
  [
    'two versions that are Current',
    { ...FULL_STATUS, versions: [version(3, 'Current'), version(2, 'Current')] },
    ['status.versions: Invalid value: let at most one version be Current'],
  ],
  [
    'one version twice',
    { ...FULL_STATUS, versions: [version(3, 'Current'), version(3, 'Previous')] },
    ['status.versions[1]: Duplicate value: {"version":3}'],
  ],
  [
    '17 versions',
    { ...FULL_STATUS, versions: many(17, (i) => version(i + 1, 'Previous')) },
    ['status.versions: Too many: 17: must have at most 16 items'],
  ],
  [
    '17 handled revocations',
    { ...FULL_STATUS, handledRevocations: many(17, String) },
    ['status.handledRevocations: Too many: 17: must have at most 16 items'],
  ],
  [
    'one handled revocation twice',
    { ...FULL_STATUS, handledRevocations: ['a', 'a'] },
    ['status.handledRevocations[1]: Duplicate value: "a"'],
  ],
  [
    'a handled revocation of 65 characters',
    { ...FULL_STATUS, handledRevocations: ['u'.repeat(65)] },
    ['status.handledRevocations[0]: Too long: may not be more than 64 bytes'],
  ],
  [
    'a seal without a signature',
    { ...FULL_STATUS, seal: { keyID: 'k', sequence: 18 } },
    ['status.seal.signature: Required value'],
  ],
  [
    'a rotate request of 257 characters',
    { ...FULL_STATUS, lastHandledRotateRequest: 'r'.repeat(257) },
    ['status.lastHandledRotateRequest: Too long: may not be more than 256 bytes'],
  ],
  [
    '257 workloads',
    { ...FULL_STATUS, restarts: { version: 3, workloads: many(257, workload) } },
    ['status.restarts.workloads: Too many: 257: must have at most 256 items'],
  ],
  [
    'a workload of another kind',
    { ...FULL_STATUS, restarts: { version: 3, workloads: [{ ...workload(1), kind: 'CronJob' }] } },
    [
      'status.restarts.workloads[0].kind: Unsupported value: "CronJob": supported values: "Deployment", "StatefulSet", "DaemonSet"',
    ],
  ],
  [
    'a negative count of failures',
    { ...FULL_STATUS, failures: { count: -1 } },
    ['status.failures.count: Invalid value: -1: failures.count in body should be greater than or equal to 0'],
  ],
  [
    'one condition twice',
    { ...FULL_STATUS, conditions: [condition('Ready'), condition('Ready')] },
    ['status.conditions[1]: Duplicate value: {"type":"Ready"}'],
  ],
  [
    'a condition that is Maybe',
    { ...FULL_STATUS, conditions: [{ ...condition('Ready'), status: 'Maybe' }] },
    ['status.conditions[0].status: Unsupported value: "Maybe": supported values: "True", "False", "Unknown"'],
  ],
  [
    'a time that is none',
    { ...FULL_STATUS, nextRotationTime: 'soon' },
    ['status.nextRotationTime: Invalid value: "soon": nextRotationTime in body must be of type date-time: "soon"'],
  ],
];

/** A tokenID is held as it is once given, so its form shows only on the first status. */
export const TOKEN_IDS: readonly (readonly [tokenID: string, says: readonly string[]])[] = [
  ['7Yx3kQ2m', []],
  ['7Yx3kQ2', ['status.tokenID: Invalid value: "7Yx3kQ2": write tokenID as 8 base62 characters']],
  ['7Yx3kQ2-', ['status.tokenID: Invalid value: "7Yx3kQ2-": write tokenID as 8 base62 characters']],
  ['7Yx3kQ2mm', ['status.tokenID: Too long: may not be more than 8 bytes']],
];
