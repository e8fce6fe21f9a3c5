/** No oracle: whoever holds an unknown, expired, retired or revoked value cannot tell which, by no byte and by no clock. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rfc3339 } from '../../../src/domain/lifecycle/describe.ts';
import { composeValue } from '../../../src/domain/value.ts';
import { ENVIRONMENT } from '../harness/manifests.ts';
import { PATIENCE } from '../harness/timeline.ts';
import { pathFor } from './asker.ts';
import { Fleet } from './fleet.ts';
import { idOf } from './flood.ts';
import { Program } from './program.ts';
import type { StopwatchJob, StopwatchSeen } from './programs/stopwatch.ts';
import { isLong } from './size.ts';
import { sampleOf, welch } from './statistics.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { samples: 200_000, t: 4.5 }
  : { samples: 2000, t: Number.POSITIVE_INFINITY };
/** As tests for leaks of timing have it: by chance alone, more is seen once in a hundred thousand times. */
const FOUND = 4.5;

/** Of what is to be over once the operator is stopped, in seconds, at the least: a busy machine has several times as long as a rotation took there. */
const LIFE = 8;

const time = (job: StopwatchJob) => Program.start<StopwatchJob, StopwatchSeen>('stopwatch', job).seen;

/** The largest between any two kinds. */
function largestT(seen: StopwatchSeen): number {
  const samples = Object.values(seen).map(({ milliseconds }) => milliseconds);
  return Math.max(...samples.flatMap((one) => samples.map((other) => (one === other ? 0 : welch(one, other)))));
}

describe('the test of timing', () => {
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const answer = () => response.writeHead(401, { 'content-length': '0' }).end();
      if (request.headers.authorization === 'Bearer slow') setTimeout(answer, 10);
      else answer();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  it('computes t', () => {
    // means 2 and 6, variances 1 and 20/3: by hand -4 / sqrt(1/3 + 20/12)
    expect(welch(sampleOf([1, 2, 3]), sampleOf([3, 5, 7, 9]))).toBeCloseTo(-4 / Math.sqrt(2), 10);
  });

  it('finds a difference of ten milliseconds, however busy the machine', async () => {
    const { port } = server.address() as AddressInfo;
    const seen = await time({ port, path: '/', tokens: { unknown: 'quick', revoked: 'slow' }, samples: 400 });
    expect(largestT(seen)).toBeGreaterThan(FOUND);
  });
});

describe('a verifier', () => {
  let fleet: Fleet;
  const tokens: Record<string, string> = {};
  let life = LIFE;

  beforeAll(async () => {
    fleet = await Fleet.open('oracle', {
      verifiers: 1,
      staleness: '1h',
      tokens: { retired: {}, revoked: {} },
    });
    const { stage, audience } = fleet;
    const began = performance.now();
    await stage.requestRotation('revoked');
    await stage.untilDelivered('revoked', 2);
    life += Math.ceil((5 * (performance.now() - began)) / 1000);
    tokens.retired = fleet.value('retired');
    await stage.patchSpec('retired', { rotation: { overlap: `${life}s` } });
    await stage.requestRotation('retired');
    await stage.untilDelivered('retired', 2);
    const soon = rfc3339(Math.ceil(Date.now() / 1000) + life);
    await stage.issue('expired', { audiences: [audience], notAfter: soon });
    await stage.untilDelivered('expired', 1);
    for (const name of ['expired', 'revoked']) tokens[name] = fleet.value(name);
    tokens.unknown = composeValue(ENVIRONMENT, idOf(fleet.value('revoked')), randomBytes(32)).reveal();
    // so that what is over stays in status, where its outcome is another one
    await stage.operator.stop();
    await stage.revoke('oracle', { match: { name: 'revoked' } });
  });

  afterAll(() => fleet?.close());

  it(
    'answers unknown, expired, retired and revoked values alike, and as fast',
    async () => {
      const { stage, members } = fleet;
      const [member] = members;
      if (member === undefined) throw new Error('there is no verifier');
      await stage.untilAsked(
        'all are refused',
        async () => {
          const answers = await Promise.all(Object.values(tokens).map((token) => member.ask(token)));
          return answers.every(({ status }) => status === 401);
        },
        PATIENCE + life,
      );
      const { port } = new URL(member.address.origin);
      const path = pathFor(member.address.audience);
      const seen = await time({ port: Number(port), path, tokens, samples: SIZE.samples });
      for (const [kind, { milliseconds, answers }] of Object.entries(seen)) {
        const { count, mean, variance } = milliseconds;
        process.stderr.write(
          `${kind}: ${count} answers in ${(1000 * mean).toFixed(1)} us, with a deviation of ${(1000 * Math.sqrt(variance)).toFixed(1)} us; ${answers.length} of them different\n`,
        );
      }
      const t = largestT(seen);
      process.stderr.write(`the largest t is ${t.toFixed(1)}\n`);
      expect(Object.keys(seen).sort()).toEqual(['expired', 'retired', 'revoked', 'unknown']);
      expect([...new Set(Object.values(seen).flatMap(({ answers }) => answers))]).toHaveLength(1);
      expect(t).toBeLessThan(SIZE.t);
      // they are refused for reasons of their own, which are on record
      for (const reason of ['Expired', 'Retired', 'Revoked', 'ValueUnknown'])
        await stage.untilAsked(`${reason} is on record`, async () =>
          member.process.audit().some(({ outcome }) => outcome === reason),
        );
    },
    120_000 + SIZE.samples,
  );
});
