/** A flood of junk: nobody who holds a good token notices, and the API server is hardly asked. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet } from './fleet.ts';
import { idOf, JUNK } from './flood.ts';
import { Program } from './program.ts';
import type { CallerJob, CallerSeen } from './programs/caller.ts';
import type { FlooderJob, FlooderSeen } from './programs/flooder.ts';
import { SecretFile } from './secret-file.ts';
import { isLong } from './size.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { calls: 1_000_000, perSecond: 2000, underWay: 600, rotations: 20, quiet: 30_000, lag: 50, slowdown: 2 }
  : { calls: 3000, perSecond: 1000, underWay: 200, rotations: 2, quiet: 1000, lag: Number.POSITIVE_INFINITY, slowdown: Number.POSITIVE_INFINITY };
/** Reads that junk may cost the API server in a second: of unknown token ids all together; and one of each known one. */
const SEARCHES = 10;
/** Whose ids the junk carries. */
const AIMED_AT = ['steady', 'rotated'];

let fleet: Fleet;
let fresh: SecretFile;

beforeAll(async () => {
  // only so many versions are accepted at a time
  const spec = { rotation: { overlap: '10s' } };
  const tokens = Object.fromEntries(AIMED_AT.map((name) => [name, name === 'rotated' ? spec : {}]));
  fleet = await Fleet.open('junk', { verifiers: 1, staleness: '30s', tokens });
  await fleet.untilAccepted(AIMED_AT);
  fresh = new SecretFile(fleet.stage, 'rotated');
});

afterAll(async () => {
  fresh?.close();
  await fleet?.close();
});

it(
  'holds under junk, and accepts a fresh rotation meanwhile',
  async () => {
    const { stage, members } = fleet;
    const [member] = members;
    if (member === undefined) throw new Error('there is no verifier');
    const isRead = ({ verb, resource }: { verb: string; resource: string }) =>
      (verb === 'get' || verb === 'list') && resource === 'apitokens';
    const job = {
      steady: { urls: [member.url], token: { value: fleet.value('steady') }, perSecond: 100 },
      // the value of the moment, from the instant that it stands in the Secret
      fresh: { urls: [member.url], token: { file: fresh.path }, perSecond: 100 },
      // answered by the same event loop, and with nothing to work out
      lag: { urls: [member.process.healthURL], perSecond: 50 },
    };
    const call = () => Program.start<CallerJob, CallerSeen<keyof typeof job>>('caller', job);
    const before = call();
    await wait(SIZE.quiet);
    const quiet = await before.stop();

    const readsBefore = member.proxy.calls.filter(isRead).length;
    const calling = call();
    const flood = Program.start<FlooderJob, FlooderSeen>('flooder', {
      verifier: member.address,
      calls: SIZE.calls,
      perSecond: SIZE.perSecond,
      underWay: SIZE.underWay,
      knownIDs: AIMED_AT.map((name) => idOf(fleet.value(name))),
    });
    for (let version = 2; version < 2 + SIZE.rotations; version += 1) {
      await stage.requestRotation('rotated');
      await stage.untilDelivered('rotated', version);
    }
    const { seconds, answers } = await flood.seen;
    const { steady, fresh: rotated, lag } = await calling.stop();
    const reads = member.proxy.calls.filter(isRead).length - readsBefore;
    const figures = ({ p50, p99, max }: CallerSeen[string]) => [p50, p99, max].map((ms) => ms.toFixed(1)).join(', ');
    process.stderr.write(
      `${SIZE.calls} junk calls in ${seconds.toFixed(1)} s: ${reads} reads of ApiTokens; p50, p99, max in ms: good calls ${figures(steady)} (${figures(quiet.steady)} without junk); rotated ${figures(rotated)}; answers that take no work ${figures(lag)} (${figures(quiet.lag)})\n`,
    );

    expect(member.process.ended).toBe(false);
    for (const { statuses } of [steady, rotated, lag]) expect(Object.keys(statuses)).toEqual(['200']);
    expect(Object.keys(answers).sort()).toEqual(JUNK.map(({ what }) => `${what}: 401`).sort());
    expect(Object.values(answers).reduce((sum, count) => sum + count, 0)).toBe(SIZE.calls);
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThanOrEqual((SEARCHES + AIMED_AT.length) * (seconds + 1));
    expect(lag.p99).toBeLessThanOrEqual(SIZE.lag);
    expect(steady.p99).toBeLessThanOrEqual(SIZE.slowdown * quiet.steady.p99);
  },
  120_000 + SIZE.calls,
);
