/** Takes the time of single answers over one connection that is kept, byte by byte as they come, in random order. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Sample, sampleOf } from '../statistics.ts';
import { carryOut } from './job.ts';

export interface StopwatchJob {
  port: number;
  path: string;
  /** By kind. */
  tokens: Readonly<Record<string, string>>;
  /** Of all kinds together. */
  samples: number;
}

/** By kind. */
export type StopwatchSeen = Record<string, { milliseconds: Sample; answers: string[] }>;

/** The time of day is the same for all, and another one each second. */
const DATE = /\r\ndate: [^\r]*/i;

class Line {
  readonly #socket: Socket;
  #received = '';
  #whole: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true).setEncoding('latin1');
    socket.on('data', (text: unknown) => {
      this.#received += text;
      const end = this.#received.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1]);
      if (end >= 0 && this.#received.length === end + 4 + length) this.#whole?.();
    });
  }

  async ask(request: string): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#received = '';
    this.#whole = resolve;
    this.#socket.write(request);
    await promise;
    return this.#received;
  }
}

await carryOut<StopwatchJob, StopwatchSeen>(async ({ port, path, tokens, samples }) => {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const line = new Line(socket);
  const kinds = Object.entries(tokens).map(([kind, token]) => ({
    kind,
    request: `GET ${path} HTTP/1.1\r\nhost: verifier\r\nauthorization: Bearer ${token}\r\n\r\n`,
    times: [] as number[],
    answers: new Set<string>(),
  }));
  // a value that is presented for the first time may wait for the watch, which is told apart
  for (const { request } of kinds) await line.ask(request);
  for (let sample = 0; sample < samples; sample += 1) {
    const { request, times, answers } = kinds[randomInt(kinds.length)] as (typeof kinds)[number];
    const began = performance.now();
    const answer = await line.ask(request);
    times.push(performance.now() - began);
    answers.add(answer.replace(DATE, ''));
  }
  socket.destroy();
  return Object.fromEntries(
    kinds.map(({ kind, times, answers }) => [kind, { milliseconds: sampleOf(times), answers: [...answers] }]),
  );
});
