/** Lines to a file descriptor, of which none may hold up the operator. */
import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';

/** What waits while the reader is stalled, in UTF-16 units. Beyond it lines are lost rather than memory. */
const BACKLOG_LIMIT = 1 << 20;

const RETRY_MILLISECONDS = 50;

/**
 * `write` returns at once and never throws. Lines go out in order and whole; what waits when the process exits is tried once more.
 * pino's own destination waits for a stalled reader at exit, without end.
 */
export class LineWriter {
  readonly #fd: number;
  #lines: string[] = [];
  #length = 0;
  #writing = false;
  /** The thread pool has `#rest`. */
  #inFlight = false;
  #dropped = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(fd: number) {
    this.#fd = withoutBlocking(fd);
    process.once('exit', () => this.#flush());
  }

  /** Lines lost for want of room. */
  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    if (this.#length + line.length > BACKLOG_LIMIT) {
      this.#dropped++;
      return;
    }
    this.#lines.push(line);
    this.#length += line.length;
    if (this.#writing) return;
    this.#writing = true;
    setImmediate(() => this.#next());
  }

  #next(): void {
    this.#takeLines();
    if (this.#rest.length === 0) {
      this.#writing = false;
      return;
    }
    this.#inFlight = true;
    write(this.#fd, this.#rest, 0, this.#rest.length, null, (error, count) => {
      this.#inFlight = false;
      if (error === null) this.#rest = this.#rest.subarray(count);
      else if (error.code !== 'EAGAIN') this.#rest = Buffer.alloc(0); // nobody to tell
      if (error?.code === 'EAGAIN') setTimeout(() => this.#next(), RETRY_MILLISECONDS).unref();
      else this.#next();
    });
  }

  #takeLines(): void {
    if (this.#rest.length > 0 || this.#lines.length === 0) return;
    this.#rest = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#length = 0;
  }

  /** In the exit handler nothing asynchronous runs any more. */
  #flush(): void {
    // what is in flight ends by itself: a second time would be once too often
    if (this.#inFlight) this.#rest = Buffer.alloc(0);
    try {
      for (this.#takeLines(); this.#rest.length > 0; this.#takeLines()) {
        this.#rest = this.#rest.subarray(writeSync(this.#fd, this.#rest));
      }
    } catch {
      // the reader is stalled or gone
    }
  }
}

/** An own description of a pipe or a terminal: O_NONBLOCK on the inherited one would also hold for the processes that share it. */
function withoutBlocking(fd: number): number {
  try {
    const status = fstatSync(fd);
    if (!status.isFIFO() && !status.isCharacterDevice()) return fd;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK);
  } catch {
    return fd;
  }
}
