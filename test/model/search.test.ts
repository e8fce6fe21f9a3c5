import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STATE_SIZE, StateSet } from './encode.ts';
import { scenarioNamed } from './scenarios.ts';
import { explore } from './search.ts';
import { Model, type Secret } from './world.ts';

const WANTED = 1_000_000;
const BUSY = 'two operators, a crash and a request in flight';
/** Of one core, whatever else the machine does; and only the long run is held to it. */
const SECONDS_ALLOWED = process.env.TOKENWRIGHT_LONG === '1' ? 60 : Number.POSITIVE_INFINITY;

describe('the search', () => {
  it(`visits a million distinct states of one world within a minute, and finds no fault: ${BUSY}`, () => {
    const before = process.cpuUsage();
    const { states, depth, violation } = explore(scenarioNamed(BUSY), { states: WANTED, livenessEvery: 200 });
    const { user, system } = process.cpuUsage(before);
    const seconds = (user + system) / 1e6;
    process.stdout.write(
      `model: ${states} distinct states, ${depth} steps deep, in ${seconds.toFixed(1)} CPU seconds\n`,
    );
    expect(violation).toBeUndefined();
    expect(states).toBeGreaterThanOrEqual(WANTED);
    expect(seconds).toBeLessThan(SECONDS_ALLOWED);
  }, 300_000);

  it('counts each state once', () => {
    const rows = fc.array(fc.array(fc.nat(3), { minLength: STATE_SIZE, maxLength: STATE_SIZE }), { maxLength: 50 });
    fc.assert(
      fc.property(rows, rows, (first, second) => {
        const set = new StateSet(200);
        const all = [...first, ...second, ...first];
        for (const row of all) set.add(Int32Array.from(row));
        expect(set.size).toBe(new Set(all.map(String)).size);
      }),
    );
  });

  it('takes things that differ only in the order of their keys for one', () => {
    const secret: Secret = {
      owner: 0,
      digest: 1,
      version: 1,
      intact: true,
      template: 0,
      asDeclared: true,
      settledFor: 0,
    };
    const { owner, ...rest } = secret;
    const { secrets } = new Model(scenarioNamed(BUSY));
    expect(secrets.of({ ...rest, owner })).toBe(secrets.of(secret));
    expect(secrets.of({ ...secret, settledFor: 1 })).not.toBe(secrets.of(secret));
  });
});
