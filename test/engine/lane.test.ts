import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FairLanes, Lane } from '../../src/engine/lane.ts';

it('gives back what was put in, first in first out, however the two mix', () => {
  const step = fc.option(fc.nat(), { nil: undefined });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const lane = new Lane<number>();
      const model: number[] = [];
      for (const put of steps) {
        if (put === undefined) {
          expect(lane.shift()).toBe(model.shift());
        } else {
          lane.push(put);
          model.push(put);
        }
        expect(lane.size).toBe(model.length);
      }
    }),
  );
});

it('lets groups take turns, whatever they hold', () => {
  const lanes = new FairLanes<string>();
  for (const entry of ['a1', 'a2', 'a3', 'b1']) lanes.push(entry.charAt(0), entry);
  expect(lanes.shift()).toBe('a1');
  lanes.push('c', 'c1');
  expect([lanes.shift(), lanes.shift(), lanes.shift(), lanes.shift()]).toEqual(['b1', 'a2', 'c1', 'a3']);
  expect(lanes.shift()).toBeUndefined();
  lanes.push('a', 'a4');
  expect(lanes.shift()).toBe('a4');
});

it('of many groups loses and repeats nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat()), { maxLength: 40 }), (entries) => {
      const lanes = new FairLanes<[string, number]>();
      for (const entry of entries) lanes.push(entry[0], entry);
      const taken = entries.map(() => lanes.shift());
      expect(lanes.shift()).toBeUndefined();
      for (const group of ['a', 'b', 'c'])
        expect(taken.filter((entry) => entry?.[0] === group)).toEqual(entries.filter(([of]) => of === group));
    }),
  );
});
