import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '../controlplane/free-port.ts';
import { ProcessEnded, ProcessGroup } from '../controlplane/process-group.ts';
import { type FoundPart, part } from './part.ts';
import type { PartName } from './registry.ts';

/** What a configuration may speak of. */
export interface Place {
  /** The loopback port to listen on: the first of `ports`. */
  port: number;
  ports: readonly [number, ...number[]];
  /** Private to the process, and gone with it. */
  directory: string;
}

export interface RunningPart extends Place {
  pid: number;
  /** All that it has said so far. */
  logs(): Promise<string>;
  /** Ends it and removes its directory. May be called more than once. */
  stop(): Promise<void>;
}

export interface ConfigOptions {
  config: (place: Place) => string;
  /** How many ports it needs; default 1. Every one of them must be listened on. */
  ports?: number;
}

interface Launch {
  name: PartName;
  ports?: number | undefined;
  /** Writes what the program reads and returns its arguments. */
  prepare: (place: Place) => Promise<string[]> | string[];
  /** What its log says once its ports are its own. */
  ready: RegExp;
}

/** Starts a part on free loopback ports and returns when it answers on them. It ends with this process. */
export async function launch({ name, ports: count = 1, prepare, ready }: Launch): Promise<RunningPart> {
  const found = await part(name);
  for (let attempt = 1; ; attempt += 1) {
    const group = await ProcessGroup.create();
    try {
      const ports: [number, ...number[]] = [await freePort()];
      while (ports.length < count) ports.push(await freePort());
      const place = { port: ports[0], ports, directory: group.directory };
      return await start(group, { name, found, place, args: await prepare(place), ready });
    } catch (error) {
      await group.stop();
      // between finding a free port and listening on it, another process may have taken it
      const lostPort = error instanceof ProcessEnded && /address already in use/i.test(error.logTail);
      if (!lostPort || attempt === 5) throw error;
    }
  }
}

interface Start {
  name: PartName;
  found: FoundPart;
  place: Place;
  args: string[];
  ready: RegExp;
}

async function start(group: ProcessGroup, { name, found, place, args, ready }: Start): Promise<RunningPart> {
  const logs = () => readFile(group.logFile(name), 'utf8').catch(() => '');
  group.start(name, found.path, args, { HOME: group.directory, ...found.env });
  // its own log is the witness: a port that answers may be another process's
  await until(group, name, async () => ready.test(await logs()));
  for (const port of place.ports) await until(group, name, () => accepts(port));
  return { ...place, pid: group.pid(name) ?? 0, logs, stop: () => group.stop() };
}

/** True where a process takes connections on that loopback port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** Asks until it is so; throws when the process has ended, or after half a minute. */
async function until(group: ProcessGroup, name: PartName, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await isSo())) {
    await group.check(name);
    if (performance.now() > deadline) {
      const log = await readFile(group.logFile(name), 'utf8').catch(() => '');
      throw new Error(`${name} was not ready within 30 s; its log:\n${log}`);
    }
    await wait(10);
  }
}
