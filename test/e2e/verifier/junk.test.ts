/** A flood of junk: nobody who holds a good token notices, and the API server is hardly asked. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Fleet, isLong } from './fleet.ts';
import { idOf, JUNK, type Junk } from './flood.ts';
import { Loop, percentile, Traffic } from './prober.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { calls: 1_000_000, rotations: 20, lag: 50, slowdown: 2 }
  : { calls: 3000, rotations: 2, lag: Number.POSITIVE_INFINITY, slowdown: Number.POSITIVE_INFINITY };
/** Calls under way at a time: an unknown value of a known token id waits up to a second. */
const SENDERS = 200;
/** Reads that junk may cost the API server in a second: of unknown token ids all together; and one of each known one. */
const SEARCHES = 10;
/** Whose ids the junk carries. */
const AIMED_AT = ['steady', 'rotated'];

let fleet: Fleet;

beforeAll(async () => {
  const tokens = Object.fromEntries(AIMED_AT.map((name) => [name, {}]));
  fleet = await Fleet.open('junk', { verifiers: 1, staleness: '30s', tokens });
});

afterAll(() => fleet?.close());

/** What good calls take, 99 of 100. */
async function p99Of(traffic: Traffic): Promise<number> {
  await traffic.stop();
  expect([...traffic.statuses.keys()]).toEqual([200]);
  return percentile(traffic.milliseconds, 0.99);
}

it(
  'holds under junk, and accepts a fresh rotation meanwhile',
  async () => {
    const { stage, members } = fleet;
    const [member] = members;
    if (member === undefined) throw new Error('there is no verifier');
    const isRead = ({ verb, resource }: { verb: string; resource: string }) =>
      (verb === 'get' || verb === 'list') && resource === 'apitokens';
    const steady = () => new Traffic(fleet, () => fleet.value('steady'), 100);
    const quiet = steady();
    await wait(1000);
    const p99Quiet = await p99Of(quiet);

    const ids = AIMED_AT.map((name) => idOf(fleet.value(name)));
    const readsBefore = member.proxy.calls.filter(isRead).length;
    const good = steady();
    // the value of the moment, from the instant that it stands in the Secret
    const fresh = new Traffic(fleet, () => fleet.value('rotated'), 100);
    const began = performance.now();
    let sent = 0;
    const statuses = new Map<string, number>();
    const send = async () => {
      while (sent < SIZE.calls) {
        const { what, make } = JUNK[sent % JUNK.length] as Junk;
        sent += 1;
        const { status } = await member.ask(make(ids));
        const key = `${what}: ${status}`;
        statuses.set(key, (statuses.get(key) ?? 0) + 1);
      }
    };
    const flooding = Promise.all(Array.from({ length: SENDERS }, send));
    const lags: number[] = [];
    const pinging = new Loop(async () => {
      const asked = performance.now();
      await member.process.ping();
      lags.push(performance.now() - asked);
    }, 20);
    for (let version = 2; version < 2 + SIZE.rotations; version += 1) {
      await stage.requestRotation('rotated');
      await stage.untilDelivered('rotated', version);
    }
    await flooding;
    await pinging.stop();
    const lag = percentile(lags, 0.99);
    const seconds = (performance.now() - began) / 1000;
    const reads = member.proxy.calls.filter(isRead).length - readsBefore;
    const p99 = await p99Of(good);
    await p99Of(fresh);
    process.stderr.write(
      `${sent} junk calls in ${seconds.toFixed(1)} s: ${reads} reads of ApiTokens; good calls p99 ${p99.toFixed(1)} ms (${p99Quiet.toFixed(1)} ms without junk); answers that take no work p99 ${lag.toFixed(1)} ms\n`,
    );

    expect(member.process.ended).toBe(false);
    expect([...statuses.keys()].sort()).toEqual(JUNK.map(({ what }) => `${what}: 401`).sort());
    expect(reads).toBeGreaterThan(0);
    expect(reads).toBeLessThanOrEqual((SEARCHES + AIMED_AT.length) * (seconds + 1));
    expect(lag).toBeLessThanOrEqual(SIZE.lag);
    expect(p99).toBeLessThanOrEqual(SIZE.slowdown * p99Quiet);
  },
  120_000 + SIZE.calls,
);
