import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Ordered, OrdersWorld, revocation } from './orders-world.ts';
import { indexed } from './tokens.ts';

let world: OrdersWorld;
beforeEach(() => {
  vi.useFakeTimers();
  world = new OrdersWorld();
  world.namespaces.set('support', { tier: 'prod' });
  world.namespaces.set('sales', { tier: 'test' });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Long past the time for which the watch of ApiTokens is waited for. */
const aWhile = () => vi.advanceTimersByTimeAsync(60_000);

const VERSIONS = [
  { version: 4, state: 'Next' as const },
  { version: 3, state: 'Current' as const },
  { version: 2, state: 'Previous' as const },
  { version: 1, state: 'Previous' as const },
];

describe('an order refuses', () => {
  it.each<[sentence: string, ordered: Ordered, refused: number[]]>([
    ['all versions unless it says which, Next too', {}, [4, 3, 2, 1]],
    ['all versions', { versions: 'All' }, [4, 3, 2, 1]],
    ['what is Previous', { versions: 'Previous' }, [2, 1]],
    ['the listed versions', { versions: 'Listed', versionNumbers: [3, 1, 9] }, [3, 1]],
    ['nothing of another ApiToken', { match: { name: 'other' } }, []],
    ['nothing where its match is empty', { match: {} }, []],
  ])('%s', (_, ordered, refused) => {
    world.show({ versions: VERSIONS });
    world.order(ordered);
    expect(world.refused()).toEqual(refused);
  });

  it.each(['order first', 'ApiToken first'])('the same with the %s', (first) => {
    if (first === 'order first') world.order();
    world.show({ versions: VERSIONS });
    if (first === 'ApiToken first') world.order();
    expect(world.refused()).toEqual([4, 3, 2, 1]);
  });

  it('with its label or without, while it is not sealed', () => {
    world.show({});
    world.order({ labelled: false });
    expect(world.refused()).toEqual([3]);
  });

  it('what another order leaves', () => {
    world.show({ versions: VERSIONS });
    world.order({ uid: 'a', versions: 'Previous' });
    world.order({ uid: 'b', versions: 'Listed', versionNumbers: [4] });
    expect(world.refused()).toEqual([4, 2, 1]);
  });

  it('what is minted while it stands', () => {
    world.show({ versions: [{ version: 3 }] });
    world.order();
    world.show({ versions: [{ version: 4 }], sequence: 18 });
    expect(world.refused()).toEqual([4]);
  });

  it('an ApiToken that was given other labels to escape it', () => {
    world.show({ labels: { team: 'a' } });
    world.order({ match: { tokens: { matchLabels: { team: 'a' } } } });
    world.show({ labels: { team: 'b' }, sequence: 18 });
    expect(world.refused()).toEqual([3]);
  });
});

describe('the reach of an order', () => {
  const SOMEBODY = { subject: 'agent:summarizer' };

  it.each<[sentence: string, ordered: Ordered, reached: string[]]>([
    ['of a TokenRevocation is its own namespace', { namespace: 'support', match: SOMEBODY }, ['support']],
    ['of a ClusterTokenRevocation is every namespace', { namespace: undefined, match: SOMEBODY }, ['support', 'sales']],
    ['may be namespaces by name', { namespace: undefined, match: { namespaceNames: ['sales'] } }, ['sales']],
    [
      'may be namespaces by label',
      { namespace: undefined, match: { namespaces: { matchLabels: { tier: 'prod' } } } },
      ['support'],
    ],
    ['may be everything', { namespace: undefined, match: { everything: true } }, ['support', 'sales']],
    ['may be one token id', { namespace: undefined, match: { tokenID: indexed({ uid: 'sales' }).tokenID } }, ['sales']],
    [
      'of a TokenRevocation is its own namespace, though it names another token id',
      { namespace: 'support', match: { tokenID: indexed({ uid: 'sales' }).tokenID } },
      [],
    ],
  ])('%s', (_, ordered, reached) => {
    for (const namespace of ['support', 'sales']) world.show({ uid: namespace, namespace });
    world.order(ordered);
    const before = ['support', 'sales'].filter((uid) => world.refused(uid).length > 0);
    // and the same where the order came first
    const other = new OrdersWorld();
    for (const [namespace, labels] of world.namespaces) other.namespaces.set(namespace, labels);
    other.order(ordered);
    for (const namespace of ['support', 'sales']) other.show({ uid: namespace, namespace });
    expect([before, ['support', 'sales'].filter((uid) => other.refused(uid).length > 0)]).toEqual([reached, reached]);
  });
});

describe('a namespace', () => {
  const BY_LABEL: Ordered = { namespace: undefined, match: { namespaces: { matchLabels: { tier: 'prod' } } } };
  beforeEach(() => {
    world.show({ uid: 'new', namespace: 'new' });
  });

  it('whose labels are not known is reached by an order that selects by them', () => {
    world.order(BY_LABEL);
    expect(world.refused('new')).toEqual([3]);
  });

  it('whose labels are not known is not reached by an order that another field rules out', () => {
    world.order({ namespace: undefined, match: { name: 'other', namespaces: { matchLabels: { tier: 'prod' } } } });
    expect(world.refused('new')).toEqual([]);
  });

  it('stays reached when its labels come to be known and match', () => {
    world.order(BY_LABEL);
    world.label('new', { tier: 'prod' });
    expect(world.refused('new')).toEqual([3]);
  });

  it('is left alone once its labels come to be known and do not match', () => {
    world.order(BY_LABEL);
    world.label('new', { tier: 'test' });
    expect(world.refused('new')).toEqual([]);
  });

  it('is reached when it is given labels that match', () => {
    world.label('new', { tier: 'test' });
    world.order(BY_LABEL);
    world.label('new', { tier: 'prod' });
    expect(world.refused('new')).toEqual([3]);
  });

  it('does not escape by other labels', () => {
    world.label('new', { tier: 'prod' });
    world.order(BY_LABEL);
    world.label('new', { tier: 'test' });
    expect(world.refused('new')).toEqual([3]);
  });
});

describe('the replacement', () => {
  it('gets through while the order still stands', () => {
    world.show({ versions: [{ version: 3 }] });
    world.order();
    world.show({ versions: [{ version: 4 }], revokedThroughVersion: 3, handledRevocations: ['order-1'], sequence: 18 });
    expect(world.refused()).toEqual([]);
  });

  it('gets through where its ApiToken comes before the order', () => {
    world.show({ versions: [{ version: 4 }], handledRevocations: ['order-1'] });
    world.order();
    expect(world.refused()).toEqual([]);
  });

  it('of one order does not get through another', () => {
    world.show({ versions: [{ version: 3 }] });
    world.order({ uid: 'order-1' });
    world.order({ uid: 'order-2' });
    world.show({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 });
    expect(world.refused()).toEqual([4]);
  });
});

describe('once an order is sealed', () => {
  beforeEach(() => {
    world.show({ versions: [{ version: 3 }] });
  });

  it('an ApiToken whose watch is late stays refused until it is read anew', async () => {
    world.order();
    world.server.set('uid-1', 'fails');
    world.order({ sealed: true });
    await aWhile();
    const meanwhile = world.refused();
    world.server.set('uid-1', indexed({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 }));
    await aWhile();
    expect([meanwhile, world.refused(), world.orders.size]).toEqual([[3], [], 0]);
  });

  it('it is not read where the watch shows in time that the order was carried out', async () => {
    world.order();
    world.order({ sealed: true });
    world.show({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 });
    await aWhile();
    expect([world.refreshed, world.refused(), world.orders.size]).toEqual([[], [], 0]);
  });

  it('what it did not mean is let through once that is certain', async () => {
    world.order();
    world.order({ sealed: true });
    const before = world.refused();
    await aWhile();
    expect([before, world.refreshed, world.refused()]).toEqual([[3], ['uid-1'], []]);
  });

  it('an ApiToken that is gone meanwhile is not accepted from memory', async () => {
    world.order();
    world.server.set('uid-1', 'gone');
    world.order({ sealed: true });
    await aWhile();
    expect([[...world.index.all()], world.orders.size]).toEqual([[], 0]);
  });

  it('a list that was under way, and shows it as it was before, does not bring it back', async () => {
    world.order();
    world.order({ sealed: true });
    world.show({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 });
    world.order();
    world.show({ versions: [{ version: 4 }], handledRevocations: [], sequence: 19 });
    expect([world.refused(), world.orders.size, world.told]).toEqual([[], 0, ['order-1']]);
  });

  it('it reaches nobody new', async () => {
    world.order();
    world.order({ sealed: true });
    world.show({ uid: 'uid-2' });
    expect(world.refused('uid-2')).toEqual([]);
  });
});

describe('an order that is first seen when it is sealed', () => {
  beforeEach(() => {
    world.show({ versions: [{ version: 3 }] });
  });

  it('refuses what the watch shows as it was before, and has it read at once', async () => {
    world.server.set('uid-1', indexed({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 }));
    world.order({ sealed: true });
    const before = world.refused();
    await vi.advanceTimersByTimeAsync(0);
    expect([before, world.refused(), world.refreshed, world.told]).toEqual([[3], [], ['uid-1'], ['order-1']]);
  });

  it('refuses it for as long as it cannot be read', async () => {
    world.server.set('uid-1', 'fails');
    world.order({ sealed: true });
    await aWhile();
    expect(world.refused()).toEqual([3]);
  });

  it('counts once, however often it is listed', async () => {
    for (let lists = 0; lists < 5; lists++) {
      world.order({ sealed: true });
      await vi.advanceTimersByTimeAsync(2000);
    }
    expect([world.refreshed, world.refused(), world.told]).toEqual([['uid-1'], [], ['order-1']]);
  });

  it('is old news without its label, and refuses nothing', async () => {
    world.order({ sealed: true, labelled: false });
    await aWhile();
    expect([world.refused(), world.refreshed, world.told, world.orders.size]).toEqual([[], [], [], 0]);
  });

  it('is nothing to tell of where everybody has carried it out', () => {
    world.show({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 });
    world.order({ sealed: true });
    expect([world.refused(), world.told, world.orders.size]).toEqual([[], [], 0]);
  });
});

describe('while the ApiTokens are being listed', () => {
  const CARRIED_OUT = indexed({ versions: [{ version: 4 }], handledRevocations: ['order-1'], sequence: 18 });
  beforeEach(() => {
    world = new OrdersWorld(false);
    world.server.set('uid-1', CARRIED_OUT);
  });

  it.each<[sentence: string, act: () => void]>([
    ['is first seen when it is sealed', () => world.order({ sealed: true })],
    [
      'is sealed',
      () => {
        world.order();
        world.order({ sealed: true });
      },
    ],
    [
      'is deleted',
      () => {
        world.order();
        world.orders.remove('order-1');
      },
    ],
  ])(
    'an order that %s refuses what a later page shows as it was before, and has it read once all are listed',
    async (_, act) => {
      act();
      await aWhile();
      world.show({ versions: [{ version: 3 }] });
      const before = [world.refused(), [...world.refreshed]];
      world.orders.indexed();
      await vi.advanceTimersByTimeAsync(0);
      expect([before, world.refused(), world.refreshed, world.orders.size]).toEqual([[[3], []], [], ['uid-1'], 0]);
    },
  );

  it('an order that is sealed refuses nothing of what a later page shows with it carried out', () => {
    world.order({ sealed: true });
    world.show(CARRIED_OUT);
    world.orders.indexed();
    expect([world.refused(), world.refreshed, world.orders.size]).toEqual([[], [], 0]);
  });
});

describe('an order that is deleted', () => {
  it('unsealed, ends once it is certain whom it struck', async () => {
    world.show({});
    world.order();
    world.server.set('uid-1', 'fails');
    world.orders.remove('order-1');
    await aWhile();
    const meanwhile = world.refused();
    world.server.delete('uid-1');
    await aWhile();
    expect([meanwhile, world.refused(), world.orders.size]).toEqual([[3], [], 0]);
  });

  it('and was not known does not come back by a list that was under way', () => {
    world.show({});
    world.orders.remove('order-1');
    world.order();
    expect([world.refused(), world.told]).toEqual([[], []]);
  });
});

describe('an ApiToken that is made anew', () => {
  it('is refused like any other that the order matches', () => {
    const old = world.show({ uid: 'old' });
    world.order();
    world.gone(old);
    world.show({ uid: 'new' });
    expect(world.refused('new')).toEqual([3]);
  });

  it('leaves nothing of the old one behind', async () => {
    const old = world.show({ uid: 'old' });
    world.order();
    world.gone(old);
    world.order({ sealed: true });
    await aWhile();
    expect([world.orders.size, world.refreshed]).toEqual([0, []]);
  });
});

describe('an order in force', () => {
  it('is told of once, with whoever it reaches refused by then', () => {
    world.show({});
    let refusedThen: number[] = [];
    vi.spyOn(world.told, 'push').mockImplementationOnce(() => {
      refusedThen = world.refused();
      return 1;
    });
    world.order();
    expect(refusedThen).toEqual([3]);
    world.order();
    expect(world.told).toEqual([]);
  });
});

describe('a hundred thousand orders that reach nobody here', () => {
  it('cost a verdict nothing', () => {
    let looks = 0;
    const counted = <T extends object>(object: T): T =>
      new Proxy(object, {
        get(target, key, receiver) {
          looks += 1;
          return Reflect.get(target, key, receiver);
        },
      });
    const token = world.show({});
    for (let i = 0; i < 100_000; i++) {
      const order = revocation({
        uid: `order-${i}`,
        namespace: i % 2 === 0 ? `elsewhere-${i}` : 'support',
        match: { name: `x-${i}` },
      });
      order.spec = { ...order.spec, match: counted(order.spec.match) };
      world.orders.put(order);
    }
    const [version] = token.versions;
    expect([world.orders.size, looks > 0]).toEqual([100_000, true]);
    looks = 0;
    const answers = new Set(Array.from({ length: 100 }, () => version && world.orders.reaches(token, version)));
    expect([[...answers], looks]).toEqual([[false], 0]);
  });
});
