import { beforeEach, describe, expect, it } from 'vitest';
import { RolloutBudget } from '../../../src/reconcile/apitoken/rollout-budget.ts';

let woken: string[];
let budget: RolloutBudget;
beforeEach(() => {
  woken = [];
  budget = new RolloutBudget(2, (key) => woken.push(key));
  for (const key of ['a', 'b']) budget.take(key, `${key}-1`, 0);
});

describe('places', () => {
  it('are as many as the limit says', () => {
    expect([budget.hasRoom('c', 0), budget.take('c', 'c-1', 0)]).toEqual([false, false]);
  });

  it('are free once the rollout is no more in status', () => {
    budget.observe('a', [], 1000);
    expect(budget.take('c', 'c-1', 1000)).toBe(true);
  });

  it('are learned from status', () => {
    const restarted = new RolloutBudget(2, () => {});
    restarted.observe('a', ['a-1', 'a-2'], 0);
    expect(restarted.hasRoom('b', 0)).toBe(false);
  });

  it('are not held by a rollout that takes more than ten minutes', () => {
    expect([budget.hasRoom('c', 599_999), budget.hasRoom('c', 600_000)]).toEqual([false, true]);
  });
});

describe('who waits', () => {
  beforeEach(() => {
    for (const key of ['c', 'd']) budget.wait(key);
  });

  it('is woken in turn, one for each place', () => {
    budget.observe('a', [], 1000);
    const first = [...woken];
    budget.observe('b', [], 1001);
    expect([first, woken]).toEqual([['c'], ['c', 'd']]);
  });

  it('has its place kept from those who come meanwhile', () => {
    budget.observe('a', [], 1000);
    expect([budget.hasRoom('new', 1001), budget.take('c', 'c-1', 1002)]).toEqual([false, true]);
  });

  it('keeps its turn where it found no room all the same', () => {
    budget.observe('a', [], 1000);
    budget.wait('c');
    budget.observe('b', [], 2000);
    expect(woken).toEqual(['c', 'c', 'd']);
  });

  it('and wants no place any more keeps it from nobody for longer than five seconds', () => {
    budget.observe('a', [], 1000);
    const at = (time: number) => {
      budget.observe('x', [], time);
      return [...woken];
    };
    expect([at(5999), at(6000)]).toEqual([['c'], ['c', 'd']]);
  });

  it('is not woken by what was seen of itself', () => {
    budget.observe('a', [], 1000);
    budget.wait('c');
    budget.observe('c', [], 2000);
    expect(woken).toEqual(['c', 'd']);
  });
});
