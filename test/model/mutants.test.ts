import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { SCENARIOS } from './scenarios.ts';
import { explore } from './search.ts';

describe('a protocol that is wrong in one place', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))('is found out: %s', (_name, mutant) => {
    const scenario = SCENARIOS.find(({ name }) => name === mutant.scenario);
    if (!scenario) throw new Error(`there is no scenario "${mutant.scenario}"`);
    const { violation } = explore(scenario, { states: 400_000, livenessEvery: 50 }, mutant.rules);
    expect(violation?.invariant).toMatch(mutant.breaks);
  });
});
