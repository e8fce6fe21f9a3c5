import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { scenarioNamed } from './scenarios.ts';
import { explore } from './search.ts';

describe('a protocol that is wrong in one place', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    'is found out: %s',
    (_name, mutant) => {
      const bounds = { states: 400_000, livenessEvery: 50 };
      const { violation } = explore(scenarioNamed(mutant.scenario), bounds, mutant.rules);
      expect(violation?.invariant).toMatch(mutant.breaks);
    },
    300_000,
  );
});
