/** Three verifiers and a real Redis hold one limit together; without it each holds its share. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedis } from '../../../tools/parts/redis.ts';
import type { RunningPart } from '../../../tools/parts/running.ts';
import { Switchboard } from '../gateways/switchboard.ts';
import { Fleet, type Member } from './fleet.ts';
import { isLong } from './size.ts';

const VERIFIERS = 3;
/** Calls in a window that no test outlives. */
const LIMIT = isLong ? 3000 : 300;
/** Beyond the limit, so that it is the limit that ends them. */
const CALLS = 1.2 * LIMIT;

/** A token each, so that every state of the store begins with a window of its own. */
// biome-ignore format: a table
const STATES = [
  ['shared', 'the store counts for all', () => {}],
  ['lost', 'the store is down', () => store.refuse()],
  ['found', 'the store is back', () => reconnect()],
  ['frozen', 'the store hangs', () => process.kill(redis.pid, 'SIGSTOP')],
  ['thawed', 'the store goes on', () => thaw()],
] as const;
const COUNTED_TOGETHER = ['shared', 'found', 'thawed'];

let redis: RunningPart;
let store: Switchboard;
let fleet: Fleet;

beforeAll(async () => {
  redis = await startRedis();
  store = await Switchboard.open();
  store.connectTo(redis.port);
  const limits = { rateLimits: [{ requests: LIMIT, per: '1h' }] };
  fleet = await Fleet.open('limits', {
    verifiers: VERIFIERS,
    staleness: '1h',
    tokens: Object.fromEntries(STATES.map(([token]) => [token, limits])),
    flags: { 'rate-limit-store': `redis://127.0.0.1:${store.port}`, replicas: String(VERIFIERS) },
  });
  await untilConnected(1);
});

afterAll(async () => {
  await fleet?.close();
  await store?.close();
  await redis?.stop();
});

const untilConnected = (times: number) =>
  fleet.stage.untilAsked('the verifiers have the store', async () =>
    fleet.members.every((member) => member.process.said('rate limit store connected') >= times),
  );

async function reconnect(): Promise<void> {
  store.connectTo(redis.port);
  await untilConnected(2);
}

async function thaw(): Promise<void> {
  process.kill(redis.pid, 'SIGCONT');
  await untilConnected(3);
}

/** How many of its share of the calls one verifier let through. */
async function allowedBy(member: Member, token: string): Promise<number> {
  let [left, allowed] = [CALLS / VERIFIERS, 0];
  const call = async () => {
    while (left > 0) {
      left -= 1;
      const { status } = await member.ask(fleet.value(token));
      expect([200, 429]).toContain(status);
      if (status === 200) allowed += 1;
    }
  };
  await Promise.all(Array.from({ length: 2 }, call));
  return allowed;
}

it.each(STATES)('%s: holds the limit while %s', async (token, _, bringAbout) => {
  await bringAbout();
  const allowed = await Promise.all(fleet.members.map((member) => allowedBy(member, token)));
  const all = allowed.reduce((sum, one) => sum + one, 0);
  process.stderr.write(`${token}: ${allowed.join(' + ')} = ${all} of ${LIMIT}\n`);
  if (COUNTED_TOGETHER.includes(token)) {
    expect(all).toBeGreaterThanOrEqual(0.95 * LIMIT);
    expect(all).toBeLessThanOrEqual(1.05 * LIMIT);
  } else {
    expect(allowed).toEqual(fleet.members.map(() => LIMIT / VERIFIERS));
  }
});
