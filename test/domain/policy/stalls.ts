/** How long nothing else can run. */

/** What no input may take, in milliseconds. */
export const STALL = 50;

/** The least of three, in milliseconds: what else the machine does adds to it and never takes away. */
export function stallOf(run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 && least > STALL / 2; i += 1) {
    const start = performance.now();
    run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}

/** How many runs a fuzz has. */
export const RUNS = process.env.TOKENWRIGHT_LONG === '1' ? 50_000 : 1000;
