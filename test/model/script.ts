/** One interleaving, step by step, through the same machine that the search drives. Every state on the way is checked. */
import { budgetOf, CONSUMERS, FAULTS, SECRET, type State, TOKEN } from './encode.ts';
import type { EVENTS, POD_EVENTS, USER_EVENTS, WORKLOAD_EVENTS } from './environment.ts';
import { nextCall } from './explain.ts';
import { CRASH, DELAY, GO, LAG, LOSE_REPLY, MISS } from './processes.ts';
import { quiesce } from './quiesce.ts';
import type { Rules } from './rules.ts';
import { prepare, STEADY } from './scenarios.ts';
import { stepOf, take } from './steps.ts';
import { DIGESTS, type Model, type Scenario } from './world.ts';

export class Script {
  readonly #model: Model;
  readonly #state: State;
  readonly A: Operator;
  readonly B: Operator;

  /** Starts where version 1 stands and everything rests, unless told otherwise. */
  constructor(scenario: Partial<Scenario> = {}, rules?: Rules) {
    const { model, sources } = prepare({ ...STEADY, ...scenario }, rules, false);
    this.#model = model;
    this.#state = sources[0] ?? model.initial();
    this.#allowFaults();
    this.A = new Operator(
      (move) => this.#take(stepOf.process(0, move)),
      () => nextCall(model, this.#state, 0),
    );
    this.B = new Operator(
      (move) => this.#take(stepOf.process(1, move)),
      () => nextCall(model, this.#state, 1),
    );
  }

  user(event: (typeof USER_EVENTS)[number]): this {
    return this.#take(stepOf.user(event));
  }

  event(event: (typeof EVENTS)[number]): this {
    return this.#take(stepOf.event(event));
  }

  pod(event: (typeof POD_EVENTS)[number], workload = 0): this {
    return this.#take(stepOf.pod(event, workload));
  }

  workload(event: (typeof WORKLOAD_EVENTS)[number], workload = 0): this {
    return this.#take(stepOf.workload(event, workload));
  }

  rolls(workload = 0): this {
    return this.pod('createPod', workload).pod('startPod', workload);
  }

  /** No fault from here on; then everything must come to rest, healed. */
  comesToRest(): this {
    const { state, told } = quiesce(this.#model, this.#state, true);
    if (this.#model.violation) throw new Error([this.#model.violation, ...told].join('\n'));
    this.#state.set(state);
    this.#allowFaults();
    return this;
  }

  /** Such as "v2 Current, v1 Previous". */
  get versions(): string {
    const { versions } = this.#model.tokenAt(this.#state, TOKEN).status;
    return versions.map((v) => `v${v.version} ${v.state}`).join(', ');
  }

  get secret(): string {
    const secret = this.#model.secretAt(this.#state, SECRET);
    return secret ? this.#nameOf(secret.digest) : 'absent';
  }

  /** What the pods of the workload hold. */
  podsOf(workload: number): string[] {
    const pods = this.#model.consumersAt(this.#state, CONSUMERS)[workload]?.pods ?? [];
    return pods.map((pod) => (pod.started < 0 ? 'waiting' : this.#nameOf(pod.digest)));
  }

  annotationOf(workload: number): readonly number[] {
    return this.#model.consumersAt(this.#state, CONSUMERS)[workload]?.annotated ?? [];
  }

  restartsOf(workload: number): number {
    const masks = this.#model.consumersAt(this.#state, CONSUMERS)[workload]?.restartedFor ?? [];
    return masks.reduce((sum, mask) => sum + mask.toString(2).replaceAll('0', '').length, 0);
  }

  /** More than any script needs. */
  #allowFaults(): void {
    for (const fault of FAULTS) if (fault !== 'preempt') this.#state[budgetOf(fault)] = 9;
  }

  #nameOf(digest: number): string {
    const { versions } = this.#model.tokenAt(this.#state, TOKEN).status;
    const record = versions.find((v) => v.digest === DIGESTS[digest]);
    return record ? `v${record.version}` : 'refused';
  }

  #take(step: number): this {
    if (!take(this.#model, this.#state, step)) throw new Error('that cannot happen here');
    if (this.#model.violation) throw new Error(this.#model.violation);
    return this;
  }
}

export class Operator {
  readonly #move: (move: number) => void;
  readonly #next: () => string;

  constructor(move: (move: number) => void, next: () => string) {
    this.#move = move;
    this.#next = next;
  }

  /** What it does when it goes on. */
  get next(): string {
    return this.#next();
  }

  /** Goes on until it is about to do that. */
  isAboutTo(call: string): this {
    for (let steps = 0; steps < 30; steps++) {
      if (this.next.startsWith(call)) return this;
      this.#move(GO);
    }
    throw new Error(`it never comes to "${call}", and is about to "${this.next}"`);
  }

  /** Goes on until it has done that. */
  does(call: string): this {
    this.isAboutTo(call);
    this.#move(GO);
    return this;
  }

  goesOn(): this {
    this.#move(GO);
    return this;
  }

  readsLaggingCache(): this {
    this.#move(LAG);
    return this;
  }

  missesLatecomers(): this {
    this.#move(MISS);
    return this;
  }

  /** The write commits; it learns of an error. */
  losesReplyOf(call: string): this {
    this.isAboutTo(call);
    this.#move(LOSE_REPLY);
    return this;
  }

  /** The write is on its way; it learns of an error. */
  delays(call: string): this {
    this.isAboutTo(call);
    this.#move(DELAY);
    return this;
  }

  crashes(): this {
    this.#move(CRASH);
    return this;
  }
}
