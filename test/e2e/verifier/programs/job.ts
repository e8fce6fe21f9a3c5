/** How a program talks to the test that started it: a job as JSON on stdin, whose end ends the work; then one line of JSON on stdout. */
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export async function carryOut<Job, Seen>(work: (job: Job, stop: AbortSignal) => Promise<Seen>): Promise<void> {
  const stop = new AbortController();
  const lines = createInterface({ input: process.stdin }).once('close', () => stop.abort());
  const [line] = await once(lines, 'line');
  const seen = await work(JSON.parse(line), stop.signal);
  process.stdout.write(`${JSON.stringify(seen)}\n`);
  process.stdin.destroy();
}
