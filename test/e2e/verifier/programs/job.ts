/** How a program talks to the test that started it: a job as JSON on stdin, whose end ends the work; then one line of JSON on stdout. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

export async function carryOut<Job, Seen>(work: (job: Job, stop: AbortSignal) => Promise<Seen>): Promise<void> {
  const stop = new AbortController();
  const lines = createInterface({ input: process.stdin }).once('close', () => stop.abort());
  const [line] = await once(lines, 'line');
  const seen = await work(JSON.parse(line), stop.signal);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  process.stdin.destroy();
}

export interface Pace {
  perSecond: number;
  /** At most; without a bound where left out. */
  underWay?: number;
}

/** Acts so often a second, however long each takes, while `goesOn` says so. Resolves when all are done. */
export async function steadily(
  { perSecond, underWay = Number.POSITIVE_INFINITY }: Pace,
  goesOn: (number: number) => boolean,
  act: (number: number) => Promise<void>,
): Promise<void> {
  const began = performance.now();
  const acting = new Set<Promise<void>>();
  let onDone = () => {};
  for (let number = 0; goesOn(number); number += 1) {
    if (acting.size >= underWay) {
      await new Promise<void>((resolve) => {
        onDone = resolve;
      });
    }
    const one = act(number).finally(() => {
      acting.delete(one);
      onDone();
    });
    acting.add(one);
    const early = began + ((number + 1) * 1000) / perSecond - performance.now();
    if (early > 0) await wait(early);
  }
  await Promise.all(acting);
}
