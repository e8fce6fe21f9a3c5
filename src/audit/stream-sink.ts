/**
 * Audit lines to a stream: stdout, an inherited file descriptor, a pipe. Durable means that the kernel took them; nothing can be read
 * back, so after a crash an operation may be told again, under the same id: whoever reads the stream drops repeats of (id, phase).
 */
import { close, constants, fdatasync, fstat, open, write, writeSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { systemCode } from './error.ts';
import type { AuditSink } from './sink.ts';

const fstatAsync = promisify(fstat);
const fdatasyncAsync = promisify(fdatasync);
const closeAsync = promisify(close);
const openAsync = promisify(open);
const writeAsync = promisify(write);

/** Not blocking: a write that waits in the thread pool for a stalled reader keeps even process.exit() from ending the process. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;

/** A pipe that is full, which is seen by what it leaves, is written to again after this time. It holds 64 KiB, for a quick reader to take. */
const RETRY_MILLISECONDS = 2;

/**
 * Writes by the file descriptor, without blocking or else off the main thread: `process.stdout` writes pipes synchronously, so one reader
 * that stalls would stop the whole operator, and not only its minting.
 */
export class StreamSink implements AuditSink {
  readonly #fd: number;
  /** Opened here, so it does not block: it is written by the main thread, since to wake another one for each write costs twice as much. */
  readonly #owned: boolean;
  readonly #isFile: boolean;
  /** The last line is cut: the next append ends it first. */
  #torn = false;
  #closed = false;

  private constructor(fd: number, { owned, isFile }: { owned: boolean; isFile: boolean }) {
    this.#fd = fd;
    this.#owned = owned;
    this.#isFile = isFile;
  }

  /** A named pipe, a device. Rejects, rather than waits, when nobody reads the pipe. */
  static async ofPath(path: string): Promise<StreamSink> {
    return new StreamSink(await openAsync(path, FLAGS), { owned: true, isFile: false });
  }

  /**
   * An inherited descriptor. Of a pipe or a terminal an own description is opened, since O_NONBLOCK on the inherited one would also
   * hold for the processes that share it. Where that cannot be (a socket, another user's pipe) the inherited one is used.
   */
  static async ofDescriptor(fd: number): Promise<StreamSink> {
    const status = await fstatAsync(fd);
    if (status.isFIFO() || status.isCharacterDevice()) {
      try {
        return await StreamSink.ofPath(`/proc/self/fd/${fd}`);
      } catch {
        // the inherited one, below
      }
    }
    return new StreamSink(fd, { owned: false, isFile: status.isFile() });
  }

  async prepare(): Promise<void> {}

  async append(lines: string): Promise<void> {
    const bytes = Buffer.from(this.#torn ? `\n${lines}` : lines);
    let written = 0;
    try {
      written = await this.#write(bytes, 0);
      while (written < bytes.length) {
        await setTimeout(RETRY_MILLISECONDS);
        written += await this.#write(bytes, written);
      }
      if (this.#isFile) await fdatasyncAsync(this.#fd);
    } finally {
      if (written > 0) this.#torn = bytes[written - 1] !== 0x0a;
    }
  }

  async close(): Promise<void> {
    if (!this.#owned) return;
    this.#closed = true;
    await closeAsync(this.#fd);
  }

  async #write(bytes: Buffer, from: number): Promise<number> {
    // the number of the descriptor may be somebody else's by now
    if (this.#closed) throw new Error('the audit stream is closed');
    try {
      if (this.#owned) return writeSync(this.#fd, bytes, from);
      return (await writeAsync(this.#fd, bytes, from)).bytesWritten;
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN') throw error;
      return 0;
    }
  }
}
