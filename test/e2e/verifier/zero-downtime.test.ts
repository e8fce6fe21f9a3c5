/** I1: rotations of tokens in use, through a real gateway, with not one call refused. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isLeftOut } from '../../../tools/parts/left-out.ts';
import type { RunningPart } from '../../../tools/parts/running.ts';
import { Backend } from '../gateways/backend.ts';
import { DOORS } from '../gateways/doors.ts';
import { certificate } from '../gateways/scene.ts';
import { Consumers } from './consumers.ts';
import { Fleet, isLong } from './fleet.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { tokens: 50, rotations: 20, calls: 1_000_000, pause: 1 }
  : { tokens: 4, rotations: 5, calls: 1000, pause: 20 };
const names = Array.from({ length: SIZE.tokens }, (_, index) => `agent-${index}`);
/** The others' pods read the Secret as a volume, and so are not restarted. */
const isRestarted = (name: string) => names.indexOf(name) % 2 === 0;

let fleet: Fleet;
let backend: Backend;
let gateway: RunningPart;

describe.skipIf(isLeftOut('nginx'))('rotations under load', () => {
  beforeAll(async () => {
    const tls = await certificate();
    fleet = await Fleet.open('zero-downtime', {
      verifiers: 1,
      staleness: '30s',
      // as long as those wait that follow a Secret
      tokens: Object.fromEntries(
        names.map((name) => [name, { scopes: ['reports:read'], rotation: { overlap: '10s' } }]),
      ),
      flags: { 'tls-cert-file': tls.certFile, 'tls-key-file': tls.keyFile, 'trusted-proxy': '127.0.0.1/32' },
      // a pod that is gone is heard of here only after a moment
      operatorFlags: { 'settle-after': '3s' },
    });
    backend = await Backend.start();
    const [nginx] = DOORS;
    const [member] = fleet.members;
    if (nginx?.name !== 'nginx' || member === undefined) throw new Error('there is no nginx or no verifier');
    gateway = await nginx.start({
      audience: fleet.audience,
      caFile: tls.caFile,
      verifier: { port: member.process.port, grpcPort: 0 },
      backend,
    });
    const deploy = (name: string) =>
      fleet.stage.deploy(name, { secret: name, reads: isRestarted(name) ? 'env' : 'volume' });
    await Promise.all(names.map(deploy));
  });

  afterAll(async () => {
    await gateway?.stop();
    await backend?.close();
    await fleet?.close();
  });

  /** One after the other: each when the one before has reached its pods. */
  async function rotate(name: string): Promise<void> {
    const { stage } = fleet;
    for (let version = 2; version < 2 + SIZE.rotations; version += 1) {
      await stage.requestRotation(name);
      await stage.untilDelivered(name, version, 120);
      if (!isRestarted(name)) continue;
      await stage.until(
        `${name} runs with version ${version}`,
        () =>
          stage.restarts('deployments', name, name).at(-1) === String(version) &&
          stage.isRolledOut('deployments', name),
        120,
      );
    }
  }

  it(
    'refuse not one call',
    async () => {
      const consumers = new Consumers(fleet.stage, { port: gateway.port, path: '/reports/today' }, () =>
        wait(SIZE.pause),
      );
      consumers.startWithPods((app) => (isRestarted(app) ? app : undefined));
      for (const name of names.filter((one) => !isRestarted(one))) consumers.follow(name);
      await Promise.all(names.map(rotate));
      while (consumers.calls < SIZE.calls) await wait(100);
      await consumers.stop();
      const rotations = SIZE.tokens * SIZE.rotations;
      process.stderr.write(`${rotations} rotations, ${consumers.calls} calls by ${consumers.size} programs: `);
      process.stderr.write(
        `${[...consumers.statuses].map(([status, count]) => `${count} times ${status}`).join(', ')}\n`,
      );
      expect([...consumers.statuses.keys()]).toEqual([200]);
      // each rotation that restarts brought a program of its own
      const restarting = names.filter(isRestarted).length;
      expect(consumers.size).toBeGreaterThanOrEqual(names.length + restarting * SIZE.rotations);
    },
    120_000 + SIZE.calls * 4,
  );
});
