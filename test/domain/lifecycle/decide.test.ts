import { describe, expect, it } from 'vitest';
import { decide, MAX_VERSIONS } from '../../../src/domain/lifecycle/decide.ts';
import type { Consumer, Seen } from '../../../src/domain/lifecycle/seen.ts';
import { APP, CURRENT, digest, HOLDS_1, HOLDS_2, live, NOW, order, ROTATED, seen, TUNING, version } from './looks.ts';

const fresh: Consumer = { ...APP, pods: { stale: 0, startedBefore: false } };

const TABLE: [string, Seen, object][] = [
  [
    'mints the first version',
    seen({ secret: { is: 'absent' }, sealState: 'absent', status: { lastVersion: 0, versions: [] } }),
    { do: 'mint', cause: 'Issued' },
  ],
  [
    'writes the value that it holds for Next',
    seen({ held: new Set([digest(2)]), status: { versions: [version(2, 'Next'), CURRENT] } }),
    { do: 'writeSecret', version: 2, digest: digest(2) },
  ],
  [
    'waits for whoever holds a young Next',
    seen({ status: { versions: [version(2, 'Next', { issueTime: NOW - 5 }), CURRENT] } }),
    { do: 'wait', until: NOW + 10 },
  ],
  [
    'mints beside an orphan, which stays',
    seen({ status: { versions: [version(2, 'Next', { issueTime: NOW - 15 }), CURRENT] } }),
    { do: 'mint', cause: 'OrphanedVersion' },
  ],
  [
    'lists consumers live before it promotes a rotation',
    seen({ secret: HOLDS_2, status: { versions: [version(2, 'Next'), CURRENT] } }),
    { do: 'look' },
  ],
  [
    'promotes the Next that the Secret holds',
    seen({ secret: HOLDS_2, consumers: live(), status: { versions: [version(2, 'Next'), CURRENT] } }),
    { do: 'promote', version: 2 },
  ],
  ['heals a Secret that is gone', seen({ secret: { is: 'absent' } }), { do: 'mint', cause: 'SecretMissing' }],
  [
    'heals a Secret with a value that is none of ours',
    seen({ secret: { ...HOLDS_1, digest: digest(9), intact: false } }),
    { do: 'mint', cause: 'SecretAltered' },
  ],
  [
    'does not let a value that was put back fall Current',
    seen({ secret: HOLDS_1, status: ROTATED }),
    { do: 'mint', cause: 'SecretAltered' },
  ],
  [
    'mints where a templated key was altered',
    seen({ secret: { ...HOLDS_1, intact: false } }),
    { do: 'mint', cause: 'SecretAltered' },
  ],
  [
    'mints where the template was changed',
    seen({ generation: 2, secret: { ...HOLDS_1, intact: false } }),
    { do: 'mint', cause: 'SpecChanged' },
  ],
  [
    'heals no faster than the interval',
    seen({ secret: { is: 'absent' }, status: { versions: [version(1, 'Current', { issueTime: NOW - 2 })] } }),
    { do: 'wait', until: NOW + 3 },
  ],
  [
    'never touches a Secret of someone else',
    seen({ secret: { is: 'foreign', owner: 'ApiToken other' } }),
    { do: 'wait', standstill: { why: 'SecretConflict', owner: 'ApiToken other' } },
  ],
  ['rotates on request', seen({ rotateRequest: 'a' }), { do: 'mint', cause: 'Requested' }],
  [
    'mints for a wider scope',
    seen({ spec: { scopes: ['chat:write', 'models:x'] } }),
    { do: 'mint', cause: 'SpecChanged' },
  ],
  [
    'rotates when renewBefore is reached',
    seen({ status: { versions: [version(1, 'Current', { issueTime: NOW - 2400, expirationTime: NOW + 1200 })] } }),
    { do: 'mint', cause: 'Expiring' },
  ],
  [
    'rotates a version that a shorter ttl makes due',
    seen({ spec: { ttl: 60, renewBefore: 20 } }),
    { do: 'mint', cause: 'Expiring' },
  ],
  [
    'rotates by the schedule where it comes first',
    seen({ spec: { schedule: { next: (after) => after + 30 } } }),
    { do: 'mint', cause: 'Scheduled' },
  ],
  [
    'does not rotate a Manual token',
    seen({ spec: { mode: 'Manual' }, status: { versions: [version(1, 'Current', { expirationTime: NOW - 1 })] } }),
    { do: 'wait' },
  ],
  [
    'mints nothing while suspended',
    seen({ rotateRequest: 'a', spec: { suspended: true } }),
    { do: 'wait', standstill: { why: 'Suspended' } },
  ],
  [
    'finishes while suspended what was minted',
    seen({
      spec: { suspended: true },
      held: new Set([digest(2)]),
      status: { versions: [version(2, 'Next'), CURRENT] },
    }),
    { do: 'writeSecret', version: 2, digest: digest(2) },
  ],
  [
    'mints nothing on a deletionTimestamp',
    seen({ deleting: true, secret: { is: 'absent' } }),
    { do: 'wait', standstill: { why: 'Deleting' } },
  ],
  ['mints anew where no key confirms the seal', seen({ sealState: 'broken' }), { do: 'mint', cause: 'SealInvalid' }],
  ['seals anew with the newer key', seen({ sealState: 'old-key' }), { do: 'reseal' }],
  ['repairs metadata without a version', seen({ secret: { ...HOLDS_1, asDeclared: false } }), { do: 'repair' }],
  ['removes the Secret at the end of the grant', seen({ spec: { notAfter: NOW } }), { do: 'removeSecret' }],
  ['then drops the versions', seen({ spec: { notAfter: NOW }, secret: { is: 'absent' } }), { do: 'endGrant' }],
  [
    'does not renew what ends with the grant',
    seen({ spec: { notAfter: NOW + 10 }, status: { versions: [version(1, 'Current', { expirationTime: NOW + 10 })] } }),
    { do: 'wait', until: NOW + 10 },
  ],
  [
    'waits as long as the back-off in status says',
    seen({
      secret: { is: 'absent' },
      status: {
        failures: {
          count: 1,
          reason: 'WriteRefused',
          message: '',
          lastTime: NOW,
          nextAttemptTime: NOW + 7,
          observedGeneration: 1,
        },
      },
    }),
    { do: 'wait', until: NOW + 7 },
  ],
  [
    'forgets the back-off of an older spec',
    seen({
      generation: 2,
      secret: { is: 'absent' },
      status: {
        failures: {
          count: 1,
          reason: 'WriteRefused',
          message: '',
          lastTime: NOW,
          nextAttemptTime: NOW + 7,
          observedGeneration: 1,
        },
      },
    }),
    { do: 'mint', cause: 'SecretMissing' },
  ],
  [
    'stops minting at the most versions that status keeps',
    seen({
      rotateRequest: 'a',
      status: {
        versions: [
          CURRENT,
          ...Array.from({ length: MAX_VERSIONS - 1 }, (_, i) =>
            version(i + 2, 'Previous', { acceptedUntilTime: NOW + 600 }),
          ),
        ],
      },
    }),
    { do: 'wait', until: NOW + 60, standstill: { why: 'TooManyVersions' } },
  ],
  [
    'restarts a workload that holds an older value',
    seen({
      secret: HOLDS_2,
      consumers: live(APP),
      status: { ...ROTATED, restarts: { ...ROTATED.restarts, pending: 1 } },
    }),
    { do: 'restart', consumer: APP },
  ],
  [
    'restarts none in the second of the value write',
    seen({
      secret: HOLDS_2,
      consumers: live(APP),
      status: { ...ROTATED, restarts: { ...ROTATED.restarts, since: NOW, pending: 1 } },
    }),
    { do: 'wait', until: NOW + 1 },
  ],
  [
    'restarts none that is in mid-roll',
    seen({
      secret: HOLDS_2,
      consumers: live({ ...APP, rolledOut: false }),
      status: { ...ROTATED, restarts: { ...ROTATED.restarts, pending: 1 } },
    }),
    { do: 'wait', until: NOW + 15 },
  ],
  [
    'does not take a lagging cache for the end of a rollout',
    seen({ secret: HOLDS_2, status: { ...ROTATED, restarts: { ...ROTATED.restarts, pending: 1 } } }),
    { do: 'look' },
  ],
  ['lists consumers live before it retires early', seen({ secret: HOLDS_2, status: ROTATED }), { do: 'look' }],
  [
    'fences off writes in flight before it retires',
    seen({ secret: HOLDS_2, consumers: live(fresh), status: ROTATED }),
    { do: 'settle', current: 2 },
  ],
  [
    'retires once every reader is done',
    seen({ secret: { ...HOLDS_2, settledFor: 2 }, consumers: live(fresh), status: ROTATED }),
    { do: 'retire', versions: [1], reason: 'Settled' },
  ],
  [
    'keeps Previous while a reader is not known',
    seen({ secret: HOLDS_2, consumers: live(), status: ROTATED }),
    { do: 'wait', until: NOW + 600 },
  ],
  [
    'keeps Previous while kubelets may serve it',
    seen({
      secret: HOLDS_2,
      consumers: live(fresh),
      status: { ...ROTATED, restarts: { ...ROTATED.restarts, since: NOW - 100 } },
    }),
    { do: 'wait', until: NOW + 20 },
  ],
  [
    'retires at the end of the overlap whoever is late',
    seen({
      secret: { ...HOLDS_2, settledFor: 2 },
      consumers: live(APP),
      status: {
        ...ROTATED,
        versions: [version(2, 'Current'), version(1, 'Previous', { acceptedUntilTime: NOW })],
        restarts: {
          version: 2,
          since: NOW - 10,
          pending: 1,
          workloads: [{ kind: 'Deployment', name: 'app', uid: 'u', state: 'RollingOut' }],
        },
      },
    }),
    { do: 'retire', versions: [1], reason: 'OverlapEnded' },
  ],
];

const FORBIDDEN = { compliance: { allows: false, reason: 'PolicyViolated', message: 'forbidden' } } as const;
const SETTLED = { ...HOLDS_2, settledFor: 2 };

describe('while a policy forbids what the spec asks for', () => {
  const none = { is: 'absent' } as const;
  const blank = { lastVersion: 0, versions: [] };
  const orphan = { versions: [version(2, 'Next', { issueTime: NOW - 15 }), CURRENT] };
  it.each<[string, Parameters<typeof seen>[0]]>([
    ['the first version', { secret: none, sealState: 'absent', status: blank }],
    ['a rotation that somebody asks for', { rotateRequest: 'now' }],
    ['a rotation that is due', { status: { versions: [version(1, 'Current', { expirationTime: NOW + 600 })] } }],
    ['a healing of the Secret', { secret: none }],
    ['a healing of the status', { sealState: 'broken' }],
    ['a version beside an orphan', { status: orphan }],
    ['a replacement of what was revoked', { secret: none, status: { versions: [], revokedThroughVersion: 1 } }],
  ])('does not mint %s, which it would otherwise', (_, change) => {
    expect(decide(seen(change), NOW, TUNING).do).toBe('mint');
    expect(decide(seen({ ...change, ...FORBIDDEN }), NOW, TUNING)).toMatchObject({
      do: 'wait',
      standstill: { why: 'Forbidden' },
    });
  });

  it.each<[string, Parameters<typeof seen>[0], string]>([
    [
      'delivers what it minted',
      { held: new Set([digest(2)]), status: { versions: [version(2, 'Next'), CURRENT] } },
      'writeSecret',
    ],
    [
      'promotes it',
      { secret: HOLDS_2, consumers: live(), status: { versions: [version(2, 'Next'), CURRENT] } },
      'promote',
    ],
    ['retires Previous', { secret: SETTLED, consumers: live(fresh), status: ROTATED }, 'retire'],
    ['carries out revocations', { orders: [order('o')] }, 'revoke'],
    ['ends the grant', { spec: { notAfter: NOW } }, 'removeSecret'],
    ['repairs what needs no new value', { secret: { ...HOLDS_1, asDeclared: false } }, 'repair'],
    ['seals with the newest key', { sealState: 'old-key' }, 'reseal'],
  ])('%s all the same', (_, change, action) => {
    expect(decide(seen({ ...change, ...FORBIDDEN }), NOW, TUNING).do).toBe(action);
  });

  it('rests until the rotation is due, and only then says that it is forbidden', () => {
    const action = decide(seen(FORBIDDEN), NOW, TUNING);
    expect(action).toEqual(decide(seen(), NOW, TUNING));
  });
});

describe('decide', () => {
  it.each(TABLE)('%s', (_sentence, input, expected) => {
    expect(decide(input, NOW, TUNING)).toMatchObject(expected);
  });

  it('rests until the next rotation where all is well', () => {
    const action = decide(seen(), NOW, TUNING);
    expect(action.do).toBe('wait');
    // due at expiry less renewBefore, up to 5% of the period earlier
    const due = NOW + 3540 - 1200;
    expect(action).toHaveProperty('until');
    const { until } = action as { until: number };
    expect(until).toBeLessThanOrEqual(due);
    expect(until).toBeGreaterThanOrEqual(due - 120);
  });
});
