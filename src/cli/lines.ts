/** Lines of a file or a pipe, one at a time, and of bounded length; of a file that grows and is rotated too. */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';

const LOOK_EVERY_MS = 250;
const NEWLINE = 0x0a;

/** Cuts bytes into lines. A line longer than `longest` is left out whole, and counted. */
export class LineCutter {
  readonly #longest: number;
  #parts: Buffer[] = [];
  #size = 0;
  #tooLong = 0;

  constructor(longest: number) {
    this.#longest = longest;
  }

  get tooLong(): number {
    return this.#tooLong;
  }

  *cut(chunk: Buffer): Generator<string> {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, end));
      yield* this.end();
      from = end + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  /** The last line, which may have no newline. */
  *end(): Generator<string> {
    const isWhole = this.#size <= this.#longest;
    const line = isWhole ? Buffer.concat(this.#parts).toString('utf8') : '';
    if (!isWhole) this.#tooLong += 1;
    this.#parts = [];
    this.#size = 0;
    if (line !== '') yield line;
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size <= this.#longest) this.#parts.push(part);
    else this.#parts = [];
  }
}

/** What stands in the file; with `follow` also what is appended, for ever, and what stands in the file that takes its place. */
export async function* chunksOf(path: string, follow: boolean): AsyncGenerator<Buffer> {
  let handle = await open(path);
  try {
    for (;;) {
      yield* rest(handle);
      if (!follow) return;
      const next = await replacementOf(path, handle);
      if (next === undefined) {
        await wait(LOOK_EVERY_MS);
        continue;
      }
      // what was written between the last look and the rotation
      yield* rest(handle);
      await handle.close();
      handle = next;
    }
  } finally {
    await handle.close();
  }
}

async function* rest(handle: FileHandle): AsyncGenerator<Buffer> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.allocUnsafe(64 << 10) });
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The file that has the path now, when it is another one. */
async function replacementOf(path: string, handle: FileHandle): Promise<FileHandle | undefined> {
  try {
    const [there, ours] = await Promise.all([stat(path), handle.stat()]);
    return there.ino === ours.ino && there.dev === ours.dev ? undefined : await open(path);
  } catch {
    // between a rename and the new file
    return undefined;
  }
}
