import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Lane } from '../../src/engine/lane.ts';

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
