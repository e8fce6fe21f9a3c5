import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { ProcessEnded, ProcessGroup } from '../../tools/controlplane/process-group.ts';

/** A process that listens on a socket for as long as it lives: a better witness than its number, which others may get. */
const witness = (socket: string) => ['-e', `require('node:net').createServer().listen('${socket}')`];

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket);
    client.once('connect', () => resolve(true));
    client.once('error', () => resolve(false));
    client.once('close', () => client.destroy());
  }).then((is) => is as boolean);
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await wait(20);
  }
}

let group: ProcessGroup;
afterEach(() => group?.stop());

async function startWitness(name: string): Promise<string> {
  const socket = join(group.directory, `${name}.sock`);
  group.start(name, process.execPath, witness(socket));
  await until(`${name} listens`, () => answers(socket));
  return socket;
}

describe('a process group', () => {
  test('stops all its processes and removes its directory, and may be stopped twice', async () => {
    group = await ProcessGroup.create();
    const sockets = [await startWitness('one'), await startWitness('two')];
    const pids = [group.pid('one') ?? 0, group.pid('two') ?? 0];
    await group.stop();
    for (const socket of sockets) expect(await answers(socket)).toBe(false);
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(existsSync(group.directory)).toBe(false);
    await group.stop();
  });

  test('kills one process and can start it again under the same name', async () => {
    group = await ProcessGroup.create();
    const unexpected: string[] = [];
    group.onUnexpectedEnd((name) => void unexpected.push(name));
    const socket = await startWitness('one');
    const before = group.pid('one');
    await group.kill('one');
    expect(await answers(socket)).toBe(false);
    expect(group.pid('one')).toBeUndefined();
    group.start('one', process.execPath, witness(`${socket}2`));
    await until('it listens again', () => answers(`${socket}2`));
    expect(group.pid('one')).not.toBe(before);
    await group.check('one');
    expect(unexpected).toEqual([]);
  });

  test('tells of a process that ends by itself, with its last words', async () => {
    group = await ProcessGroup.create();
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    group.onUnexpectedEnd((name, how) => resolve(`${name}: ${how}`));
    group.start('weak', 'sh', ['-c', 'echo "bind: address already in use" >&2; exit 3']);
    expect(await ended).toBe('weak: exit code 3');
    const error = await group.check('weak').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ProcessEnded);
    expect((error as ProcessEnded).logTail).toBe('bind: address already in use');
  });

  test('tells of a program that is not there', async () => {
    group = await ProcessGroup.create();
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    group.onUnexpectedEnd((_, how) => resolve(how));
    group.start('missing', join(group.directory, 'no-such-program'), []);
    expect(await ended).toContain('ENOENT');
  });

  test('dies and clears away with its parent, even when that is killed outright', async () => {
    const parent = fork(fileURLToPath(new URL('doomed-parent.ts', import.meta.url)), { stdio: 'inherit' });
    const [{ directory, socket }] = (await once(parent, 'message')) as [{ directory: string; socket: string }];
    await until('the process listens', () => answers(socket));
    parent.kill('SIGKILL');
    await until('the directory is gone', () => !existsSync(directory));
    expect(await answers(socket)).toBe(false);
  });

  test('dies with its supervisor, even when that is killed outright', async () => {
    group = await ProcessGroup.create();
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    const socket = await startWitness('one');
    group.onUnexpectedEnd((_, how) => resolve(how));
    process.kill(group.supervisorPid, 'SIGKILL');
    expect(await ended).toBe('supervisor gone');
    await until('the process is gone', async () => !(await answers(socket)));
    await group.stop();
    expect(existsSync(group.directory)).toBe(false);
  });
});
