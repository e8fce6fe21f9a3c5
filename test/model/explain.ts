/** A step in words, told from the state before it. */

import { FLIGHT_FIRST, FLIGHT_PLAN, flightAt, NOW, PC, PLAN, processAt, READ_TOKEN, type State } from './encode.ts';
import { EVENTS, POD_EVENTS, USER_EVENTS, WORKLOAD_EVENTS, WORKLOADS_MAX } from './environment.ts';
import * as at from './processes.ts';
import { MOVES } from './processes.ts';
import { STEP_COUNT, stepOf } from './steps.ts';
import { endsVersions, FIRST_PENDING, type Model, type Plan, uidOfDigest, versionOfDigest } from './world.ts';

const NAMES = ['A', 'B'];

/** `swapped`: A and B have changed places an odd number of times. */
export function explain(model: Model, before: State, step: number, swapped = false): string {
  const time = `t=${before[NOW]} `;
  for (let p = 0; p < 2; p++) {
    for (let move = 0; move < MOVES.length; move++) {
      if (step !== stepOf.process(p, move)) continue;
      const how = move === at.GO ? '' : ` – ${MOVES[move]}`;
      return `${time}${NAMES[swapped ? 1 - p : p]}: ${nextCall(model, before, p)}${how}`;
    }
  }
  return time + eventName(model, before, step);
}

/** What the process does when nothing goes wrong. */
export function nextCall(model: Model, state: State, index: number): string {
  const base = processAt(index);
  const plan = model.planAt(state, base + PLAN);
  switch (state[base + PC]) {
    case at.IDLE:
      return model.rules.statusReadFirst ? 'GET ApiToken' : 'GET Secret';
    case at.HAS_TOKEN:
      return 'GET Secret';
    case at.HAS_SECRET:
      return 'GET ApiToken';
    case at.READ:
      return 'decide, consumers from the cache';
    case at.LOOKING:
      return 'LIST consumers and decide';
    case at.PLANNED:
      return preparation(model, state, base, plan) ?? `${writeName(model, plan)}`;
    case at.PREPARED:
      return plan.do === 'restart' && model.rules.rereadBeforeRestart ? 'reread ApiToken' : writeName(model, plan);
    case at.CONFIRMED:
      return writeName(model, plan);
    default:
      return plan.do === 'restart' ? 'PUT status: recordRestart' : writeName(model, plan);
  }
}

function preparation(model: Model, state: State, base: number, plan: Plan): string | undefined {
  if (plan.do === 'mint') return `audit intent and value for version ${plan.version} (${plan.cause})`;
  if (plan.do === 'restart') return `GET workload ${plan.workload}`;
  if (plan.do === 'secret' && plan.what === 'writeSecret' && model.rules.rereadBeforeSecret) return 'reread ApiToken';
  if (plan.do === 'status' && endsVersions(plan.write)) {
    return `audit intent to ${plan.write.what}, of ${versionsOf(model.tokenAt(state, base + READ_TOKEN).status.versions)}`;
  }
  return undefined;
}

export function writeName(_model: Model, plan: Plan): string {
  switch (plan.do) {
    case 'mint':
    case 'status': {
      const { what, status } = plan.write;
      return `PUT status: ${what}, giving ${versionsOf(status.versions)}`;
    }
    case 'secret':
      return `${plan.create ? 'POST' : 'PUT'} Secret: ${plan.what} ${digestName(plan.secret.digest)}`;
    case 'removeSecret':
      return 'DELETE Secret';
    case 'restart':
      return `APPLY annotation version ${plan.version} to workload ${plan.workload}`;
    default:
      return plan.do;
  }
}

function versionsOf(versions: readonly { version: number; state: string }[]): string {
  return versions.length === 0 ? 'no versions' : versions.map((v) => `v${v.version} ${v.state}`).join(', ');
}

export function digestName(digest: number): string {
  if (digest === 0) return 'an altered value';
  if (digest >= FIRST_PENDING) return 'a value not in status';
  return `v${versionOfDigest(digest)}${uidOfDigest(digest) === 0 ? '' : ' of the new ApiToken'}`;
}

function eventName(model: Model, state: State, step: number): string {
  const flight = (['deliverFirst', 'deliverSecond'] as const).findIndex((e) => step === stepOf.event(e));
  if (flight >= 0) {
    const base = flightAt(flight);
    const isFirst = state[base + FLIGHT_FIRST] === 1;
    const plan = model.planAt(state, base + FLIGHT_PLAN);
    return `a request lands late: ${plan.do === 'restart' && !isFirst ? 'PUT status: recordRestart' : writeName(model, plan)}`;
  }
  for (const name of [...EVENTS]) if (step === stepOf.event(name)) return name;
  for (const name of USER_EVENTS) if (step === stepOf.user(name)) return `user: ${name}`;
  for (let i = 0; i < WORKLOADS_MAX; i++) {
    for (const name of POD_EVENTS) if (step === stepOf.pod(name, i)) return `workload ${i}: ${name}`;
    for (const name of WORKLOAD_EVENTS) if (step === stepOf.workload(name, i)) return `workload ${i}: ${name}`;
  }
  return `step ${step} of ${STEP_COUNT}`;
}
