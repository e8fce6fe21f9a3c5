/** What the API server takes for the status of a revocation from the operator, and what it refuses. */
import { invalid, many } from './rows.ts';

type Status = Record<string, unknown>;

const TIME = '2026-11-23T09:00:00Z';

export const receipt = (verifier: string, more: Status = {}): Status => ({
  verifier,
  environment: 'production',
  afterMilliseconds: 41,
  time: TIME,
  ...more,
});
const condition = (type: string): Status => ({
  type,
  status: 'True',
  reason: 'Sealed',
  message: 'x',
  lastTransitionTime: TIME,
  observedGeneration: 1,
});

export const FULL_STATUS: Status = {
  observedGeneration: 1,
  matched: 2,
  sealed: true,
  sealedTime: TIME,
  expectedVerifiers: ['verifier-1', 'verifier-2'],
  receipts: [receipt('verifier-1'), receipt('verifier-2', { environment: 'staging' })],
  conditions: ['Ready', 'Reconciling', 'Stalled'].map(condition),
};

const withReceipt = (more: Status): Status => ({ receipts: [receipt('verifier-1', more)] });

export const STATUS_CHANGES: readonly (readonly [sentence: string, status: Status, says: readonly string[]])[] = [
  ['every field at once', FULL_STATUS, []],
  [
    'all as large as may be',
    {
      matched: 2147483647,
      expectedVerifiers: many(64, (i) => `${i}-`.padEnd(253, 'v')),
      receipts: many(64, (i) =>
        receipt(`${i}-`.padEnd(253, 'v'), { environment: 'e'.repeat(24), afterMilliseconds: Number.MAX_SAFE_INTEGER }),
      ),
      conditions: many(16, (i) => ({ ...condition(`Type${i}`), message: 'm'.repeat(1024) })),
    },
    [],
  ],
  [
    'a negative count',
    { matched: -1 },
    ['status.matched: Invalid value: -1: matched in body should be greater than or equal to 0'],
  ],
  [
    'sealed in words',
    { sealed: 'yes' },
    ['status.sealed: Invalid value: "string": sealed in body must be of type boolean: "string"'],
  ],
  [
    'a time that is none',
    { sealedTime: 'soon' },
    ['status.sealedTime: Invalid value: "soon": sealedTime in body must be of type date-time: "soon"'],
  ],
  [
    '65 receipts',
    { receipts: many(65, (i) => receipt(`v${i}`)) },
    ['status.receipts: Too many: 65: must have at most 64 items'],
  ],
  [
    'two receipts of one verifier',
    { receipts: [receipt('a'), receipt('a')] },
    ['status.receipts[1]: Duplicate value: {"verifier":"a"}'],
  ],
  ...['verifier', 'environment', 'afterMilliseconds', 'time'].map(
    (field) =>
      [
        `a receipt without ${field}`,
        withReceipt({ [field]: undefined }),
        [`status.receipts[0].${field}: Required value`],
      ] as const,
  ),
  [
    'a verifier in capitals',
    withReceipt({ verifier: 'V' }),
    [invalid('status.receipts[0].verifier', 'V', 'name the verifier in lower-case letters, digits, hyphens and dots')],
  ],
  [
    'an environment of 25 characters',
    withReceipt({ environment: 'e'.repeat(25) }),
    ['status.receipts[0].environment: Too long: may not be more than 24 bytes'],
  ],
  [
    'a receipt from before the order',
    withReceipt({ afterMilliseconds: -1 }),
    [
      'status.receipts[0].afterMilliseconds: Invalid value: -1: receipts[0].afterMilliseconds in body should be greater than or equal to 0',
    ],
  ],
  [
    'one condition twice',
    { conditions: [condition('Ready'), condition('Ready')] },
    ['status.conditions[1]: Duplicate value: {"type":"Ready"}'],
  ],
];
