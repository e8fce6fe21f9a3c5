/** Breadth first over all interleavings: the first violation found is one of the shortest. */
import { orderProcesses, STATE_SIZE, type State, StateSet } from './encode.ts';
import { explain } from './explain.ts';
import { quiesce } from './quiesce.ts';
import type { Rules } from './rules.ts';
import { prepare } from './scenarios.ts';
import { STEP_COUNT, take } from './steps.ts';
import { LAST_VERSION, type Model, type Scenario } from './world.ts';

export interface SearchResult {
  states: number;
  steps: number;
  /** Nothing is left to explore within the scenario's bounds. */
  isComplete: boolean;
  depth: number;
  seconds: number;
  livenessRuns: number;
  reached: ReadonlyMap<string, number>;
  violation?: { invariant: string; trace: string[] };
}

export interface Bounds {
  states: number;
  /** From one state in so many, run without faults until rest. */
  livenessEvery: number;
}

const SWAPPED = 128;

/** States waiting to be expanded, first in first out. */
class Queue {
  readonly #chunks: Int32Array[] = [];
  readonly #perChunk = 4096;
  #head = 0;
  #tail = 0;

  push(state: State): void {
    if (this.#tail % this.#perChunk === 0) this.#chunks.push(new Int32Array(this.#perChunk * STATE_SIZE));
    this.#chunks.at(-1)?.set(state, (this.#tail++ % this.#perChunk) * STATE_SIZE);
  }

  shift(into: State): boolean {
    if (this.#head === this.#tail) return false;
    const at = (this.#head++ % this.#perChunk) * STATE_SIZE;
    const chunk = this.#chunks[0];
    if (chunk) into.set(chunk.subarray(at, at + STATE_SIZE));
    if (this.#head % this.#perChunk === 0) this.#chunks.shift();
    return true;
  }
}

/** Prepares the scenario and searches it. A protocol may fail before any fault. */
export function explore(scenario: Scenario, bounds: Bounds, rules?: Rules): SearchResult {
  const { model, sources, told } = prepare(scenario, rules);
  if (!model.violation) return search(model, sources, bounds);
  const violation = { invariant: model.violation, trace: ['without faults:', ...told] };
  return {
    states: 0,
    steps: told.length,
    isComplete: false,
    depth: 0,
    seconds: 0,
    livenessRuns: 1,
    reached: model.reached,
    violation,
  };
}

export function search(model: Model, sources: readonly State[], bounds: Bounds): SearchResult {
  const began = performance.now();
  model.lastVersion = model.scenario.lastVersion ?? LAST_VERSION;
  const known = new StateSet(bounds.states + 1024);
  const queue = new Queue();
  const parents = new Int32Array(bounds.states + 1024);
  const stepTo = new Uint8Array(bounds.states + 1024);
  const depths = new Uint16Array(bounds.states + 1024);
  const current = new Int32Array(STATE_SIZE);
  const next = new Int32Array(STATE_SIZE);
  const result = {
    states: 0,
    steps: 0,
    isComplete: false,
    depth: 0,
    seconds: 0,
    livenessRuns: 0,
    reached: model.reached,
  };
  const end = (violation?: SearchResult['violation']): SearchResult => {
    const seconds = (performance.now() - began) / 1000;
    return { ...result, states: known.size, seconds, ...(violation && { violation }) };
  };
  model.reached.clear();
  sources.forEach((source, i) => {
    if (!known.add(source)) return;
    parents[known.size - 1] = -1 - i;
    queue.push(source);
  });
  for (let index = 0; queue.shift(current); index++) {
    result.depth = depths[index] ?? 0;
    for (let step = 0; step < STEP_COUNT; step++) {
      next.set(current);
      model.violation = undefined;
      if (!take(model, next, step)) continue;
      result.steps += 1;
      if (model.violation) {
        const invariant: string = model.violation;
        return end({ invariant, trace: tell(model, sources, parents, stepTo, index, step) });
      }
      const swapped = model.scenario.operators === 2 && orderProcesses(next);
      if (!known.add(next)) continue;
      const number = known.size - 1;
      parents[number] = index;
      stepTo[number] = step | (swapped ? SWAPPED : 0);
      depths[number] = result.depth + 1;
      queue.push(next);
      if (bounds.livenessEvery > 0 && number % bounds.livenessEvery === 0) {
        result.livenessRuns += 1;
        const reached = new Map(model.reached);
        quiesce(model, next);
        restore(model.reached, reached);
        if (model.violation) {
          const invariant: string = model.violation;
          const trace = tell(model, sources, parents, stepTo, index, step);
          model.violation = undefined;
          return end({
            invariant,
            trace: [...trace, 'from here on without faults:', ...quiesce(model, next, true).told],
          });
        }
      }
      if (known.size >= bounds.states) return end();
    }
  }
  result.isComplete = true;
  return end();
}

/** What a fault-free end comes to is no merit of the search. */
function restore(counts: Map<string, number>, to: ReadonlyMap<string, number>): void {
  counts.clear();
  for (const [what, count] of to) counts.set(what, count);
}

function tell(
  model: Model,
  sources: readonly State[],
  parents: Int32Array,
  stepTo: Uint8Array,
  index: number,
  lastStep: number,
): string[] {
  const steps = [lastStep];
  let at = index;
  for (; (parents[at] ?? -1) >= 0; at = parents[at] ?? -1) steps.unshift(stepTo[at] ?? 0);
  const source = -1 - (parents[at] ?? -1);
  const state = Int32Array.from(sources[source] ?? []);
  const told = [`from source ${source}:`];
  let swapped = false;
  for (const step of steps) {
    told.push(explain(model, state, step & ~SWAPPED, swapped));
    take(model, state, step & ~SWAPPED);
    if (step & SWAPPED) {
      orderProcesses(state);
      swapped = !swapped;
    }
  }
  return told;
}
