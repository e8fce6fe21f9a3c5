import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';
import { SCENARIOS } from './scenarios.ts';
import { explore } from './search.ts';

const LONG = process.env.TOKENWRIGHT_LONG === '1';
/** Found only beyond the states that a quick run looks at. */
const DEEP = ['no fence before retirement', 'status is not read again before a restart'];
const TRIED = MUTANTS.filter(({ name }) => LONG || !DEEP.includes(name));

describe('a protocol that is wrong in one place', () => {
  it.each(TRIED.map((mutant) => [mutant.name, mutant] as const))('is found out: %s', (_name, mutant) => {
    const scenario = SCENARIOS.find(({ name }) => name === mutant.scenario);
    if (!scenario) throw new Error(`there is no scenario "${mutant.scenario}"`);
    const { violation } = explore(scenario, { states: LONG ? 4_000_000 : 400_000, livenessEvery: 50 }, mutant.rules);
    expect(violation?.invariant).toMatch(mutant.breaks);
  });
});
