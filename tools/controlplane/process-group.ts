import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { News, Order } from './supervisor.ts';

/** Thrown when a process of the group ends although nobody asked for it. */
export class ProcessEnded extends Error {
  readonly process: string;
  readonly logTail: string;

  constructor(name: string, how: string, logTail: string) {
    super(`${name} ended by itself (${how}). Its last words:\n${logTail}`);
    this.name = 'ProcessEnded';
    this.process = name;
    this.logTail = logTail;
  }
}

const lastLines = (text: string, count: number) => text.trimEnd().split('\n').slice(-count).join('\n');

/**
 * Processes that die together: when this process ends in whatever way, all of them are killed and `directory` is removed.
 */
export class ProcessGroup {
  readonly directory: string;
  readonly #supervisor: ChildProcess;
  readonly #running = new Map<string, number>();
  readonly #expected = new Set<string>();
  readonly #endings = new Map<string, string>();
  readonly #onEnd = new Set<(name: string) => void>();
  #stopped = false;

  private constructor(supervisor: ChildProcess, directory: string) {
    this.directory = directory;
    this.#supervisor = supervisor;
    supervisor.on('message', (news: News) => this.#hear(news));
    // The supervisor itself may be killed. Its children share its process group.
    supervisor.once('exit', () => this.#sweep());
  }

  static async create(): Promise<ProcessGroup> {
    const { NODE_OPTIONS: _, ...env } = process.env; // a debugger or loader of the parent's is no business of the supervisor
    const supervisor = fork(fileURLToPath(new URL('supervisor.ts', import.meta.url)), [], {
      detached: true, // a Ctrl-C in the terminal goes to the parent, which then shuts down in order
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env,
    });
    const first = once(supervisor, 'message').then(([news]) => news as News);
    const gone = once(supervisor, 'exit').then(([code]) => Promise.reject(new Error(`supervisor exited with ${code}`)));
    const news = await Promise.race([first, gone]);
    gone.catch(() => {});
    if (news.news !== 'ready') throw new Error(`supervisor began with ${news.news}`);
    return new ProcessGroup(supervisor, news.directory);
  }

  logFile(name: string): string {
    return join(this.directory, `${name}.log`);
  }

  /** Kills and clears away when this process ends; killing it ends the group too. */
  get supervisorPid(): number {
    return this.#supervisor.pid ?? 0;
  }

  start(name: string, file: string, args: string[], env: Record<string, string> = {}): void {
    this.#expected.delete(name);
    this.#endings.delete(name);
    const { PATH = '', HOME = this.directory, TMPDIR } = process.env;
    const base = { PATH, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }) };
    this.#order({ order: 'start', name, file, args, log: this.logFile(name), env: { ...base, ...env } });
  }

  /** The process id, or undefined while it does not run. */
  pid(name: string): number | undefined {
    return this.#running.get(name);
  }

  /** SIGKILLs one process and waits until it is gone. */
  async kill(name: string): Promise<void> {
    this.#expected.add(name);
    if (this.#endings.has(name)) return;
    const ended = this.#ending(name);
    this.#order({ order: 'kill', name });
    await ended;
  }

  /** Calls back once if the named process ends without having been asked to; returns a function that stops listening. */
  onUnexpectedEnd(listener: (name: string, how: string) => void): () => void {
    const hear = (name: string) => {
      if (!this.#expected.has(name) && !this.#stopped) listener(name, this.#endings.get(name) ?? 'unknown');
    };
    this.#onEnd.add(hear);
    return () => this.#onEnd.delete(hear);
  }

  /** Throws ProcessEnded if that process is no longer there. */
  async check(name: string): Promise<void> {
    const how = this.#endings.get(name);
    if (how === undefined) return;
    const log = await readFile(this.logFile(name), 'utf8').catch(() => '');
    throw new ProcessEnded(name, how, lastLines(log, 15));
  }

  /** Ends every process and removes the directory. May be called more than once. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#supervisor.exitCode === null && this.#supervisor.signalCode === null) {
      const exit = once(this.#supervisor, 'exit');
      this.#order({ order: 'shutdown' });
      await exit;
    }
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  #order(order: Order): void {
    if (this.#supervisor.connected) this.#supervisor.send(order);
  }

  #hear(news: News): void {
    if (news.news === 'started') this.#running.set(news.name, news.pid);
    if (news.news !== 'exited') return;
    this.#running.delete(news.name);
    this.#endings.set(news.name, news.how);
    for (const listener of [...this.#onEnd]) listener(news.name);
  }

  #ending(name: string): Promise<void> {
    return new Promise((resolve) => {
      const hear = (ended: string) => {
        if (ended !== name) return;
        this.#onEnd.delete(hear);
        resolve();
      };
      this.#onEnd.add(hear);
    });
  }

  #sweep(): void {
    const group = this.#supervisor.pid;
    try {
      if (group !== undefined) process.kill(-group, 'SIGKILL');
    } catch {
      // ESRCH: nobody was left, as it should be
    }
    for (const name of [...this.#running.keys()]) this.#hear({ news: 'exited', name, how: 'supervisor gone' });
  }
}
