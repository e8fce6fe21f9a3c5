/** Programs that call with good tokens: streams of calls, each over connections of its own. */
import { readFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { Pool } from 'undici';
import { percentile } from '../statistics.ts';
import { carryOut, steadily } from './job.ts';

export interface Stream {
  /** Asked in turn. */
  urls: readonly string[];
  /** Given once, as to a program that reads it at its start; or in a file that is read before each call. None where left out. */
  token?: { value: string } | { file: string };
  /** However long the answers take. One call after the other where left out. */
  perSecond?: number;
}

export interface StreamSeen {
  calls: number;
  /** How often each was answered; by its code what was not. */
  statuses: Record<string, number>;
  /** Those that were not let through, with Date.now() when the answer was there. */
  refused: { status: string; answeredAt: number }[];
  /** Milliseconds. */
  p50: number;
  p99: number;
  max: number;
}

export type CallerJob = Readonly<Record<string, Stream>>;
export type CallerSeen<Name extends string = string> = Record<Name, StreamSeen>;

async function call(stream: Stream, stop: AbortSignal): Promise<StreamSeen> {
  const { urls, token, perSecond } = stream;
  const targets = urls.map((text) => {
    const { origin, pathname, search } = new URL(text);
    return { pool: new Pool(origin, { connections: perSecond === undefined ? 1 : 32 }), path: pathname + search };
  });
  const statuses: Record<string, number> = {};
  const refused: StreamSeen['refused'] = [];
  const milliseconds: number[] = [];
  const once = async (number: number) => {
    const { pool, path } = targets[number % targets.length] as (typeof targets)[number];
    const headers = token && {
      authorization: `Bearer ${'file' in token ? readFileSync(token.file, 'utf8') : token.value}`,
    };
    const began = performance.now();
    const status = await pool
      .request({ path, method: 'GET', ...(headers && { headers }) })
      .then(async ({ statusCode, body }) => {
        await body.dump();
        return String(statusCode);
      })
      .catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
    milliseconds.push(performance.now() - began);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status !== '200') refused.push({ status, answeredAt: Date.now() });
  };

  // at least once, or there is nothing to tell
  if (perSecond !== undefined) await steadily({ perSecond }, (number) => number === 0 || !stop.aborted, once);
  else {
    // takes what everybody else leaves of the machine: fifty of these would keep the operator itself from running
    setPriority(constants.priority.PRIORITY_LOW);
    for (let number = 0; !stop.aborted; number += 1) await once(number);
  }
  await Promise.all(targets.map(({ pool }) => pool.close()));
  const [p50, p99, max] = [percentile(milliseconds, 0.5), percentile(milliseconds, 0.99), percentile(milliseconds, 1)];
  return { calls: milliseconds.length, statuses, refused, p50, p99, max };
}

await carryOut<CallerJob, CallerSeen>(async (job, stop) => {
  const streams = Object.entries(job).map(async ([name, stream]) => [name, await call(stream, stop)] as const);
  return Object.fromEntries(await Promise.all(streams));
});
