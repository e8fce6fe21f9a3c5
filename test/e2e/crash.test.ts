/**
 * The operator is killed at every write, restarted, and comes to the same end as if nothing had happened.
 *
 * One plan alone: TOKENWRIGHT_PLAN='rotation/4/after-commit' npx vitest run --project cluster test/e2e/crash.test.ts
 * All plans: TOKENWRIGHT_LONG=1. Otherwise each write is struck once, the points of the crash taking turns.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plansOf, type Run, run } from './harness/plans.ts';
import { SCENARIOS, type Scenario } from './harness/scenarios.ts';
import { Theatre } from './harness/stage.ts';

const wanted = process.env.TOKENWRIGHT_PLAN;
const PLANS = plansOf(wanted !== undefined || process.env.TOKENWRIGHT_LONG === '1').filter(
  ({ name }) => wanted === undefined || name === wanted,
);
const FAULT_FREE = SCENARIOS.filter(({ name }) => wanted === undefined || wanted.startsWith(`${name}/`));

let theatre: Theatre;
const faultFree = new Map<string, Promise<Run>>();

function withoutFault(scenario: Scenario): Promise<Run> {
  const known = faultFree.get(scenario.name) ?? run(theatre, scenario);
  faultFree.set(scenario.name, known);
  return known;
}

beforeAll(async () => {
  theatre = await Theatre.open('crash');
});

afterAll(async () => {
  await theatre?.close();
});

it('knows the plan that it is asked for', () => {
  expect(PLANS, `no plan is called ${wanted}`).not.toEqual([]);
});

describe.concurrent('without a fault', () => {
  it.each(FAULT_FREE)('$name makes the writes that its plans strike, and no other', async (scenario) => {
    const { calls, breaches } = await withoutFault(scenario);
    expect(calls.slice(0, scenario.calls.length)).toEqual(scenario.calls);
    expect(breaches).toEqual([]);
  });
});

describe.concurrent('struck at', () => {
  it.each(PLANS)('$name: ends as if nothing had happened', async (plan) => {
    const [expected, { end, breaches }] = await Promise.all([
      withoutFault(plan.scenario),
      run(theatre, plan.scenario, plan),
    ]);
    expect(breaches).toEqual([]);
    expect(end).toEqual(expected.end);
  });
});
