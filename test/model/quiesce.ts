/** I8: after the last fault, the world comes to rest in the one shape that a fault-free run has, and stays there. */
import { currentOf } from '../../src/domain/lifecycle/seen.ts';
import {
  CONSUMERS,
  FLIGHT_COUNT,
  FLIGHT_PLAN,
  FORBIDDEN,
  flightAt,
  HELD,
  HELD_MAX,
  NOW,
  ORDER,
  PENDING_ORDER,
  processAt,
  SECRET,
  type State,
  TOKEN,
} from './encode.ts';
import { tick } from './environment.ts';
import { explain } from './explain.ts';
import { checkState } from './invariants.ts';
import { GO } from './processes.ts';
import { stepOf, take } from './steps.ts';
import { DIGESTS, isWhole, LAST_VERSION, type Model } from './world.ts';

const ROUNDS_IN_A_TICK = 40;
const STEPS_TO_REST = 200;
const NOT_YET = -1;

export interface Rest {
  state: State;
  /** When anything changed but the time. */
  lastChange: number;
  /** Every state on the way. */
  path: State[];
  told: string[];
}

/** Without faults from here on; last of all the policies allow again what they forbid. Says in `model.violation` what breaks. */
export function quiesce(model: Model, start: State, keepPath = false): Rest {
  const state = model.withoutFaults(start);
  const { lastVersion } = model;
  model.lastVersion = LAST_VERSION;
  const rest: Rest = { state, lastChange: state[NOW] ?? 0, path: [], told: [] };
  const kept = keepPath ? rest : undefined;
  if (state[FORBIDDEN] === 1) {
    comeToRest(model, rest, kept);
    if (!model.violation) checkFinished(model, state);
    state[FORBIDDEN] = 0;
    rest.lastChange = state[NOW] ?? 0;
  }
  if (!model.violation) comeToRest(model, rest, kept);
  model.lastVersion = lastVersion;
  if (!model.violation) checkShape(model, state);
  return rest;
}

/** Each operator acts until it rests, then pods, then time. */
function comeToRest(model: Model, rest: Rest, kept: Rest | undefined): void {
  const { state } = rest;
  const begin = state[NOW] ?? 0;
  const calm = restingTime(model);
  let sleepsUntil = 0;
  // who is in the midst of something ends it; only then does everybody look at the same world
  for (let p = 0; p < model.scenario.operators; p++) runUntilRest(model, state, p, kept);
  while (!model.violation && (state[NOW] ?? 0) <= rest.lastChange + calm) {
    const now = state[NOW] ?? 0;
    if (now > begin + calm * 6) model.breaks('I8: it never comes to rest');
    // before anything else happens that could wake them
    if (operatorsAct(model, state, kept)) {
      if (now < sleepsUntil)
        model.breaks(`I8: an operator would sleep until ${sleepsUntil}, and has something to do at ${now}`);
      rest.lastChange = now;
    }
    for (let rounds = 0; worldActs(model, state, kept) && !model.violation; rounds++) {
      rest.lastChange = now;
      operatorsAct(model, state, kept);
      if (rounds > ROUNDS_IN_A_TICK) model.breaks('I8: operators and workloads chase each other');
    }
    sleepsUntil = model.rested ?? Number.POSITIVE_INFINITY;
    if (model.violation) break;
    tick(model, state);
    checkState(model, state);
  }
}

/** Longer than any of them waits for anything. */
function restingTime(model: Model): number {
  const { settleAfter, orphanAfter, minHealInterval } = model.scenario.tuning;
  return (model.scenario.spec(1).overlap ?? 0) + settleAfter + orphanAfter + minHealInterval + 2;
}

/** In turn, each to its rest, until nobody changes anything any more. */
function operatorsAct(model: Model, state: State, rest: Rest | undefined): boolean {
  let hasChanged = false;
  for (let rounds = 0; rounds < ROUNDS_IN_A_TICK && !model.violation; rounds++) {
    const [token, secret, consumers] = [state[TOKEN], state[SECRET], state[CONSUMERS]];
    let wake: number | undefined;
    for (let p = 0; p < model.scenario.operators; p++) {
      runUntilRest(model, state, p, rest);
      if (model.rested !== undefined) wake = Math.min(wake ?? model.rested, model.rested);
    }
    model.rested = wake;
    if (token === state[TOKEN] && secret === state[SECRET] && consumers === state[CONSUMERS]) return hasChanged;
    hasChanged = true;
  }
  model.breaks('I8: operators write without end');
  return hasChanged;
}

function worldActs(model: Model, state: State, rest: Rest | undefined): boolean {
  let hasChanged = false;
  for (const step of worldSteps(model)) {
    const before = Int32Array.from(state);
    if (!take(model, state, step)) {
      state.set(before);
      continue;
    }
    hasChanged = true;
    note(model, rest, before, step);
  }
  return hasChanged;
}

function worldSteps(model: Model): number[] {
  const events = ['deliverFirst', 'deliverSecond', 'collectGarbage', 'sealOrder'] as const;
  const steps = events.map(stepOf.event);
  for (let i = 0; i < Math.max(1, model.scenario.workloads.length + 1); i++) {
    steps.push(stepOf.pod('createPod', i), stepOf.pod('startPod', i));
  }
  return steps;
}

function runUntilRest(model: Model, state: State, index: number, rest: Rest | undefined): void {
  for (let steps = 0; steps < STEPS_TO_REST && !model.violation; steps++) {
    const before = rest && Int32Array.from(state);
    model.rested = NOT_YET;
    // an operator can always go on, but for the model's own limits
    if (!take(model, state, stepOf.process(index, GO))) return;
    if (before) note(model, rest, before, stepOf.process(index, GO));
    if (model.rested !== NOT_YET) return;
  }
  model.breaks('I8: an operator acts without end');
}

function note(model: Model, rest: Rest | undefined, before: State, step: number): void {
  if (!rest) return;
  rest.path.push(before);
  rest.told.push(explain(model, before, step));
}

/** While a policy forbids mints, what was minted before is finished all the same. */
function checkFinished(model: Model, state: State): void {
  const { status } = model.tokenAt(state, TOKEN);
  const inSecret = model.secretAt(state, SECRET)?.digest ?? 0;
  for (const { version, state: stage, digest } of status.versions) {
    if (stage !== 'Next') continue;
    const isHeld = heldDigests(model, state).some((held) => DIGESTS[held] === digest);
    if (isHeld || DIGESTS[inSecret] === digest)
      model.breaks(`I8: at rest version ${version} is half-way, since a policy forbids more`);
  }
  if (status.versions.some((v) => v.state === 'Previous') && currentOf(status)?.digest === DIGESTS[inSecret])
    model.breaks('I8: at rest a Previous is not retired, since a policy forbids more');
}

function heldDigests(model: Model, state: State): number[] {
  return Array.from({ length: model.scenario.operators }, (_, p) => processAt(p) + HELD).flatMap((first) =>
    Array.from(state.subarray(first, first + HELD_MAX), (held) => held >> 1),
  );
}

function checkShape(model: Model, state: State): void {
  const spec = model.scenario.spec(1);
  const token = model.tokenAt(state, TOKEN);
  const secret = model.secretAt(state, SECRET);
  for (let f = 0; f < FLIGHT_COUNT; f++) if (state[flightAt(f) + FLIGHT_PLAN]) model.breaks('a request never landed');
  if (spec.notAfter !== undefined) {
    if (secret || token.status.versions.length > 0)
      model.breaks('I8: the grant has ended, and something is left of it');
    return;
  }
  const current = currentOf(token.status);
  if (!current || token.status.versions.length !== 1)
    model.breaks('I8: at rest there is not exactly one version, Current');
  if (!secret || secret.owner !== token.uid) model.breaks('I8: at rest there is no Secret of ours');
  else if (DIGESTS[secret.digest] !== current?.digest || !isWhole(secret, token) || !secret.asDeclared) {
    model.breaks('I8: at rest the Secret does not hold Current, as declared');
  }
  if (state[ORDER] === PENDING_ORDER) model.breaks('I8: at rest a revocation is not carried out');
  if (token.status.restarts?.pending !== 0) model.breaks('I8: at rest a restart is pending');
  for (const { loose, pods } of model.consumersAt(state, CONSUMERS)) {
    if (loose) continue; // nobody restarts them
    for (const pod of pods) {
      if (DIGESTS[pod.digest] !== current?.digest) model.breaks('I8: at rest a pod holds another value than Current');
    }
  }
}
