/** The API server: each write is atomic, and refused where what it was prepared on has changed. */
import {
  budgetOf,
  CONSUMERS,
  CONSUMERS_BEFORE,
  FLAGS,
  FLIGHT_COUNT,
  FLIGHT_FLAGS,
  FLIGHT_PENDING,
  FLIGHT_PLAN,
  FRESH_SECRET,
  FRESH_TOKEN,
  FRESH_WORKLOAD,
  flightAt,
  HELD,
  HELD_MAX,
  PENDING,
  PLAN,
  PROCESS_COUNT,
  processAt,
  REPLACED,
  SECRET,
  type State,
  TOKEN,
  TOKEN_BEFORE,
} from './encode.ts';
import { checkRestart, checkSecretWrite, checkStatusWrite, forgetHarm } from './invariants.ts';
import { digestOf, type Model, type Plan, type Secret, type StatusWrite, type Workload } from './world.ts';

const LAGGING = budgetOf('lagging');

/** Who read it, has an old one now. */
export function tokenChanged(state: State, token: number): void {
  state[TOKEN_BEFORE] = (state[LAGGING] ?? 0) > 0 ? (state[TOKEN] ?? 0) : 0;
  state[TOKEN] = token;
  clearFlag(state, FRESH_TOKEN);
  for (let p = 0; p < PROCESS_COUNT; p++) {
    const held = processAt(p) + HELD;
    for (let i = held; i < held + HELD_MAX; i++) state[i] = (state[i] ?? 0) & ~1;
  }
}

export function secretChanged(model: Model, state: State, secret: Secret | undefined): void {
  const number = model.secrets.of(secret);
  if (number === state[SECRET]) return;
  const before = model.secretAt(state, SECRET);
  const isOther = before && before.digest !== secret?.digest;
  if (model.scenario.kubeletLags && isOther) state[REPLACED] = before.digest;
  state[SECRET] = number;
  clearFlag(state, FRESH_SECRET);
}

export function workloadChanged(model: Model, state: State, index: number, workload: Workload): void {
  const all = model.consumersAt(state, CONSUMERS);
  const changed = index < all.length ? all.map((w, i) => (i === index ? workload : w)) : [...all, workload];
  const number = model.consumers.of(changed);
  if (number === state[CONSUMERS]) return;
  state[CONSUMERS_BEFORE] = (state[LAGGING] ?? 0) > 0 ? (state[CONSUMERS] ?? 0) : 0;
  state[CONSUMERS] = number;
  for (let p = 0; p < PROCESS_COUNT; p++)
    clearWorkloadFlag(model, state, processAt(p) + PLAN, processAt(p) + FLAGS, index);
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    clearWorkloadFlag(model, state, flightAt(f) + FLIGHT_PLAN, flightAt(f) + FLIGHT_FLAGS, index);
  }
}

function clearFlag(state: State, flag: number): void {
  for (let p = 0; p < PROCESS_COUNT; p++) state[processAt(p) + FLAGS] = (state[processAt(p) + FLAGS] ?? 0) & ~flag;
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    state[flightAt(f) + FLIGHT_FLAGS] = (state[flightAt(f) + FLIGHT_FLAGS] ?? 0) & ~flag;
  }
}

function clearWorkloadFlag(model: Model, state: State, planSlot: number, flagsSlot: number, index: number): void {
  const plan = model.planAt(state, planSlot);
  if (plan.do === 'restart' && plan.workload === index) state[flagsSlot] = (state[flagsSlot] ?? 0) & ~FRESH_WORKLOAD;
}

/** True when it was committed; the new ApiToken, or the unchanged one, is in TOKEN. */
export function putStatus(model: Model, state: State, planNumber: number, flags: number, pending: number): boolean {
  const plan = model.plans.get(planNumber);
  if (plan.do !== 'status' && plan.do !== 'mint' && plan.do !== 'restart') throw new Error('not a write of status');
  const current = model.tokenAt(state, TOKEN);
  if (plan.write.uid !== current.uid) return false;
  if (model.rules.statusPrecondition && !(flags & FRESH_TOKEN)) return false;
  const number = withStatus(model, state[TOKEN] ?? 0, planNumber, plan.write);
  const minted = plan.do === 'mint' ? plan : undefined;
  checkStatusWrite(model, state, current.status, plan.write, minted);
  if (minted) nameValue(state, pending, digestOf(current.uid, minted.version));
  model.reach(plan.do === 'mint' ? `mint ${plan.cause}` : plan.do === 'restart' ? 'recordRestart' : plan.write.what);
  if (number !== state[TOKEN]) tokenChanged(state, number);
  forgetHarm(model, state);
  return true;
}

function withStatus(model: Model, token: number, plan: number, { status, key, report }: StatusWrite): number {
  const place = token * 65536 + plan;
  let number = model.written.get(place);
  if (number === undefined) {
    number = model.tokens.of({ ...model.tokens.get(token), status, key, report });
    model.written.set(place, number);
  }
  return number;
}

/** From here on the value is known by its version. */
function nameValue(state: State, pending: number, digest: number): void {
  for (let p = 0; p < PROCESS_COUNT; p++) {
    const base = processAt(p);
    if (state[base + PENDING] === pending) state[base + PENDING] = digest;
    for (let i = base + HELD; i < base + HELD + HELD_MAX; i++) {
      const held = state[i] ?? 0;
      if (held >> 1 === pending) state[i] = (digest << 1) | (held & 1);
    }
  }
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    const slot = flightAt(f) + FLIGHT_PENDING;
    if (state[slot] === pending) state[slot] = digest;
  }
}

export function writeSecret(model: Model, state: State, plan: Extract<Plan, { do: 'secret' }>, flags: number): boolean {
  const before = model.secretAt(state, SECRET);
  const { rules } = model;
  if (plan.create) {
    if (before) return false;
  } else {
    const isGuarded = plan.what === 'writeSecret' ? rules.secretPrecondition : rules.settlePrecondition;
    if (!before || (isGuarded && !(flags & FRESH_SECRET))) return false;
  }
  secretChanged(model, state, plan.secret);
  checkSecretWrite(model, state, before, plan);
  forgetHarm(model, state);
  model.reach(plan.create ? 'create the Secret' : plan.what);
  return true;
}

export function deleteSecret(model: Model, state: State, uid: number, flags: number): boolean {
  const before = model.secretAt(state, SECRET);
  if (!before || (model.rules.secretPrecondition && !(flags & FRESH_SECRET))) return false;
  if (before.owner !== uid) model.breaks('I11: an operator deletes the Secret of another UID');
  secretChanged(model, state, undefined);
  model.reach('removeSecret');
  return true;
}

/** Server-side apply of the one annotation. An annotation that is there already changes nothing. */
export function annotate(model: Model, state: State, plan: Extract<Plan, { do: 'restart' }>, flags: number): boolean {
  const workload = model.consumersAt(state, CONSUMERS)[plan.workload];
  if (!workload || (model.rules.workloadPrecondition && !(flags & FRESH_WORKLOAD))) return false;
  const key = model.rules.annotationPerToken ? plan.write.uid : 0;
  if (workload.annotated[key] === plan.version) return true;
  checkRestart(model, workload, plan.write.uid, plan.version);
  const at = (pair: readonly [number, number], index: number, value: number): readonly [number, number] =>
    index === 0 ? [value, pair[1]] : [pair[0], value];
  const done = (workload.restartedFor[plan.write.uid] ?? 0) | (1 << plan.version);
  workloadChanged(model, state, plan.workload, {
    ...workload,
    annotated: at(workload.annotated, key, plan.version),
    restartedFor: at(workload.restartedFor, plan.write.uid, done),
    rollout: 'due',
  });
  model.reach('restart');
  return true;
}
