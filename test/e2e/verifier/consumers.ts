/** Programs that call with a token: one for each pod that read the Secret at its start, and such as follow the Secret. */
import { Pool } from 'undici';
import { keyOfSecret, type Stage } from '../harness/stage.ts';

export class Consumers {
  readonly statuses = new Map<number, number>();
  calls = 0;
  readonly #stage: Stage;
  readonly #pool: Pool;
  readonly #path: string;
  readonly #pause: () => Promise<void>;
  readonly #running = new Map<string, Promise<void>>();
  #stopping = false;

  /** `pause` is what each of them waits between two calls. */
  constructor(stage: Stage, gateway: { port: number; path: string }, pause: () => Promise<void>) {
    this.#stage = stage;
    this.#pool = new Pool(`http://127.0.0.1:${gateway.port}`, { connections: 64 });
    this.#path = gateway.path;
    this.#pause = pause;
  }

  /** Of every pod that there is or will be of these Deployments, with the value that stands in the Secret when it is first seen. */
  startWithPods(secretOf: (app: string) => string | undefined): void {
    const look = () => {
      if (this.#stopping) return true;
      for (const { metadata } of this.#stage.timeline.list('pods', this.#stage.namespace)) {
        const { uid = '', name, labels } = metadata;
        const secret = secretOf(labels?.app ?? '');
        if (secret === undefined || this.#running.has(uid)) continue;
        const value = this.#valueOf(secret);
        const isAlive = () => {
          const pod = this.#stage.timeline.get('pods', this.#stage.namespace, name);
          return pod !== undefined && pod.metadata.uid === uid && !pod.metadata.deletionTimestamp;
        };
        this.#running.set(
          uid,
          this.#call(() => value, isAlive),
        );
      }
      return false;
    };
    void this.#stage.timeline.until('the consumers are stopped', look, 86_400);
  }

  follow(secret: string): void {
    this.#running.set(
      secret,
      this.#call(
        () => this.#valueOf(secret),
        () => true,
      ),
    );
  }

  /** How many have called. */
  get size(): number {
    return this.#running.size;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stage.timeline.poke();
    await Promise.all(this.#running.values());
    await this.#pool.close();
  }

  async #call(value: () => string, isAlive: () => boolean): Promise<void> {
    while (!this.#stopping && isAlive()) {
      const { statusCode, body } = await this.#pool.request({
        method: 'GET',
        path: this.#path,
        headers: { authorization: `Bearer ${value()}` },
      });
      await body.dump();
      this.calls += 1;
      this.statuses.set(statusCode, (this.statuses.get(statusCode) ?? 0) + 1);
      await this.#pause();
    }
  }

  #valueOf(secret: string): string {
    const value = keyOfSecret(this.#stage.secret(secret), 'token');
    if (value === undefined) throw new Error(`${secret} has no value`);
    return value;
  }
}
