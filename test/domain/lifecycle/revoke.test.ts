import { expect, it, describe as suite } from 'vitest';
import { type Action, decide } from '../../../src/domain/lifecycle/decide.ts';
import { describe, operationOf } from '../../../src/domain/lifecycle/describe.ts';
import { MAX_HANDLED, struckBy, withoutPast } from '../../../src/domain/lifecycle/orders.ts';
import type { Seen } from '../../../src/domain/lifecycle/seen.ts';
import { addNext, revoke } from '../../../src/domain/lifecycle/transitions.ts';
import { CURRENT, digest, HOLDS_2, NOW, order, ROTATED, SPEC, seen, TUNING, version } from './looks.ts';
import { SmallWorld } from './small-world.ts';

const A = order('a');
const BLOCK = order('block', { afterwards: 'Block' });
const FAILED = {
  count: 3,
  reason: 'WriteRefused',
  message: '',
  lastTime: NOW,
  nextAttemptTime: NOW + 99,
  observedGeneration: 1,
};
const PROBLEM: Seen['spec'] = { ok: false, problem: { reason: 'InvalidSchedule', message: '' } };

const WHATEVER: [string, Seen][] = [
  ['all is well', seen({ orders: [A] })],
  ['a failure holds back the next attempt', seen({ orders: [A], status: { failures: FAILED } })],
  ['no rollout may start', seen({ orders: [A], rolloutSlot: false })],
  ['the ApiToken is being deleted', seen({ orders: [A], deleting: true })],
  ['the spec cannot be read', { ...seen({ orders: [A] }), spec: PROBLEM }],
  ['the token is suspended', seen({ orders: [A], spec: { suspended: true } })],
  ['the grant has ended', seen({ orders: [A], spec: { notAfter: NOW } })],
  ['the Secret is somebody else’s', seen({ orders: [A], secret: { is: 'foreign', owner: 'x' } })],
  ['the Secret is gone', seen({ orders: [A], secret: { is: 'absent' } })],
  ['a rotation is asked for', seen({ orders: [A], rotateRequest: 'now' })],
  ['nothing was ever minted', seen({ orders: [A], sealState: 'absent', status: { lastVersion: 0, versions: [] } })],
  [
    'a hand has noted it as carried out',
    seen({ orders: [A], sealState: 'broken', status: { handledRevocations: ['a'] } }),
  ],
];

suite('an order is carried out before anything else', () => {
  it.each(WHATEVER)('where %s', (_sentence, look) => {
    expect(decide(look, NOW, TUNING)).toEqual({ do: 'revoke', orders: [A] });
  });
});

const handled = (status: Partial<Seen['status']> = {}): Partial<Seen['status']> => ({
  revokedThroughVersion: 1,
  handledRevocations: ['a'],
  versions: [],
  ...status,
});

const AFTERWARDS: [string, Seen, object][] = [
  ['mints the replacement', seen({ orders: [A], status: handled() }), { do: 'mint', cause: 'Revoked' }],
  [
    'mints the replacement also when the order is long gone',
    seen({ status: handled({ handledRevocations: [] }) }),
    { do: 'mint', cause: 'Revoked' },
  ],
  [
    'mints none while suspended',
    seen({ orders: [A], spec: { suspended: true }, status: handled() }),
    { do: 'wait', standstill: { why: 'Suspended' } },
  ],
  [
    'calls it a first issue where no version was ever there',
    seen({ orders: [A], sealState: 'valid', status: handled({ lastVersion: 0, revokedThroughVersion: 0 }) }),
    { do: 'mint', cause: 'Issued' },
  ],
  [
    'takes no notice of a sealed order',
    seen({ orders: [order('a', { sealed: true })], rotateRequest: 'x' }),
    { do: 'mint', cause: 'Requested' },
  ],
  [
    'mints nothing where Current lives',
    seen({
      secret: { ...HOLDS_2, settledFor: 2 },
      orders: [order('a', { versions: 'Previous' })],
      status: { ...ROTATED, handledRevocations: ['a'], versions: [version(2, 'Current')] },
    }),
    { do: 'wait' },
  ],
  [
    'removes the Secret under Block',
    seen({ orders: [{ ...BLOCK, uid: 'a' }], status: handled() }),
    { do: 'removeSecret' },
  ],
  [
    'removes it under Block though the spec cannot be read',
    { ...seen({ orders: [{ ...BLOCK, uid: 'a' }], status: handled() }), spec: PROBLEM },
    { do: 'removeSecret' },
  ],
  [
    'then mints nothing under Block',
    seen({ orders: [{ ...BLOCK, uid: 'a' }], secret: { is: 'absent' }, status: handled() }),
    { do: 'wait', standstill: { why: 'Blocked', order: { uid: 'a' } } },
  ],
  [
    'never touches a Secret of someone else under Block',
    seen({ orders: [{ ...BLOCK, uid: 'a' }], secret: { is: 'foreign', owner: 'x' }, status: handled() }),
    { do: 'wait', standstill: { why: 'Blocked' } },
  ],
  [
    'revokes under a sealed Block what has a version again, or matches since',
    seen({ orders: [{ ...BLOCK, sealed: true }] }),
    { do: 'revoke', orders: [{ uid: 'block' }] },
  ],
  [
    'revokes under Block what an operator minted that did not know of it',
    seen({ orders: [BLOCK], status: handled({ handledRevocations: ['block'], versions: [CURRENT] }) }),
    { do: 'revoke', orders: [{ uid: 'block' }] },
  ],
  [
    'mints nothing on a deletionTimestamp',
    seen({ deleting: true, orders: [A], status: handled() }),
    { do: 'wait', standstill: { why: 'Deleting' } },
  ],
];

suite('once it is carried out, the operator', () => {
  it.each(AFTERWARDS)('%s', (_sentence, look, expected) => {
    expect(decide(look, NOW, TUNING)).toMatchObject(expected);
  });
});

const MANY = Array.from({ length: MAX_HANDLED + 2 }, (_, i) => order(`many-${i}`));
const uids = (orders: readonly { uid: string }[]) => orders.map(({ uid }) => uid);

suite('more orders than status can note', () => {
  it('are carried out in one write, as many as there is room for, the oldest first', () => {
    const action = decide(seen({ orders: MANY }), NOW, TUNING);
    expect(action).toEqual({ do: 'revoke', orders: MANY.slice(0, MAX_HANDLED) });
  });

  it('hold back the next mint until some are sealed', () => {
    const status = handled({ handledRevocations: uids(MANY.slice(0, MAX_HANDLED)) });
    const look = seen({ orders: MANY, status });
    expect(decide(look, NOW, TUNING)).toMatchObject({
      do: 'wait',
      until: NOW + 15,
      standstill: { why: 'TooManyRevocations' },
    });
    const [first, ...others] = MANY;
    const sealed = seen({ orders: [{ ...(first ?? A), sealed: true }, ...others], status });
    expect(decide(sealed, NOW, TUNING)).toEqual({ do: 'revoke', orders: [MANY[MAX_HANDLED]] });
    const noted = revoke(sealed, [MANY[MAX_HANDLED] ?? A]).handledRevocations;
    expect(noted).toHaveLength(MAX_HANDLED);
    expect(noted).not.toContain('many-0');
  });
});

const STANDING = seen({
  status: {
    lastVersion: 4,
    versions: [version(4, 'Next'), version(3, 'Current'), version(2, 'Previous'), version(1, 'Previous')],
    restarts: { version: 3, since: NOW, pending: 1, workloads: [] },
  },
});

suite('the one write', () => {
  it.each([
    ['All', [], 4, true],
    ['Previous', [4, 3], 0, false],
    [[1, 3], [4, 2], 0, true],
    [[4, 3, 2, 1, 9], [], 4, true],
    [[9], [4, 3, 2, 1], 0, false],
  ] as const)('of %j leaves %j', (versions, left, revokedThroughVersion, isRolloutOver) => {
    const status = revoke(STANDING, [order('a', { versions })]);
    expect(status.versions.map((v) => v.version)).toEqual(left);
    expect(status).toMatchObject({ revokedThroughVersion, lastVersion: 4, handledRevocations: ['a'] });
    expect(status.restarts === undefined).toBe(isRolloutOver);
  });

  it('carries out several orders, and tells of each version the first that ends it', () => {
    const orders = [order('previous', { versions: 'Previous' }), order('all')];
    expect(revoke(STANDING, orders)).toMatchObject({ versions: [], handledRevocations: ['previous', 'all'] });
    expect(struckBy(STANDING, orders).map(({ version, order: { uid } }) => [version, uid])).toEqual([
      [4, 'all'],
      [3, 'all'],
      [2, 'previous'],
      [1, 'previous'],
    ]);
  });

  it('of a status that no key confirms drops all, and believes no note in it', () => {
    const forged = {
      ...STANDING,
      sealState: 'broken' as const,
      status: { ...STANDING.status, handledRevocations: ['x'] },
    };
    const status = revoke(forged, [order('a', { versions: [1] })]);
    expect(status).toMatchObject({ versions: [], revokedThroughVersion: 4, handledRevocations: ['a'] });
  });

  it('is not the only one that believes no such note: a mint takes over none either', () => {
    const forged = seen({ sealState: 'broken', status: { handledRevocations: ['x'] } });
    expect(addNext(forged, SPEC, digest(2), NOW)).toMatchObject({ handledRevocations: [], lastVersion: 2 });
    expect(addNext({ ...forged, sealState: 'valid' }, SPEC, digest(2), NOW).handledRevocations).toEqual(['x']);
  });

  it('counts on from the highest number there is, also where a hand has lowered it', () => {
    const lowered = { ...STANDING, sealState: 'broken' as const, status: { ...STANDING.status, lastVersion: 1 } };
    expect(revoke(lowered, [A])).toMatchObject({ lastVersion: 4, revokedThroughVersion: 4 });
  });

  it('forgets what nobody can hold for pending any more, as every write does', () => {
    const look = {
      ...STANDING,
      pastOrders: new Set(['old']),
      status: { ...STANDING.status, handledRevocations: ['old', 'young'] },
    };
    expect(revoke(look, [A]).handledRevocations).toEqual(['a', 'young']);
    expect(withoutPast(look.status, look.pastOrders).handledRevocations).toEqual(['young']);
    expect(withoutPast(look.status, new Set())).toBe(look.status);
  });

  it('does not note a sealed Block again', () => {
    expect(revoke(STANDING, [{ ...BLOCK, sealed: true }])).toMatchObject({ versions: [], handledRevocations: [] });
  });
});

suite('what people read', () => {
  const ready = (look: Seen, action = decide(look, NOW, TUNING)) => {
    const standstill = action.do === 'wait' ? action.standstill : undefined;
    return describe({ ...look, standstill }, NOW).conditions;
  };

  it('is Revoked until the replacement is delivered', () => {
    const [condition] = ready(seen({ orders: [A], status: handled() }));
    expect(condition).toMatchObject({ type: 'Ready', status: 'False', reason: 'Revoked' });
    expect(condition?.message).toContain('up to 1');
  });

  it('is Blocked, by which order, and not Stalled', () => {
    const conditions = ready(seen({ orders: [{ ...BLOCK, uid: 'a' }], secret: { is: 'absent' }, status: handled() }));
    expect(conditions[0]).toMatchObject({ type: 'Ready', status: 'False', reason: 'Blocked' });
    expect(conditions[0]?.message).toContain('TokenRevocation ns/block');
    expect(conditions.map(({ type }) => type)).not.toContain('Stalled');
  });

  it('is Stalled by too many orders', () => {
    const status = handled({ handledRevocations: uids(MANY.slice(0, MAX_HANDLED)) });
    expect(ready(seen({ orders: MANY, status })).at(-1)).toMatchObject({
      type: 'Stalled',
      reason: 'TooManyRevocations',
    });
  });

  it('calls the replacement a rotation', () => {
    expect(operationOf('Revoked', 2)).toBe('rotate');
  });
});

suite('in the middle of a rotation', () => {
  const steps = rotation().length;

  it.each(Array.from({ length: steps + 1 }, (_, i) => i))(
    'after step %i All ends it and one more is minted',
    (before) => {
      const world = rotated(before);
      const stood = world.status.versions.map((v) => v.digest);
      const last = world.status.lastVersion;
      world.orders = [A];
      const [first] = world.settle();
      expect(first?.do).toBe('revoke');
      const { versions, revokedThroughVersion } = world.status;
      expect(revokedThroughVersion).toBe(last);
      expect(versions.map((v) => [v.version, v.state])).toEqual([[last + 1, 'Current']]);
      expect(stood).not.toContain(versions[0]?.digest);
      expect(world.secret?.digest).toBe(versions[0]?.digest);
    },
  );

  it.each(Array.from({ length: steps + 1 }, (_, i) => i))(
    'after step %i Block ends it, and its end lets one be minted',
    (before) => {
      const world = rotated(before);
      const last = world.status.lastVersion;
      world.orders = [BLOCK];
      world.settle();
      expect(world.status).toMatchObject({ versions: [], lastVersion: last });
      expect(world.secret).toBeUndefined();
      world.orders = [];
      world.settle();
      expect(world.status.versions.map((v) => [v.version, v.state])).toEqual([[last + 1, 'Current']]);
      expect(world.secret?.digest).toBe(world.status.versions[0]?.digest);
    },
  );
});

/** The steps of a rotation that was asked for, up to where it rests. */
function rotation(world = issued()): Action[] {
  world.rotateRequest = 'now';
  return world.settle().filter((action) => action.do !== 'wait');
}

function issued(): SmallWorld {
  const world = new SmallWorld();
  world.settle();
  return world;
}

function rotated(steps: number): SmallWorld {
  const world = issued();
  world.rotateRequest = 'now';
  for (let step = 0; step < steps; step += 1) world.step();
  return world;
}
