import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { withLock } from '../../tools/controlplane/lock.ts';

let directory: string;
let path: string;
const unheard = () => {
  throw new Error('waited');
};

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tokenwright-lock-'));
  path = join(directory, 'below', 'one.lock');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function deadProcess(): Promise<number> {
  const child = spawn('true');
  await once(child, 'exit');
  return child.pid ?? 0;
}

describe('the lock', () => {
  test('lets one work at a time, and tells the other whom it waits for', async () => {
    const events: string[] = [];
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: waits, resolve: nowWaits } = Promise.withResolvers<number>();
    const first = withLock(path, unheard, async () => {
      events.push('first begins');
      await mayEnd;
      events.push('first ends');
    });
    const second = withLock(path, nowWaits, async () => void events.push('second'));
    expect(await waits).toBe(process.pid);
    end();
    await Promise.all([first, second]);
    expect(events).toEqual(['first begins', 'first ends', 'second']);
  });

  test('is free again after work that throws', async () => {
    await expect(withLock(path, unheard, () => Promise.reject(new Error('work')))).rejects.toThrow('work');
    expect(existsSync(path)).toBe(false);
  });

  test.each<[string, () => Promise<string>, number]>([
    ['died', async () => String(await deadProcess()), 0],
    ['shows no life, though its number lives on in another process', async () => String(process.pid), 60_000],
    ['was killed before it wrote its number', async () => '', 60_000],
  ])('is taken from a holder that %s', async (_, content, age) => {
    await withLock(path, unheard, async () => {});
    writeFileSync(path, await content());
    const then = new Date(Date.now() - age);
    utimesSync(path, then, then);
    expect(await withLock(path, unheard, async () => 'done')).toBe('done');
  });
});
