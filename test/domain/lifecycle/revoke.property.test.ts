/** Revocations, rotations, crashes and hands in the Secret, in whatever order. */
import fc from 'fast-check';
import { expect, it, describe as suite } from 'vitest';
import type { Action } from '../../../src/domain/lifecycle/decide.ts';
import { MAX_HANDLED } from '../../../src/domain/lifecycle/orders.ts';
import type { Seen } from '../../../src/domain/lifecycle/seen.ts';
import type { Order } from '../../../src/domain/revocation.ts';
import { digest, order } from './looks.ts';
import { SmallWorld } from './small-world.ts';

type Happening = (world: SmallWorld) => void;

const orders = fc.record({
  versions: fc.oneof(
    fc.constantFrom('All' as const, 'Previous' as const),
    fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
  ),
  afterwards: fc.constantFrom('Replace' as const, 'Replace' as const, 'Block' as const),
});
let count = 0;

/** By name, for the report of a run that failed. */
const HAPPENINGS: Record<string, Happening> = {
  step: (world) => {
    world.step();
  },
  'ask for a rotation': (world) => {
    count += 1;
    world.rotateRequest = `request ${count}`;
  },
  crash: (world) => {
    world.held = new Set();
  },
  'seal what is carried out': (world) => world.seal(),
  'let sealed orders age': (world) => world.age(),
  'delete sealed orders': (world) => {
    world.orders = world.orders.filter(({ sealed }) => !sealed);
  },
  'delete the Secret': (world) => {
    world.secret = undefined;
  },
  'alter the Secret': (world) => {
    world.secret = { digest: digest(999_999), version: 7 };
  },
  'put an older value back': (world) => {
    world.secret = { digest: digest(1), version: 1 };
  },
  'lose the seal': (world) => {
    world.isBroken = world.status.lastVersion > 0;
  },
};

const happenings: fc.Arbitrary<[string, Happening]> = fc.oneof(
  { weight: 12, arbitrary: named('step') },
  { weight: 9, arbitrary: fc.constantFrom(...Object.keys(HAPPENINGS)).chain(named) },
  { weight: 2, arbitrary: fc.nat(700).map(passing) },
  { weight: 3, arbitrary: orders.map(ordering) },
);

function named(name: string): fc.Arbitrary<[string, Happening]> {
  return fc.constant([name, HAPPENINGS[name] ?? fail]);
}

function fail(): never {
  throw new Error('nothing of that name happens');
}

function passing(seconds: number): [string, Happening] {
  return [
    `${seconds} s pass`,
    (world) => {
      world.now += seconds;
    },
  ];
}

function ordering(asked: Pick<Order, 'versions' | 'afterwards'>): [string, Happening] {
  const ends: typeof asked = asked.afterwards === 'Block' ? { ...asked, versions: 'All' } : asked;
  return [
    `order ${JSON.stringify(ends)}`,
    (world) => {
      count += 1;
      world.orders.push(order(`order-${count}`, ends));
    },
  ];
}

suite('whatever happens', () => {
  it('numbers never fall, what is revoked never comes back, and the value in the Secret is accepted in the end', () => {
    fc.assert(
      fc.property(fc.array(happenings, { minLength: 10, maxLength: 60 }), (run) => {
        const world = new SmallWorld();
        const watch = new Watch(world);
        for (const [, happen] of run) watch.over(happen);
        watch.over((w) => w.settle());
        world.orders = world.orders.filter((o) => o.afterwards !== 'Block');
        watch.over((w) => w.settle());
        const current = world.status.versions.find((v) => v.state === 'Current');
        expect(current).toBeDefined();
        expect(world.secret?.digest).toBe(current?.digest);
      }),
      { numRuns: 400 },
    );
  });
});

/** Holds each change of status to I9, and each step to what orders are there. */
class Watch {
  readonly #world: SmallWorld;
  readonly #gone = new Set<string>();

  constructor(world: SmallWorld) {
    this.#world = world;
    const step = world.step.bind(world);
    world.step = () => {
      const before = world.look();
      const action = step();
      this.#judge(before, action);
      return action;
    };
  }

  over(happen: Happening): void {
    happen(this.#world);
  }

  #judge(before: Seen, action: Action): void {
    const { status } = this.#world;
    expect(status.lastVersion).toBeGreaterThanOrEqual(before.status.lastVersion);
    expect(status.revokedThroughVersion).toBeGreaterThanOrEqual(before.status.revokedThroughVersion);
    for (const v of status.versions) {
      expect(v.version).toBeGreaterThan(status.revokedThroughVersion);
      expect(v.version).toBeLessThanOrEqual(status.lastVersion);
      expect(this.#gone).not.toContain(v.digest);
    }
    for (const v of before.status.versions)
      if (!status.versions.some(({ digest: d }) => d === v.digest)) this.#gone.add(v.digest);
    expect(status.handledRevocations.length).toBeLessThanOrEqual(MAX_HANDLED);
    const isHeldBack = before.orders.some((o) => o.afterwards === 'Block' || (!o.sealed && !noted(before, o.uid)));
    if (isHeldBack) expect(['revoke', 'removeSecret', 'wait']).toContain(action.do);
    if (action.do !== 'revoke') return;
    for (const o of action.orders) {
      if (!o.sealed) expect(status.handledRevocations).toContain(o.uid);
      if (o.versions === 'All')
        expect(status).toMatchObject({ versions: [], revokedThroughVersion: status.lastVersion });
    }
  }
}

function noted(look: Seen, uid: string): boolean {
  return look.sealState !== 'broken' && look.status.handledRevocations.includes(uid);
}
