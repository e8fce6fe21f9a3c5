import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Runs in a process of its own. Node gives no way to tie a child's life to its parent's, so this process stands between
// them: the channel to the parent closes when the parent ends in whatever way, SIGKILL included, and then everything
// here is killed and the directory removed. The directory is made here too, so that no instant is left uncovered.

/** What the parent asks for. */
export type Order =
  | { order: 'start'; name: string; file: string; args: string[]; log: string; env: Record<string, string> }
  | { order: 'kill'; name: string }
  | { order: 'shutdown' };

/** What the parent hears. */
export type News =
  | { news: 'ready'; directory: string }
  | { news: 'started'; name: string; pid: number }
  | { news: 'exited'; name: string; how: string };

const directory = mkdtempSync(join(tmpdir(), 'tokenwright-cp-'));
const children = new Map<string, ChildProcess>();
let closing = false;

function tell(news: News): void {
  if (process.connected) process.send?.(news, () => {});
}

function start({ name, file, args, log, env }: Extract<Order, { order: 'start' }>): void {
  const out = openSync(log, 'a', 0o600);
  const child = spawn(file, args, { cwd: directory, stdio: ['ignore', out, out], env });
  children.set(name, child);
  const ended = (how: string) => {
    if (children.get(name) === child) children.delete(name);
    tell({ news: 'exited', name, how });
    if (closing) finishWhenAlone();
  };
  child.once('spawn', () => tell({ news: 'started', name, pid: child.pid ?? 0 }));
  child.once('error', (error) => ended(error.message));
  child.once('exit', (code, signal) => ended(signal === null ? `exit code ${code}` : `signal ${signal}`));
}

function finishWhenAlone(): void {
  if (children.size > 0) return;
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
}

function shutdown(): void {
  if (closing) return;
  closing = true;
  // the data is thrown away: nothing is won by a slower, graceful end
  for (const child of children.values()) child.kill('SIGKILL');
  finishWhenAlone();
}

process.on('message', (message: Order) => {
  if (closing) return;
  switch (message.order) {
    case 'start':
      start(message);
      break;
    case 'kill':
      children.get(message.name)?.kill('SIGKILL');
      break;
    case 'shutdown':
      shutdown();
      break;
    default:
      message satisfies never;
  }
});
process.on('disconnect', shutdown);
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, shutdown);

tell({ news: 'ready', directory });
