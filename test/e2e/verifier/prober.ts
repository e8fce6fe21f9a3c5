/** What an outsider can see of verifiers: when each began to refuse a value, and how slow the machine itself is meanwhile. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Stage } from '../harness/stage.ts';
import type { Answer, Asker } from './asker.ts';
import { isLong } from './size.ts';

export interface Refusal {
  verifier: string;
  /** The last answer that let the value through; undefined where there was none. */
  lastYes: Answer | undefined;
  no: Answer;
}

/** Asks one verifier again and again until it does not say yes. */
export async function untilRefused(verifier: Pick<Asker, 'name' | 'ask'>, value: string, pause = 5): Promise<Refusal> {
  let lastYes: Answer | undefined;
  for (;;) {
    const answer = await verifier.ask(value);
    if (answer.status !== 200) return { verifier: verifier.name, lastYes, no: answer };
    lastYes = answer;
    await wait(pause);
  }
}

/** Something done again and again until `stop`, which rejects with what it threw. */
export class Loop {
  #stopping = false;
  readonly #running: Promise<void>;

  constructor(act: () => Promise<unknown>, pause: number) {
    this.#running = this.#run(act, pause);
    // told by stop()
    this.#running.catch(() => {});
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(act: () => Promise<unknown>, pause: number): Promise<void> {
    while (!this.#stopping) {
      await act();
      await wait(pause);
    }
  }
}

/** How long the API server takes for a plain GET through the same machine: what no promise about time can be better than. */
export class Pulse {
  slowest = 0;
  readonly #loop: Loop;

  /** What small numbers let pass, for they run where others run too. */
  get slack(): number {
    return isLong ? 0 : this.slowest;
  }

  constructor(stage: Pick<Stage, 'namespace' | 'server'>) {
    this.#loop = new Loop(async () => {
      const began = performance.now();
      await stage.server.get(`/api/v1/namespaces/${stage.namespace}`);
      this.slowest = Math.max(this.slowest, performance.now() - began);
    }, 25);
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
