/** Programs that call with a token: one for each pod that read the Secret at its start, and such as follow the Secret. */
import { keyOfSecret, type Stage } from '../harness/stage.ts';
import { Program } from './program.ts';
import type { CallerJob, CallerSeen, Stream } from './programs/caller.ts';
import { SecretFile } from './secret-file.ts';

type Caller = Program<CallerSeen<'calls'>>;

export class Consumers {
  readonly #stage: Stage;
  readonly #url: string;
  /** By the UID of the pod. */
  readonly #running = new Map<string, { name: string; program: Caller }>();
  readonly #programs: Caller[] = [];
  /** Date.now() when its pod was seen to be gone: what is answered later, a program in a pod would not hear any more. */
  readonly #goneAt = new Map<Caller, number>();
  readonly #files: SecretFile[] = [];
  #stopping = false;

  constructor(stage: Stage, url: string) {
    this.#stage = stage;
    this.#url = url;
  }

  /** Of every pod that there is or will be of these Deployments, with the value that stands in the Secret when it is first seen. */
  startWithPods(secretOf: (app: string) => string | undefined): void {
    const { namespace, timeline } = this.#stage;
    const look = () => {
      if (this.#stopping) return true;
      for (const [uid, { name, program }] of this.#running) {
        const pod = timeline.get('pods', namespace, name);
        if (pod?.metadata.uid === uid && !pod.metadata.deletionTimestamp) continue;
        this.#running.delete(uid);
        this.#goneAt.set(program, Date.now());
        void program.stop();
      }
      for (const { metadata } of timeline.list('pods', namespace)) {
        const { uid = '', name, labels, deletionTimestamp } = metadata;
        const secret = secretOf(labels?.app ?? '');
        if (secret === undefined || deletionTimestamp !== undefined || this.#running.has(uid)) continue;
        const value = keyOfSecret(this.#stage.secret(secret), 'token');
        if (value === undefined) throw new Error(`${secret} has no value`);
        this.#running.set(uid, { name, program: this.#start({ value }) });
      }
      return false;
    };
    timeline.until('the consumers are stopped', look, 86_400).catch((error: unknown) => {
      process.stderr.write(`consumers are started no more: ${error}\n`);
    });
  }

  follow(secret: string): void {
    const file = new SecretFile(this.#stage, secret);
    this.#files.push(file);
    this.#start({ file: file.path });
  }

  /** How many have been started. */
  get size(): number {
    return this.#programs.length;
  }

  /** How often each status was answered to all of them. */
  async stop(): Promise<Map<string, number>> {
    this.#stopping = true;
    this.#stage.timeline.poke();
    for (const file of this.#files) file.close();
    const statuses = new Map<string, number>();
    await Promise.all(this.#programs.map((program) => program.stop()));
    for (const program of this.#programs) {
      const { calls } = await program.stop();
      const goneAt = this.#goneAt.get(program) ?? Number.POSITIVE_INFINITY;
      const heard = calls.refused.filter(({ answeredAt }) => answeredAt <= goneAt).map(({ status }) => status);
      for (const status of heard) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      statuses.set('200', (statuses.get('200') ?? 0) + (calls.statuses['200'] ?? 0));
    }
    return statuses;
  }

  #start(token: NonNullable<Stream['token']>): Caller {
    const program: Caller = Program.start<CallerJob, CallerSeen<'calls'>>('caller', {
      calls: { urls: [this.#url], token },
    });
    this.#programs.push(program);
    return program;
  }
}
