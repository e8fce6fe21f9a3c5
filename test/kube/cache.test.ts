import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cache } from '../../src/kube/cache.ts';
import type { Widget } from './fake-api-server.ts';

function widget(name: string, uid: string, version: number, size = 0): Widget {
  return { metadata: { namespace: 'default', name, uid, resourceVersion: String(version) }, spec: { size } };
}

type Told = [change: string, uid: string | undefined, version: string | undefined];

let told: Told[];
let cache: Cache<Widget>;

beforeEach(() => {
  told = [];
  cache = new Cache<Widget>(
    (change, { metadata }) => told.push([change, metadata.uid, metadata.resourceVersion]),
    (object) => object,
  );
});

function relist(version: number, ...items: Widget[]): void {
  const list = cache.relist(String(version));
  list.page(items);
  list.finish();
}

function held(): string | undefined {
  return cache.get('default/a')?.metadata.resourceVersion;
}

describe('the reply to an own write', () => {
  it('is held at once, and its event told to nobody', () => {
    relist(5, widget('a', 'u', 5));
    told.length = 0;
    cache.observe(widget('a', 'u', 6));
    expect(held()).toBe('6');
    cache.put(widget('a', 'u', 6));
    expect(told).toEqual([]);
  });

  it('is ignored when older than what is held, counted as numbers', () => {
    relist(10, widget('a', 'u', 10));
    cache.observe(widget('a', 'u', 9));
    expect(held()).toBe('10');
  });

  it('does not bring back what was deleted since', () => {
    relist(5, widget('a', 'u', 5));
    cache.remove(widget('a', 'u', 7));
    cache.observe(widget('a', 'u', 6));
    expect(held()).toBeUndefined();
  });

  it("does not hide another's change that came just before it", () => {
    relist(5, widget('a', 'u', 5));
    cache.observe(widget('a', 'u', 7));
    told.length = 0;
    cache.put(widget('a', 'u', 6));
    expect(held()).toBe('7');
    expect(told).toEqual([['updated', 'u', '7']]);
    cache.put(widget('a', 'u', 7));
    expect(told).toHaveLength(1);
  });

  it('is not told when an own write came before it either', () => {
    relist(5, widget('a', 'u', 5));
    told.length = 0;
    cache.observe(widget('a', 'u', 6));
    cache.observe(widget('a', 'u', 7));
    cache.put(widget('a', 'u', 6));
    cache.put(widget('a', 'u', 7));
    expect(told).toEqual([]);
  });

  it('is told by a list that stands in for events that were missed', () => {
    relist(5, widget('a', 'u', 5));
    told.length = 0;
    cache.observe(widget('a', 'u', 7));
    relist(8, widget('a', 'u', 7));
    expect(told).toEqual([['updated', 'u', '7']]);
  });

  it('of a create is kept by a list from before it', () => {
    relist(5);
    cache.observe(widget('a', 'u', 7));
    relist(6);
    expect(held()).toBe('7');
    relist(8);
    expect(held()).toBeUndefined();
  });

  it('of a create tells the deletion of the object that it replaces', () => {
    relist(5, widget('a', 'old', 5));
    told.length = 0;
    cache.observe(widget('a', 'new', 7));
    expect(told).toEqual([['deleted', 'old', '5']]);
    cache.remove(widget('a', 'old', 6));
    expect(held()).toBe('7');
    expect(told).toHaveLength(1);
  });

  it('survives the event of having left the selector before it', () => {
    relist(5, widget('a', 'u', 5));
    cache.observe(widget('a', 'u', 8));
    cache.remove(widget('a', 'u', 6));
    expect(held()).toBe('8');
  });
});

describe('events', () => {
  it('of another UID are a deletion and an addition', () => {
    relist(5, widget('a', 'old', 5));
    told.length = 0;
    cache.put(widget('a', 'new', 7));
    expect(told).toEqual([
      ['deleted', 'old', '5'],
      ['added', 'new', '7'],
    ]);
  });

  it('that were told before are not told again', () => {
    cache.put(widget('a', 'u', 6));
    cache.put(widget('a', 'u', 6));
    expect(told).toHaveLength(1);
  });

  it('give what was held before as the third argument', () => {
    const pairs: (number | undefined)[][] = [];
    const other = new Cache<Widget>(
      (_change, object, old) => pairs.push([object.spec?.size, old?.spec?.size]),
      (object) => object,
    );
    other.put(widget('a', 'u', 6, 1));
    other.put(widget('a', 'u', 7, 2));
    expect(pairs).toEqual([
      [1, undefined],
      [2, 1],
    ]);
  });
});

type Step =
  | { do: 'write'; by: 'us' | 'other'; name: string }
  | { do: 'delete'; name: string }
  | { do: 'deliver' | 'reply' | 'relist' | 'bookmark' };

const name = fc.constantFrom('a', 'b');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), by: fc.constantFrom('us' as const, 'other' as const), name }),
  fc.record({ do: fc.constant('delete' as const), name }),
  fc.record({
    do: fc.constantFrom(
      'deliver' as const,
      'deliver' as const,
      'reply' as const,
      'relist' as const,
      'bookmark' as const,
    ),
  }),
);

/** A server, a watch that lags behind it, and replies that come in any order with both. */
function play(steps: readonly Step[]) {
  const server = new Map<string, Widget>();
  const events: { type: 'put' | 'remove'; object: Widget }[] = [];
  const replies: Widget[] = [];
  /** Writes of others that a handler has not been called for since. */
  const untold = new Set<string>();
  const seenByHandlers = new Map<string, string>();
  let version = 9;
  let position = version;
  const subject = new Cache<Widget>(
    (change, { metadata }) => {
      untold.delete(metadata.name);
      if (change === 'deleted') seenByHandlers.delete(metadata.name);
      else seenByHandlers.set(metadata.name, metadata.uid ?? '');
    },
    (object) => object,
  );
  const list = subject.relist(String(version));
  list.finish();

  const write = (which: string, by: 'us' | 'other') => {
    version += 1;
    const before = server.get(which);
    const object = widget(which, before?.metadata.uid ?? `uid-${version}`, version);
    server.set(which, object);
    events.push({ type: 'put', object });
    if (by === 'other') untold.add(which);
    else replies.push(object);
    // What others made and deleted before anyone was told of it is nobody's business.
    if (by === 'us' && before === undefined && !seenByHandlers.has(which)) untold.delete(which);
  };
  const deliver = () => {
    const event = events.shift();
    if (event === undefined) return;
    position = Number(event.object.metadata.resourceVersion);
    subject[event.type](event.object);
  };
  for (const one of steps) {
    if (one.do === 'write') write(one.name, one.by);
    else if (one.do === 'delete') {
      const before = server.get(one.name);
      if (before === undefined) continue;
      version += 1;
      server.delete(one.name);
      untold.add(one.name);
      const metadata = { ...before.metadata, resourceVersion: String(version) };
      events.push({ type: 'remove', object: { ...before, metadata } });
    } else if (one.do === 'deliver') deliver();
    else if (one.do === 'reply') {
      const reply = replies.shift();
      if (reply !== undefined) subject.observe(reply);
    } else if (one.do === 'bookmark') subject.mark(String(position));
    else {
      // The watch is cut: its events are lost, and the list stands in for them.
      events.length = 0;
      position = version;
      const pages = subject.relist(String(version));
      for (const object of server.values()) pages.page([object]);
      pages.finish();
    }
  }
  while (events.length > 0) deliver();
  for (const reply of replies) subject.observe(reply);
  return { server, subject, untold, seenByHandlers };
}

describe('whatever the order of lists, events and replies', () => {
  it('the copy comes to equal the server, and every change of others is told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { server, subject, untold, seenByHandlers } = play(steps);
        const versions = (objects: Iterable<Widget>) =>
          [...objects].map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`).sort();
        expect(versions(subject.list())).toEqual(versions(server.values()));
        expect([...untold].filter((which) => server.has(which))).toEqual([]);
        for (const [which, uid] of seenByHandlers) expect(server.get(which)?.metadata.uid).toBe(uid);
      }),
      { numRuns: 3000 },
    );
  });
});
