/** Sends junk: so many calls, with so many under way at a time, each over a connection of its own. */
import type { TokenID } from '../../../../src/domain/value.ts';
import { type Address, Asker } from '../asker.ts';
import { JUNK, type Junk } from '../flood.ts';
import { carryOut } from './job.ts';

export interface FlooderJob {
  verifier: Address;
  calls: number;
  underWay: number;
  knownIDs: readonly TokenID[];
}

export interface FlooderSeen {
  sent: number;
  seconds: number;
  /** What was sent and how it was answered: how often. */
  answers: Record<string, number>;
}

await carryOut<FlooderJob, FlooderSeen>(async ({ verifier, calls, underWay, knownIDs }) => {
  const asker = new Asker(verifier, underWay);
  const answers: Record<string, number> = {};
  let sent = 0;
  const send = async () => {
    while (sent < calls) {
      const { what, make } = JUNK[sent % JUNK.length] as Junk;
      sent += 1;
      const { status } = await asker.ask(make(knownIDs));
      const key = `${what}: ${status}`;
      answers[key] = (answers[key] ?? 0) + 1;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: underWay }, send));
  const seconds = (performance.now() - began) / 1000;
  await asker.close();
  return { sent, seconds, answers };
});
