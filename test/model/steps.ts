/** Every step that the world can take, by one small number; and what holds after each. */
import {
  budgetOf,
  FLAGS,
  FLIGHT_COUNT,
  FLIGHT_FIRST,
  FLIGHT_FLAGS,
  FLIGHT_PLAN,
  FLIGHT_SIZE,
  FRESH_SECRET,
  FRESH_TOKEN,
  FRESH_WORKLOAD,
  flightAt,
  LAST_MOVED,
  PC,
  PLAN,
  PROCESS_COUNT,
  processAt,
  REPLACED,
  type State,
} from './encode.ts';
import {
  disturbWorkload,
  EVENTS,
  POD_EVENTS,
  passEvent,
  podEvent,
  USER_EVENTS,
  userActs,
  WORKLOAD_EVENTS,
  WORKLOADS_MAX,
} from './environment.ts';
import { checkState } from './invariants.ts';
import { APPLIED, CONFIRMED, IDLE, MOVES, moveProcess, PLANNED, PREPARED, startOver } from './processes.ts';
import type { Model, Plan } from './world.ts';

const PREEMPT = budgetOf('preempt');
const PROCESS_STEPS = PROCESS_COUNT * MOVES.length;
const FIRST_USER = PROCESS_STEPS + EVENTS.length;
const FIRST_POD = FIRST_USER + USER_EVENTS.length;
const FIRST_WORKLOAD = FIRST_POD + POD_EVENTS.length * WORKLOADS_MAX;
export const STEP_COUNT = FIRST_WORKLOAD + WORKLOAD_EVENTS.length * WORKLOADS_MAX;

export const stepOf = {
  process: (index: number, move: number) => index * MOVES.length + move,
  event: (name: (typeof EVENTS)[number]) => PROCESS_STEPS + EVENTS.indexOf(name),
  user: (name: (typeof USER_EVENTS)[number]) => FIRST_USER + USER_EVENTS.indexOf(name),
  pod: (name: (typeof POD_EVENTS)[number], index: number) =>
    FIRST_POD + POD_EVENTS.indexOf(name) * WORKLOADS_MAX + index,
  workload: (name: (typeof WORKLOAD_EVENTS)[number], index: number) =>
    FIRST_WORKLOAD + WORKLOAD_EVENTS.indexOf(name) * WORKLOADS_MAX + index,
};

/** Takes the step in place. False when it is not possible, and then the state is of no use. */
export function take(model: Model, state: State, step: number): boolean {
  if (!dispatch(model, state, step)) return false;
  if (model.eager) {
    dropDoomed(model, state);
    if (!model.scenario.kubeletLags) state[REPLACED] = 0;
  }
  checkState(model, state);
  return true;
}

function dispatch(model: Model, state: State, step: number): boolean {
  if (step < PROCESS_STEPS) {
    const index = Math.floor(step / MOVES.length);
    return (
      index < model.scenario.operators && mayMove(state, index) && moveProcess(model, state, index, step % MOVES.length)
    );
  }
  if (step < FIRST_USER) return passEvent(model, state, step - PROCESS_STEPS);
  if (step < FIRST_POD) return userActs(model, state, step - FIRST_USER);
  const place = step < FIRST_WORKLOAD ? step - FIRST_POD : step - FIRST_WORKLOAD;
  const [event, index] = [Math.floor(place / WORKLOADS_MAX), place % WORKLOADS_MAX];
  return step < FIRST_WORKLOAD ? podEvent(model, state, event, index) : disturbWorkload(model, state, event, index);
}

/** Where preemptions are bounded (M. Musuvathi, S. Qadeer, PLDI 2007): to leave a process in the midst costs one. */
function mayMove(state: State, index: number): boolean {
  const last = state[LAST_MOVED] ?? 0;
  if (last === 0 || last === index + 1) return true;
  state[LAST_MOVED] = index + 1;
  if (state[processAt(last - 1) + PC] === IDLE) return true;
  const left = state[PREEMPT] ?? 0;
  state[PREEMPT] = left - 1;
  return left > 0;
}

/** A write that can only be refused has no effect but that its process starts over, and that it may do now. */
function dropDoomed(model: Model, state: State): void {
  for (let p = 0; p < PROCESS_COUNT; p++) {
    const base = processAt(p);
    const pc = state[base + PC] ?? 0;
    if (pc < PLANNED) continue;
    if (isDoomed(model, model.planAt(state, base + PLAN), pc, state[base + FLAGS] ?? 0)) startOver(state, base);
  }
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    const flight = flightAt(f);
    if (state[flight + FLIGHT_PLAN] === 0) continue;
    const plan = model.planAt(state, flight + FLIGHT_PLAN);
    const pc = plan.do === 'restart' ? (state[flight + FLIGHT_FIRST] === 1 ? CONFIRMED : APPLIED) : PREPARED;
    if (isDoomed(model, plan, pc, state[flight + FLIGHT_FLAGS] ?? 0)) state.fill(0, flight, flight + FLIGHT_SIZE);
  }
}

function isDoomed(model: Model, plan: Plan, pc: number, flags: number): boolean {
  const { rules } = model;
  const tokenIsOld = !(flags & FRESH_TOKEN);
  const secretIsOld = !(flags & FRESH_SECRET);
  switch (plan.do) {
    case 'status':
    case 'mint':
      return rules.statusPrecondition && tokenIsOld;
    case 'secret': {
      if (plan.what !== 'writeSecret') return rules.settlePrecondition && secretIsOld;
      if (pc === PLANNED && rules.rereadBeforeSecret && tokenIsOld) return true;
      return !plan.create && rules.secretPrecondition && secretIsOld;
    }
    case 'removeSecret':
      return rules.secretPrecondition && secretIsOld;
    case 'restart': {
      const workloadIsOld = rules.workloadPrecondition && !(flags & FRESH_WORKLOAD);
      if (pc === APPLIED) return rules.statusPrecondition && tokenIsOld;
      if (pc === CONFIRMED) return workloadIsOld;
      if (pc === PREPARED && workloadIsOld) return true;
      return rules.rereadBeforeRestart && tokenIsOld;
    }
    default:
      return false;
  }
}
