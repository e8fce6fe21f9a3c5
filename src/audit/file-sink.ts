/** Audit lines in a file: durable once fdatasync has returned, and read back when the operator starts. */
import { constants } from 'node:fs';
import { type FileHandle, open as openFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from './error.ts';
import { LONGEST_LINE } from './record.ts';
import type { AuditSink, SinkHooks } from './sink.ts';

const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
const CHUNK = 64 << 10;
const CHECKPOINT_CHUNK = 1 << 20;
const NEWLINE = 0x0a;

interface OpenFile {
  handle: FileHandle;
  dev: number;
  ino: number;
  /** Everything before is durable, whole lines, and known to the audit log. */
  size: number;
}

/**
 * Appends only (O_APPEND, mode 0600). Never takes a line away, save bytes of its own that were not confirmed. A file that was renamed,
 * deleted or cut by others is noticed before the next line, which then goes to a new file that begins with a checkpoint.
 */
export class FileSink implements AuditSink {
  readonly #path: string;
  readonly #hooks: SinkHooks;
  readonly #open: typeof openFile;
  #file: OpenFile | undefined;
  /** What a failed append may have left behind. */
  #unconfirmed: Buffer | undefined;
  #everOpened = false;

  /** @param open for tests with a failing disk. */
  constructor(path: string, hooks: SinkHooks, open: typeof openFile = openFile) {
    this.#path = path;
    this.#hooks = hooks;
    this.#open = open;
  }

  async prepare(): Promise<void> {
    const now = await this.#status();
    const file = this.#file;
    if (file !== undefined && now !== undefined && now.ino === file.ino && now.dev === file.dev) {
      await this.#catchUp(file, now.size);
      return;
    }
    if (file !== undefined) {
      this.#hooks.notice({ path: this.#path }, 'the audit file was moved or deleted: a new one is begun');
      await this.#leave(file);
    }
    await this.#begin();
  }

  async append(lines: string): Promise<void> {
    if (this.#file === undefined) throw new Error('append before prepare');
    await this.#write(this.#file, Buffer.from(lines));
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  async #status(): Promise<{ ino: number; dev: number; size: number } | undefined> {
    try {
      return await stat(this.#path);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Opens, reads back, and carries over what is known when this is not the first file. */
  async #begin(): Promise<void> {
    const handle = await this.#open(this.#path, FLAGS, 0o600);
    try {
      const { dev, ino, size, mode } = await handle.stat();
      if ((mode & 0o077) !== 0)
        this.#hooks.notice({ path: this.#path, mode: (mode & 0o777).toString(8) }, 'others may read the audit file');
      const file: OpenFile = { handle, dev, ino, size: 0 };
      await this.#readBack(file, size);
      if (size === 0) await syncDirectory(this.#path);
      if (this.#everOpened) await this.#writeCheckpoint(file);
      this.#file = file;
      this.#everOpened = true;
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  }

  async #catchUp(file: OpenFile, found: number): Promise<void> {
    const size = this.#unconfirmed === undefined ? found : await this.#takeBack(file, found, this.#unconfirmed);
    if (size === file.size) return;
    if (size > file.size) {
      await this.#readBack(file, size);
      return;
    }
    this.#hooks.notice(
      { path: this.#path, size, expected: file.size },
      'the audit file was cut by someone: what is known is written again',
    );
    this.#unconfirmed = undefined;
    await this.#leave(file);
    await this.#begin();
  }

  /** Closes a file that is no longer ours to append to. What failed there must not be found there. */
  async #leave(file: OpenFile): Promise<void> {
    this.#file = undefined;
    try {
      if (this.#unconfirmed !== undefined)
        await this.#takeBack(file, (await file.handle.stat()).size, this.#unconfirmed);
    } catch {
      // that disk fails; readers drop repeats of (id, phase)
    }
    this.#unconfirmed = undefined;
    await file.handle.close().catch(() => {});
  }

  /** Removes what a failed append left, so that trying again does not tell it twice. Answers the file's size. */
  async #takeBack(file: OpenFile, size: number, bytes: Buffer): Promise<number> {
    const length = size - file.size;
    if (length > 0 && length <= bytes.length) {
      const tail = Buffer.alloc(length);
      const { bytesRead } = await file.handle.read(tail, 0, length, file.size);
      if (bytesRead === length && tail.equals(bytes.subarray(0, length))) {
        try {
          await file.handle.truncate(file.size);
          await file.handle.datasync();
          size = file.size;
        } catch (error) {
          // an append-only file (chattr +a): its whole lines count as kept, the rest is ended
          if (systemCode(error) !== 'EPERM') throw error;
        }
      }
    }
    this.#unconfirmed = undefined;
    return size;
  }

  async #write(file: OpenFile, bytes: Buffer): Promise<void> {
    this.#unconfirmed = bytes;
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await file.handle.write(bytes, written, bytes.length - written, null);
      written += bytesWritten;
    }
    await file.handle.datasync();
    this.#unconfirmed = undefined;
    file.size += bytes.length;
  }

  async #writeCheckpoint(file: OpenFile): Promise<void> {
    let lines: string[] = [];
    let length = 0;
    for (const line of this.#hooks.checkpoint()) {
      lines.push(line);
      length += line.length;
      if (length < CHECKPOINT_CHUNK) continue;
      await this.#write(file, Buffer.from(lines.join('')));
      lines = [];
      length = 0;
    }
    if (lines.length > 0) await this.#write(file, Buffer.from(lines.join('')));
  }

  /** Reads from what is known to `end`, a line at a time, in bounded memory. A last line without its end is ended, so that it stays the only bad one. */
  async #readBack(file: OpenFile, end: number): Promise<void> {
    const chunk = Buffer.alloc(Math.min(CHUNK, Math.max(1, end - file.size)));
    let rest: Buffer = Buffer.alloc(0);
    let position = file.size;
    let bad = 0;
    while (position < end) {
      const { bytesRead } = await file.handle.read(chunk, 0, Math.min(chunk.length, end - position), position);
      if (bytesRead === 0) break;
      position += bytesRead;
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at !== -1 && at < bytesRead; at = chunk.indexOf(NEWLINE, from)) {
        const line = Buffer.concat([rest, chunk.subarray(from, at)]);
        if (line.length > LONGEST_LINE || (line.length > 0 && !this.#hooks.found(line.toString()))) bad++;
        rest = Buffer.alloc(0);
        from = at + 1;
      }
      // of a line that is too long only so much is kept that it is still too long
      if (rest.length <= LONGEST_LINE) rest = Buffer.concat([rest, chunk.subarray(from, bytesRead)]);
    }
    // found is not yet durable: whoever wrote it may have died before its sync
    if (position > file.size) await file.handle.datasync();
    file.size = position;
    if (bad > 0)
      this.#hooks.notice(
        { path: this.#path, lines: bad },
        'the audit file has lines that are no audit records: they are left alone',
      );
    if (rest.length === 0) return;
    this.#hooks.notice(
      { path: this.#path, bytes: rest.length },
      'the last line of the audit file was cut: it is ended and ignored',
    );
    await this.#write(file, Buffer.from('\n'));
  }
}

/** So that the name of a new file outlives a power cut as its lines do. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await openFile(dirname(path), constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
