import { mkdir, open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const beat = 1_000;
const stale = 15_000;

async function take(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The process that holds the lock, or undefined when the lock is free or its holder is dead. */
async function holder(path: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(path, 'utf8'));
    const age = Date.now() - (await stat(path)).mtimeMs;
    // a holder shows life by touching the file; the age catches a process id that was given to somebody else, and a
    // file without a number whose writer was killed before it wrote
    return age < stale && (pid === 0 || isAlive(pid)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Runs `work` while no other process does so under the same path. It spares double work and is no guard of correctness:
 * two that break a dead holder's lock in the same instant may both run, so `work` has to bear that.
 */
export async function withLock<T>(path: string, onWait: (pid: number) => void, work: () => Promise<T>): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  while (!(await take(path))) {
    const pid = await holder(path);
    if (pid === undefined) {
      await rm(path, { force: true });
      continue;
    }
    if (!told) onWait(pid);
    told = true;
    await wait(250);
  }
  const touch = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, beat);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(path, { force: true });
  }
}
