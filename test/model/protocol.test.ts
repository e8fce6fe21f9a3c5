import { describe, expect, it } from 'vitest';
import { SCENARIOS } from './scenarios.ts';
import { explore } from './search.ts';

const STATES = process.env.TOKENWRIGHT_LONG === '1' ? 600_000 : 100_000;

describe('the protocol, whatever interleaves', () => {
  it.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
    'holds in: %s',
    (_name, scenario) => {
      const { violation, reached } = explore(scenario, { states: STATES, livenessEvery: 200 });
      expect(violation && [violation.invariant, ...violation.trace].join('\n')).toBeUndefined();
      // a world in which nothing happens keeps every invariant
      expect(scenario.reaches.filter((action) => !reached.get(action))).toEqual([]);
    },
    300_000,
  );
});
