/** How long nothing else can run. */
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect } from 'vitest';

/** What no input may take, in milliseconds. */
export const STALL = 50;

/** In milliseconds of this thread, which other processes do not add to. The least of three: the first may pay for the compiler. */
export function stallOf(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 && least > STALL / 2; i += 1) {
    const before = process.threadCpuUsage();
    run();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

const isLong = process.env.TOKENWRIGHT_LONG === '1';

/** How many runs a comparison with a reference has. */
export const RUNS = isLong ? 20_000 : 1000;

/** Of each of the four parsers, ten million together. */
const INPUTS = isLong ? 2_500_000 : 1000;
/** Between them vitest is answered. */
const AT_ONCE = 10_000;

export const FUZZ = { timeout: isLong ? 7_200_000 : 60_000 };

/** Whatever the input, `attempt` throws nothing and stalls nothing. */
export async function fuzz<T>(inputs: fc.Arbitrary<T>, attempt: (input: T) => void): Promise<void> {
  const slowest = { took: 0, input: '' };
  const property = fc.property(inputs, (input) => {
    const took = stallOf(() => attempt(input));
    if (took > slowest.took) Object.assign(slowest, { took, input: JSON.stringify(input) });
    expect(took).toBeLessThan(STALL);
  });
  for (let left = INPUTS; left > 0; left -= AT_ONCE) {
    fc.assert(property, { numRuns: Math.min(left, AT_ONCE) });
    await setImmediate();
  }
  if (isLong) process.stderr.write(`${INPUTS} inputs, the slowest took ${slowest.took} ms: ${slowest.input}\n`);
}
