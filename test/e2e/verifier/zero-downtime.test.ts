/** I1: rotations of tokens in use, through a real gateway, with not one call refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLeftOut } from '../../../tools/parts/left-out.ts';
import type { RunningPart } from '../../../tools/parts/running.ts';
import { DOORS } from '../gateways/doors.ts';
import { certificate } from '../gateways/scene.ts';
import { type BareBackend, startBareBackend } from './bare-backend.ts';
import { Consumers } from './consumers.ts';
import { Fleet } from './fleet.ts';
import { isLong } from './size.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { tokens: 50, rotations: 20, calls: 1_000_000 }
  : { tokens: 4, rotations: 5, calls: 1000 };
/** How long the pods of one rotation may take, in seconds: those of all tokens roll at the same time. */
const PATIENCE = 120 + SIZE.tokens;
const names = Array.from({ length: SIZE.tokens }, (_, index) => `agent-${index}`);
/** The others' pods read the Secret as a volume, and so are not restarted. */
const isRestarted = (name: string) => names.indexOf(name) % 2 === 0;

let fleet: Fleet;
let backend: BareBackend;
let gateway: RunningPart;

describe.skipIf(isLeftOut('nginx'))('rotations under load', () => {
  beforeAll(async () => {
    const tls = await certificate();
    fleet = await Fleet.open('zero-downtime', {
      verifiers: 1,
      staleness: '5m',
      // those that follow a Secret wait for as long; a restart ends its overlap by itself, however slow the machine
      tokens: Object.fromEntries(
        names.map((name) => [
          name,
          { scopes: ['reports:read'], ...(isRestarted(name) ? {} : { rotation: { overlap: '10s' } }) },
        ]),
      ),
      flags: {
        'tls-cert-file': tls.certFile,
        'tls-key-file': tls.keyFile,
        'trusted-proxy': '127.0.0.1/32',
        'no-metrics-auth': '',
      },
      // a pod that is gone is heard of here only after a moment
      operatorFlags: { 'settle-after': '3s', 'max-concurrent-rollouts': String(SIZE.tokens) },
    });
    // other tests inspect the operator's writes, for which they read its audit file at each of them
    fleet.stage.proxy.inspect = undefined;
    const [nginx] = DOORS;
    const [member] = fleet.members;
    if (nginx?.name !== 'nginx' || member === undefined) throw new Error('there is no nginx or no verifier');
    backend = await startBareBackend();
    gateway = await nginx.start({
      audience: fleet.audience,
      caFile: tls.caFile,
      verifier: { port: member.process.port, grpcPort: 0 },
      backend,
    });
    const deploy = (name: string) =>
      fleet.stage.deploy(name, { secret: name, reads: isRestarted(name) ? 'env' : 'volume' });
    await Promise.all(names.map(deploy));
    await fleet.untilAccepted(names);
  });

  afterAll(async () => {
    await gateway?.stop();
    backend?.stop();
    await fleet?.close();
  });

  /** One after the other: each when the one before has reached its pods. */
  async function rotate(name: string): Promise<void> {
    const { stage } = fleet;
    for (let version = 2; version < 2 + SIZE.rotations; version += 1) {
      await stage.requestRotation(name);
      await stage.untilDelivered(name, version, PATIENCE);
      if (!isRestarted(name)) continue;
      await stage.until(
        `${name} runs with version ${version}`,
        () =>
          stage.restarts('deployments', name, name).at(-1) === String(version) &&
          stage.isRolledOut('deployments', name),
        PATIENCE,
      );
    }
  }

  it(
    'refuse not one call',
    async () => {
      const [member] = fleet.members;
      if (member === undefined) throw new Error('there is no verifier');
      const consumers = new Consumers(fleet.stage, `http://127.0.0.1:${gateway.port}/reports/today`);
      consumers.startWithPods((app) => (isRestarted(app) ? app : undefined));
      for (const name of names.filter((one) => !isRestarted(one))) consumers.follow(name);
      await Promise.all(names.map(rotate));
      while ((await member.process.verdicts()) < SIZE.calls) await wait(1000);
      const statuses = await consumers.stop();
      const rotations = SIZE.tokens * SIZE.rotations;
      process.stderr.write(
        `${rotations} rotations, ${await member.process.verdicts()} verifications for ${consumers.size} programs: ${[...statuses].map(([status, count]) => `${count} times ${status}`).join(', ')}\n`,
      );
      expect([...statuses.keys()]).toEqual(['200']);
      // each rotation that restarts brought a program of its own
      const restarting = names.filter(isRestarted).length;
      expect(consumers.size).toBeGreaterThanOrEqual(names.length + restarting * SIZE.rotations);
    },
    120_000 + SIZE.calls * 3,
  );
});
