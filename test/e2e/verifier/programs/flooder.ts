/** Sends junk over connections of its own: so many calls a second, and no more under way than it has connections. */
import { constants, setPriority } from 'node:os';
import type { TokenID } from '../../../../src/domain/value.ts';
import { type Address, Asker } from '../asker.ts';
import { JUNK, type Junk } from '../flood.ts';
import { carryOut, steadily } from './job.ts';

export interface FlooderJob {
  verifier: Address;
  calls: number;
  perSecond: number;
  /** At most. */
  underWay: number;
  knownIDs: readonly TokenID[];
}

export interface FlooderSeen {
  seconds: number;
  /** What was sent and how it was answered: how often. */
  answers: Record<string, number>;
}

// a stranger has a machine of its own, and takes none of the verifier's
setPriority(constants.priority.PRIORITY_LOW);

await carryOut<FlooderJob, FlooderSeen>(async ({ verifier, calls, perSecond, underWay, knownIDs }) => {
  const asker = new Asker(verifier, underWay);
  const answers: Record<string, number> = {};
  const send = async (number: number) => {
    const { what, make } = JUNK[number % JUNK.length] as Junk;
    const { status } = await asker.ask(make(knownIDs));
    const key = `${what}: ${status}`;
    answers[key] = (answers[key] ?? 0) + 1;
  };
  const began = performance.now();
  await steadily({ perSecond, underWay }, (number) => number < calls, send);
  const seconds = (performance.now() - began) / 1000;
  await asker.close();
  return { seconds, answers };
});
