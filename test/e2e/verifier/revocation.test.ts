/** I2: what is revoked is refused everywhere within a second, and the receipts say the same as somebody outside sees. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TokenRevocation } from '../../../src/api/token-revocation.ts';
import { cluster } from '../cluster.ts';
import type { Stage } from '../harness/stage.ts';
import { Fleet } from './fleet.ts';
import { writeInert } from './inert.ts';
import { Pulse } from './prober.ts';
import { Program } from './program.ts';
import type { CallerJob, CallerSeen } from './programs/caller.ts';
import type { RevokerJob, RevokerSeen } from './programs/revoker.ts';
import { isLong } from './size.ts';
import { percentile } from './statistics.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { revocations: 5000, perSecond: 20, tokens: 200, calls: 1000, inert: 100_000, p99: 250 }
  : { revocations: 15, perSecond: 5, tokens: 15, calls: 60, inert: 300, p99: Number.POSITIVE_INFINITY };
/** The promise, in milliseconds. */
const MAX = 1000;
const SECONDS = SIZE.revocations / SIZE.perSecond + SIZE.inert / 500;

const names = Array.from({ length: SIZE.tokens }, (_, index) => `agent-${index}`);

let fleet: Fleet;
let stage: Stage;

beforeAll(
  async () => {
    const tokens = Object.fromEntries(['steady', 'first', ...names].map((name) => [name, {}]));
    fleet = await Fleet.open('revoked', { direct: true, verifiers: 3, staleness: '30s', tokens });
    ({ stage } = fleet);
    await fleet.untilAccepted(['steady', 'first', ...names]);
    const { etcd } = cluster();
    const last = etcd && (await writeInert(etcd, stage.namespace, SIZE.inert)).at(-1);
    if (last !== undefined) {
      const isSeen = () => stage.timeline.get('tokenrevocations', stage.namespace, last) !== undefined;
      await stage.until('the inert revocations are known', isSeen, SECONDS);
    }
    // verifiers hear of them one after the other, so whoever refuses what is revoked last has heard of all
    await stage.revoke('the-first', { match: { name: 'first' } });
    const isRefused = async () => (await fleet.statuses('first')).every((status) => status === 401);
    await stage.untilAsked('the first is refused', isRefused, 60 + SECONDS);
    await fleet.untilAccepted(['steady', ...names]);
  },
  (120 + SECONDS) * 1000,
);

afterAll(() => fleet?.close());

const receiptsOf = ({ status }: TokenRevocation) =>
  (status?.receipts ?? []).filter(({ verifier }) => fleet.members.some(({ name }) => name === verifier));

it(
  'refuses at every verifier within a second of the order, whatever else is asked and ordered',
  async () => {
    const pulse = new Pulse(fleet.stage);
    const traffic = Program.start<CallerJob, CallerSeen<'steady'>>('caller', {
      steady: {
        urls: fleet.members.map(({ url }) => url),
        token: { value: fleet.value('steady') },
        perSecond: SIZE.calls,
      },
    });
    const { observed, seconds } = await Program.start<RevokerJob, RevokerSeen>('revoker', {
      kubeconfig: cluster().kubeconfig,
      namespace: stage.namespace,
      verifiers: fleet.members.map(({ address }) => address),
      tokens: names,
      revocations: SIZE.revocations,
      perSecond: SIZE.perSecond,
    }).seen;
    const { steady } = await traffic.stop();
    await pulse.stop();

    const times = observed.map(({ orderedAt, refusals }) =>
      Math.max(...refusals.map(({ no }) => no.answeredAt - orderedAt)),
    );
    const [p50, p99, max] = [percentile(times, 0.5), percentile(times, 0.99), percentile(times, 1)];
    process.stderr.write(
      `${observed.length} revocations in ${seconds.toFixed(0)} s, ${steady.calls} calls (p99 ${steady.p99.toFixed(1)} ms), ${SIZE.inert} inert orders: refused by all three after ${p50} ms (p50), ${p99} ms (p99), ${max} ms (max); slowest GET ${Math.round(pulse.slowest)} ms\n`,
    );
    expect(observed.filter(({ before }) => before.some((status) => status !== 200))).toEqual([]);
    expect(observed.flatMap(({ refusals }) => refusals.map(({ no }) => no.status))).toEqual(
      Array(3 * SIZE.revocations).fill(401),
    );
    expect(max).toBeLessThanOrEqual(MAX + pulse.slack);
    expect(p99).toBeLessThanOrEqual(SIZE.p99);
    expect(Object.keys(steady.statuses)).toEqual(['200']);

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
        expect(time).toBeLessThanOrEqual(no.answeredAt + 1);
      }
    }
  },
  (60 + 3 * SECONDS) * 1000,
);
