/** I2: what is revoked is refused everywhere within a second, and the receipts say the same as somebody outside sees. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TokenRevocation } from '../../../src/api/token-revocation.ts';
import { expectOk } from '../../crds/api-server.ts';
import { tokenRevocation } from '../harness/manifests.ts';
import { keyOfSecret, type Stage } from '../harness/stage.ts';
import { Fleet, isLong } from './fleet.ts';
import { Pulse, percentile, type Refusal, Traffic, untilRefused } from './prober.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { revocations: 5000, perSecond: 20, tokens: 200, calls: 1000, inert: 100_000, p99: 250 }
  : { revocations: 15, perSecond: 5, tokens: 15, calls: 60, inert: 30, p99: Number.POSITIVE_INFINITY };
/** The promise, in milliseconds. */
const MAX = 1000;
const SECONDS = SIZE.revocations / SIZE.perSecond + SIZE.inert / 50;

const names = Array.from({ length: SIZE.tokens }, (_, index) => `agent-${index}`);

interface Observed {
  order: string;
  /** Date.now() when the answer to its creation was there. */
  orderedAt: number;
  refusals: Refusal[];
}

let fleet: Fleet;
let stage: Stage;

beforeAll(async () => {
  const tokens = Object.fromEntries(['steady', ...names].map((name) => [name, {}]));
  fleet = await Fleet.open('revoked', { verifiers: 3, staleness: '30s', tokens });
  ({ stage } = fleet);
});

afterAll(() => fleet?.close());

/** Revokes what the token's Secret holds, and watches every verifier. */
async function revoke(order: string, token: string): Promise<Observed> {
  const value = await usedValue(token);
  expect(await fleet.statuses(value), `${token} before ${order}`).toEqual(fleet.members.map(() => 200));
  await stage.revoke(order, { match: { name: token } });
  const orderedAt = Date.now();
  return { order, orderedAt, refusals: await Promise.all(fleet.members.map((one) => untilRefused(one, value))) };
}

/** The replacement, when there was an order before. */
function usedValue(token: string): Promise<string> {
  return stage.until(`${token} is delivered`, () => {
    const version = stage.delivered(token);
    return version !== undefined && keyOfSecret(stage.secret(token), 'token');
  });
}

/** Of a tenant who writes as many orders as it likes, in a namespace that is governed too. */
async function clutter(): Promise<void> {
  const other = await fleet.theatre.stage();
  await other.start();
  const path = other.path('tokenrevocations');
  let made = 0;
  const make = async () => {
    while (made < SIZE.inert) {
      made += 1;
      expectOk(await other.server.create(path, tokenRevocation(`inert-${made}`, { match: { name: 'nobody' } })));
    }
  };
  await Promise.all(Array.from({ length: 8 }, make));
}

const receiptsOf = ({ status }: TokenRevocation) =>
  (status?.receipts ?? []).filter(({ verifier }) => fleet.members.some(({ name }) => name === verifier));

it(
  'refuses at every verifier within a second of the order, whatever else is asked and ordered',
  async () => {
    const pulse = new Pulse(fleet);
    const traffic = new Traffic(fleet, () => fleet.value('steady'), SIZE.calls);
    const cluttering = clutter();
    const revoking: Promise<Observed>[] = [];
    for (let number = 0; number < SIZE.revocations; number += 1) {
      revoking.push(revoke(`order-${number}`, names[number % names.length] ?? ''));
      await wait(1000 / SIZE.perSecond);
    }
    const observed = await Promise.all(revoking);
    await cluttering;
    await traffic.stop();
    await pulse.stop();

    const times = observed.map(({ orderedAt, refusals }) =>
      Math.max(...refusals.map(({ no }) => no.answeredAt - orderedAt)),
    );
    const [p50, p99, max] = [percentile(times, 0.5), percentile(times, 0.99), Math.max(...times)];
    process.stderr.write(
      `${observed.length} revocations, ${traffic.calls} calls, ${SIZE.inert} inert orders: refused by all three after ${p50} ms (p50), ${p99} ms (p99), ${max} ms (max); slowest GET ${Math.round(pulse.slowest)} ms\n`,
    );
    expect(observed.flatMap(({ refusals }) => refusals.map(({ no }) => no.status))).toEqual(
      Array(3 * SIZE.revocations).fill(401),
    );
    expect(max).toBeLessThanOrEqual(MAX + pulse.slowest);
    expect(p99).toBeLessThanOrEqual(SIZE.p99);
    expect([...traffic.statuses.keys()]).toEqual([200]);

    for (const { order, refusals } of observed) {
      const receipts = await stage.until(
        `${order} has its receipts`,
        () => {
          const revocation = stage.timeline.get('tokenrevocations', stage.namespace, order);
          const found = revocation && receiptsOf(revocation);
          return found?.length === 3 && found;
        },
        60,
      );
      for (const { verifier, lastYes, no } of refusals) {
        const receipt = receipts.find((one) => one.verifier === verifier);
        const time = Date.parse(receipt?.time ?? '');
        // nothing that was asked after the receipt's time went through; and it was no later than what was seen
        expect(time).toBeGreaterThanOrEqual((lastYes?.askedAt ?? 0) - 1);
        expect(time).toBeLessThanOrEqual(no.answeredAt + pulse.slowest);
      }
    }
  },
  (60 + 3 * SECONDS) * 1000,
);
