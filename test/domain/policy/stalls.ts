/** How long nothing else can run. */

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

/** How many runs a fuzz has, and how long they may take together. */
export const RUNS = isLong ? 20_000 : 1000;
export const FUZZ = { timeout: isLong ? 600_000 : 60_000 };
