/** Speaks to a server in bytes, as clients that do not keep to the rules do. */
import { connect, type Socket } from 'node:net';

export class Wire {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  received = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text) => {
      this.received += text;
    });
    // a cut connection is what some tests wait for
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }

  /** Resolves once so many answers have come; rejects where the connection ends before. */
  async answers(count: number): Promise<string[]> {
    for (;;) {
      const answers = split(this.received);
      if (answers.length >= count) return answers;
      if (this.socket.closed) throw new Error(`closed after ${answers.length} of ${count} answers: ${this.received}`);
      await new Promise<void>((resolve) => {
        const done = () => {
          this.socket.off('data', done).off('close', done);
          resolve();
        };
        this.socket.on('data', done).on('close', done);
      });
    }
  }
}

/** Whole answers, each without its Date. Those without a body length have no body. */
function split(text: string): string[] {
  const answers: string[] = [];
  for (let rest = text; ; ) {
    const head = rest.indexOf('\r\n\r\n');
    if (head < 0) return answers;
    const length = Number(/^content-length: (\d+)/im.exec(rest.slice(0, head))?.[1] ?? 0);
    const end = head + 4 + length;
    if (rest.length < end) return answers;
    answers.push(rest.slice(0, end).replace(/^Date: .*\r\n/m, ''));
    rest = rest.slice(end);
  }
}

export function request(
  target: string,
  headers: Record<string, string | string[]> = {},
  method = 'GET',
  body = '',
): string {
  const fields = Object.entries({ host: 'verifier', ...headers }).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  return `${method} ${target} HTTP/1.1\r\n${fields.join('')}\r\n${body}`;
}

export const statusOf = (answer: string | undefined): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer ?? '')?.[1]);
