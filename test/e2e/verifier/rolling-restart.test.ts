/** Verifiers are replaced under load, as a rollout replaces their pods, behind every gateway at once: not one call is lost. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isLeftOut } from '../../../tools/parts/left-out.ts';
import type { RunningPart } from '../../../tools/parts/running.ts';
import { DOORS } from '../gateways/doors.ts';
import { certificate } from '../gateways/scene.ts';
import { Switchboard } from '../gateways/switchboard.ts';
import { type BareBackend, startBareBackend } from './bare-backend.ts';
import { Fleet, type Member } from './fleet.ts';
import { Program } from './program.ts';
import type { CallerJob, CallerSeen } from './programs/caller.ts';
import { isLong } from './size.ts';

// biome-ignore format: a table
const SIZE = isLong
  ? { rounds: 20, callsPerSecond: 50 }
  : { rounds: 1, callsPerSecond: 25 };
const REPLICAS = 3;
const doors = DOORS.filter(({ part }) => !isLeftOut(part));

let fleet: Fleet;
let flags: Record<string, string>;
/** The Service: who is no endpoint of it any more keeps the connections that it has. */
let service: { http: Switchboard; grpc: Switchboard };
let endpoints: Member[];
let backend: BareBackend;
const gateways: RunningPart[] = [];

function balance(members: Member[]): void {
  endpoints = members;
  service.http.balance(members.map(({ process }) => process.port));
  service.grpc.balance(members.map(({ process }) => process.grpcPort));
}

beforeAll(async () => {
  const tls = await certificate();
  flags = {
    'tls-cert-file': tls.certFile,
    'tls-key-file': tls.keyFile,
    'grpc-bind-address': '127.0.0.1:0',
    'trusted-proxy': '127.0.0.1/32',
    'no-metrics-auth': '',
  };
  fleet = await Fleet.open('rolling', {
    verifiers: REPLICAS,
    staleness: '30s',
    routes: [{ methods: ['GET'], path: '/v1/reports/*', scopes: ['reports:read'] }],
    tokens: { steady: { scopes: ['reports:read'] } },
    flags,
  });
  await fleet.untilAccepted(['steady']);
  service = { http: await Switchboard.open(), grpc: await Switchboard.open() };
  balance(fleet.members.slice());
  backend = await startBareBackend();
  const verifier = { port: service.http.port, grpcPort: service.grpc.port };
  const surroundings = { audience: fleet.audience, caFile: tls.caFile, verifier, backend };
  gateways.push(...(await Promise.all(doors.map(({ start }) => start(surroundings)))));
});

afterAll(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  backend?.stop();
  await Promise.all(Object.values(service ?? {}).map((one) => one.close()));
  await fleet?.close();
});

it.skipIf(isLeftOut('envoy'))(
  'loses no call while each verifier is replaced',
  async () => {
    const { stage } = fleet;
    const token = { value: fleet.value('steady') };
    const calls = Program.start<CallerJob, CallerSeen>(
      'caller',
      Object.fromEntries(
        doors.map(({ name }, index) => {
          const urls = [`http://127.0.0.1:${gateways[index]?.port}/v1/reports/today`];
          return [name, { urls, token, perSecond: SIZE.callsPerSecond }];
        }),
      ),
    );
    const judged: number[] = [];
    for (let replaced = 0; replaced < REPLICAS * SIZE.rounds; replaced += 1) {
      const [oldest, ...others] = endpoints;
      if (oldest === undefined) throw new Error('there is no verifier');
      const before = await oldest.process.verdicts();
      const isUsed = async () => (await oldest.process.verdicts()) > before;
      await stage.untilAsked(`${oldest.name} is asked`, isUsed);
      balance([...others, await fleet.join(`replacement-${replaced}`, flags)]);
      // for which its pod stays, by drainSeconds
      const isLeft = async () => service.grpc.connectionsTo(oldest.process.grpcPort) === 0;
      await stage.untilAsked(`${oldest.name} is left by gRPC`, isLeft);
      judged.push(await oldest.process.verdicts());
      await oldest.process.stop();
    }
    const seen = await calls.stop();
    const told = Object.entries(seen).map(
      ([name, { calls: number, max }]) => `${name} ${number} (${Math.round(max)} ms)`,
    );
    process.stderr.write(
      `${judged.length} verifiers replaced, after ${judged.join(', ')} verdicts; calls, and the slowest: ${told.join(', ')}\n`,
    );
    for (const { name } of doors) expect(Object.keys(seen[name]?.statuses ?? {}), name).toEqual(['200']);
  },
  60_000 + SIZE.rounds * 30_000,
);
