import type { Dispatcher } from 'undici';

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>[2];

export interface Exchange {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** From now to the end of the answer, the wait for a free connection included. */
  readonly deadlineMs: number;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called when the answer's headers are in, with its status and Date. */
  readonly onHead: (status: number, date: string | undefined) => void;
}

export interface Stream extends Exchange {
  /** The longest silence between two chunks. `deadlineMs` holds until the answer's headers. */
  readonly silenceMs: number;
  /** One line, without its end. What it throws ends the stream, which rejects with a LineError. */
  readonly onLine: (line: string) => void;
}

export interface Answer {
  readonly retryAfter: string | undefined;
  /** Empty for a stream that was accepted. */
  readonly text: string;
}

/** A failure of our own making; undici's and the socket's carry a `code` too. */
export class TransportFailure extends Error {
  readonly code: 'DEADLINE' | 'SILENT' | 'TOO_LARGE';

  constructor(code: TransportFailure['code']) {
    super(code);
    this.name = 'TransportFailure';
    this.code = code;
  }
}

/** Carries what `onLine` threw, as its cause. */
export class LineError extends Error {
  constructor(cause: unknown) {
    super('a line was not taken', { cause });
    this.name = 'LineError';
  }
}

/** One request and its whole answer, any status. Rejects with an Error that has a `code`, or with the signal's reason. */
export function exchange(call: Exchange): Promise<Answer> {
  return new Promise((resolve, reject) => new Handler(call, resolve, reject).start());
}

/** One request whose answer, when 200, is read line by line. Resolves when the server ends it. Rejects as `exchange`. */
export function stream(call: Stream): Promise<Answer> {
  return new Promise((resolve, reject) => new StreamHandler(call, resolve, reject).start());
}

/**
 * Undici's dispatch interface instead of `request`: no stream object for each answer, and aborting closes the socket,
 * so that a connection gone half-open is never used again.
 */
class Handler implements Dispatcher.DispatchHandler {
  protected readonly call: Exchange;
  protected status = 0;
  protected timer: NodeJS.Timeout | undefined;
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #onAbort = () => this.fail(this.call.signal?.reason);
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #retryAfter: string | undefined;

  constructor(call: Exchange, resolve: (answer: Answer) => void, reject: (reason: unknown) => void) {
    this.call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { dispatcher, origin, method, path, headers, body, deadlineMs, signal } = this.call;
    if (signal?.aborted) {
      this.fail(signal.reason);
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.timer = setTimeout(() => this.fail(new TransportFailure('DEADLINE')), deadlineMs);
    try {
      dispatcher.dispatch({ origin, method, path, headers, body: body ?? null }, this);
    } catch (error) {
      this.fail(error);
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // Given up while it waited for a connection.
    if (this.#settled) controller.abort(new TransportFailure('DEADLINE'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    this.status = status;
    this.#retryAfter = single(headers['retry-after']);
    this.call.onHead(status, single(headers.date));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.call.maxBytes) this.fail(new TransportFailure('TOO_LARGE'));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#settle();
    const [first] = this.#chunks;
    const body = first !== undefined && this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#resolve({ retryAfter: this.#retryAfter, text: body.toString('utf8') });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(error);
  }

  protected fail(reason: unknown): void {
    if (this.#settled) return;
    this.#settle();
    this.#chunks = [];
    this.#reject(reason);
    this.#controller?.abort(reason instanceof Error ? reason : new TransportFailure('DEADLINE'));
  }

  protected get settled(): boolean {
    return this.#settled;
  }

  #settle(): void {
    this.#settled = true;
    clearTimeout(this.timer);
    this.call.signal?.removeEventListener('abort', this.#onAbort);
  }
}

const newline = 0x0a;

class StreamHandler extends Handler {
  declare protected readonly call: Stream;
  #rest: Buffer[] = [];
  #restBytes = 0;

  override onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    super.onResponseStart(controller, status, headers);
    if (status !== 200) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.fail(new TransportFailure('SILENT')), this.call.silenceMs);
  }

  override onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.status !== 200) {
      super.onResponseData(controller, chunk);
      return;
    }
    this.timer?.refresh();
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      this.#line(chunk.subarray(from, end));
      if (this.settled) return;
      from = end + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #line(tail: Buffer): void {
    const whole = this.#rest.length === 0 ? tail : Buffer.concat([...this.#rest, tail]);
    this.#rest = [];
    this.#restBytes = 0;
    if (whole.length === 0) return;
    try {
      this.call.onLine(whole.toString('utf8'));
    } catch (error) {
      this.fail(new LineError(error));
    }
  }

  #keep(part: Buffer): void {
    this.#rest.push(part);
    this.#restBytes += part.length;
    if (this.#restBytes > this.call.maxBytes) this.fail(new TransportFailure('TOO_LARGE'));
  }
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
