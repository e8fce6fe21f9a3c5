/** The agent of the demo: calls the AI gateway all the time, with the token that its Secret holds at that moment. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Kubectl } from './kubectl.ts';

const PAUSE_MILLISECONDS = 25;
const BODY = JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Summarise this ticket.' }] });

/** One call with a token; the HTTP status. */
export async function chat(gateway: string, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const answer = await fetch(`${gateway}/v1/chat/completions`, { method: 'POST', headers, body: BODY });
  await answer.arrayBuffer();
  return answer.status;
}

export class Agent {
  /** HTTP statuses, and how often. */
  readonly counts = new Map<number, number>();
  /** Values that it has used. */
  readonly seen = new Set<string>();
  #token = '';
  #stopping = false;
  readonly #watch;
  readonly #calling: Promise<void>;

  constructor(kubectl: Kubectl, secret: string, gateway: string) {
    this.#watch = kubectl.follow('{.data.token}', ['secret', secret], (line) => {
      if (line !== '') this.#token = Buffer.from(line, 'base64').toString();
    });
    this.#calling = this.#call(gateway);
  }

  get token(): string {
    return this.#token;
  }

  get calls(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  get failed(): number {
    return this.calls - (this.counts.get(200) ?? 0);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#calling;
    this.#watch.kill();
  }

  async #call(gateway: string): Promise<void> {
    while (!this.#stopping) {
      if (this.#token !== '') {
        const token = this.#token;
        const status = await chat(gateway, token).catch(() => 0);
        this.seen.add(token);
        this.counts.set(status, (this.counts.get(status) ?? 0) + 1);
      }
      await wait(PAUSE_MILLISECONDS);
    }
  }
}
