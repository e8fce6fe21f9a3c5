import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from '../../src/engine/heap.ts';

const times = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 });

function drain(heap: Heap<{ at: number }>): number[] {
  const popped: number[] = [];
  for (let next = heap.pop(); next !== undefined; next = heap.pop()) popped.push(next.at);
  return popped;
}

const ascending = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

it('gives back what was put in, earliest first', () => {
  fc.assert(
    fc.property(times, (given) => {
      const heap = new Heap<{ at: number }>();
      for (const at of given) heap.push({ at });
      expect(heap.peek()?.at).toBe(ascending(given)[0]);
      expect(drain(heap)).toEqual(ascending(given));
    }),
  );
});

it('keeps its order when some are dropped, and others come after', () => {
  fc.assert(
    fc.property(times, times, (before, after) => {
      const heap = new Heap<{ at: number }>();
      for (const at of before) heap.push({ at });
      heap.retain(({ at }) => at % 3 !== 0);
      for (const at of after) heap.push({ at });
      expect(drain(heap)).toEqual(ascending([...before.filter((at) => at % 3 !== 0), ...after]));
    }),
  );
});
