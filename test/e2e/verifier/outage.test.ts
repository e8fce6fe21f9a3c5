/** What verifiers do when the operator is not there, and when they cannot reach the API server. */

import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet, type Member } from './fleet.ts';
import { Loop, Pulse, untilRefused } from './prober.ts';
import { Program } from './program.ts';
import type { CallerJob, CallerSeen } from './programs/caller.ts';
import { isLong } from './size.ts';

/** How often the verifier cut off is put to the test. */
const CUTS = isLong ? 20 : 2;
const STALENESS = 5;
/** Between two proofs of what is revoked, in seconds: the last one before a cut may be so old. */
const PROOF_INTERVAL = 2;

const names = Array.from({ length: CUTS }, (_, index) => `leaked-${index}`);

let fleet: Fleet;
let pulse: Pulse;

beforeAll(async () => {
  const tokens = Object.fromEntries(['steady', ...names].map((name) => [name, {}]));
  fleet = await Fleet.open('outage', { verifiers: 3, staleness: `${STALENESS}s`, tokens });
  pulse = new Pulse(fleet.stage);
  await fleet.untilAccepted(['steady']);
  // for the whole test
  await fleet.stage.operator.stop();
});

afterAll(async () => {
  await pulse?.stop();
  await fleet?.close();
});

const untilAll = (status: number, value: string) =>
  fleet.stage.untilAsked(`all verifiers answer ${status}`, async () =>
    (await fleet.statuses(value)).every((one) => one === status),
  );

/** Notes each change of what one verifier answers, with the time. */
function follow(member: Member, value: string) {
  const changes: { status: number; at: number }[] = [];
  const loop = new Loop(async () => {
    const { status, answeredAt } = await member.ask(value);
    if (changes.at(-1)?.status !== status) changes.push({ status, at: answeredAt });
  }, 10);
  return { changes, stop: () => loop.stop() };
}

it(
  'refuses within the staleness what is revoked while a verifier is cut off, and recovers alone',
  async () => {
    const [cut, ...others] = fleet.members;
    if (cut === undefined) throw new Error('there is no verifier');
    const elsewhere = Program.start<CallerJob, CallerSeen<'steady'>>('caller', {
      steady: { urls: others.map(({ url }) => url), token: { value: fleet.value('steady') }, perSecond: 40 },
    });
    for (const [number, name] of names.entries()) {
      const value = fleet.value(name);
      await untilAll(200, value);
      cut.proxy.freeze();
      await fleet.stage.revoke(`cut-${number}`, { match: { name } });
      const orderedAt = Date.now();
      const refusals = await Promise.all(fleet.members.map((member) => untilRefused(member, value)));
      const [late = 0, ...soon] = refusals.map(({ no }) => no.answeredAt - orderedAt);
      process.stderr.write(`cut off: closed after ${late} ms, the others after ${soon.join(' and ')} ms\n`);
      expect(refusals[0]?.no.status).toBe(503);
      expect(late).toBeLessThanOrEqual(STALENESS * 1000 + pulse.slack);
      for (const { no } of refusals.slice(1)) expect(no.status).toBe(401);
      expect(Math.max(...soon)).toBeLessThanOrEqual(1000 + pulse.slack);
      cut.proxy.thaw();
      await untilAll(401, value);
      await untilAll(200, fleet.value('steady'));
    }
    const { steady } = await elsewhere.stop();
    expect(Object.keys(steady.statuses)).toEqual(['200']);
  },
  60_000 + CUTS * 20_000,
);

it('goes on for as long as the audience allows when the API server hangs, then closes, then recovers alone', async () => {
  const value = fleet.value('steady');
  await untilAll(200, value);
  for (const { proxy } of fleet.members) proxy.freeze();
  const frozenAt = Date.now();
  const watched = fleet.members.map((member) => follow(member, value));
  await fleet.stage.untilAsked('all have closed', async () => watched.every(({ changes }) => changes.length > 1));
  const closedAfter = watched.map(({ changes }) => ((changes[1]?.at ?? 0) - frozenAt) / 1000);
  process.stderr.write(`the API server hangs: closed after ${closedAfter.join(', ')} s\n`);
  // closed stays closed
  await wait(500);
  for (const { proxy } of fleet.members) proxy.thaw();
  await fleet.stage.untilAsked('all have recovered', async () => watched.every(({ changes }) => changes.length > 2));
  await Promise.all(watched.map(({ stop }) => stop()));
  for (const { changes } of watched) expect(changes.map(({ status }) => status)).toEqual([200, 503, 200]);
  const slack = (2 * pulse.slowest) / 1000;
  expect(Math.min(...closedAfter)).toBeGreaterThanOrEqual(STALENESS - PROOF_INTERVAL - slack);
  expect(Math.max(...closedAfter)).toBeLessThanOrEqual(STALENESS + slack);
});
