import { describe, expect, it } from 'vitest';
import { SCENARIOS } from './scenarios.ts';
import { explore } from './search.ts';

const QUICK = process.env.TOKENWRIGHT_LONG === '1' ? 400_000 : 60_000;
const FAR = 600_000;

describe('the protocol, whatever interleaves', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('holds in: %s', (_name, scenario) => {
    const look = (states: number) => {
      const { violation, reached } = explore(scenario, { states, livenessEvery: 200 });
      return { violation, missing: scenario.reaches.filter((action) => !reached.get(action)) };
    };
    // a world in which nothing happens keeps every invariant, so we look further where not all has happened
    const quick = look(QUICK);
    const { violation, missing } = quick.missing.length > 0 ? look(FAR) : quick;
    expect(violation && [violation.invariant, ...violation.trace].join('\n')).toBeUndefined();
    expect(missing).toEqual([]);
  });
});
