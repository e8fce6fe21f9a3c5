/**
 * An operator as a machine whose every call to the API server is a step of its own: src/reconcile/apitoken/reconcile.ts,
 * observe.ts and act.ts, cut at each `await` that another process could get into.
 */
import type { TokenStatus } from '../../src/domain/lifecycle/seen.ts';
import { recordAudit, recordRetirement, settleAudit } from './audit.ts';
import {
  AGE,
  budgetOf,
  CONSUMERS,
  CONSUMERS_BEFORE,
  FLAGS,
  FLIGHT_AGE,
  FLIGHT_COUNT,
  FLIGHT_FIRST,
  FLIGHT_FLAGS,
  FLIGHT_PENDING,
  FLIGHT_PLAN,
  FORBIDDEN,
  FRESH_SECRET,
  FRESH_TOKEN,
  FRESH_WORKLOAD,
  flightAt,
  HELD,
  HELD_MAX,
  LOG_INTENT,
  PC,
  PENDING,
  PLAN,
  processAt,
  READ_SECRET,
  READ_TOKEN,
  SECRET,
  type State,
  TOKEN,
  TOKEN_BEFORE,
  VALUE_LOST,
} from './encode.ts';
import { type Listing, planOf } from './observe.ts';
import { DIGESTS, endsVersions, FIRST_PENDING, LAST_PENDING, type Model, type Plan } from './world.ts';
import { annotate, deleteSecret, putStatus, writeSecret } from './writes.ts';

/** Where a process stands: what it does next is told by this and by its plan. */
export const IDLE = 0;
export const HAS_TOKEN = 1;
/** Only where a mutant reads the Secret first. */
export const HAS_SECRET = 2;
export const READ = 3;
export const LOOKING = 4;
export const PLANNED = 5;
/** The value is minted; or status is read again; or the workload is read. */
export const PREPARED = 6;
/** Status is read again, the annotation comes next. */
export const CONFIRMED = 7;
/** The annotation is applied; status comes next. */
export const APPLIED = 8;

/** What may happen to a process: its next step, or one of the ways in which that goes wrong. */
export const MOVES = [
  'goes on',
  'reads a lagging cache',
  'misses the workloads that came late',
  'loses the reply',
  'is delayed in flight',
  'crashes',
] as const;
export const GO = 0;
export const LAG = 1;
export const MISS = 2;
export const LOSE_REPLY = 3;
export const DELAY = 4;
export const CRASH = 5;

const LISTINGS: readonly Listing[] = ['cache', 'laggingCache', 'withoutLatecomers'];
const BUDGET = [
  0,
  budgetOf('lagging'),
  budgetOf('lagging'),
  budgetOf('lostReply'),
  budgetOf('delay'),
  budgetOf('crash'),
];

/** True when the step was possible; the state is then the one after it. */
export function moveProcess(model: Model, state: State, index: number, move: number): boolean {
  const base = processAt(index);
  const budget = BUDGET[move] ?? 0;
  if (move !== GO && (state[budget] ?? 0) === 0) return false;
  if (!tryMove(model, state, base, move)) return false;
  if (move !== GO) state[budget] = (state[budget] ?? 0) - 1;
  return true;
}

function tryMove(model: Model, state: State, base: number, move: number): boolean {
  if (move === CRASH) return crash(state, base);
  switch (state[base + PC]) {
    case IDLE:
      return move === GO || move === LAG ? start(model, state, base, move === LAG) : false;
    case HAS_TOKEN:
      return move === GO && readSecret(state, base, READ);
    case HAS_SECRET:
      return move === GO && readToken(model, state, base, false);
    case READ:
      return move <= MISS && think(model, state, base, LISTINGS[move] ?? 'cache');
    case LOOKING:
      return move === GO && think(model, state, base, 'live');
    default:
      return carryOut(model, state, base, move);
  }
}

function crash(state: State, base: number): boolean {
  const isBusy = state[base + PC] !== IDLE || state[base + HELD] !== 0;
  if (!isBusy) return false;
  state.fill(0, base, base + LOG_INTENT);
  state[VALUE_LOST] = 1;
  return true;
}

/** Memory stays: an error, a conflict, or nothing to do. */
export function startOver(state: State, base: number): void {
  state.fill(0, base, base + HELD);
}

function start(model: Model, state: State, base: number, lagging: boolean): boolean {
  if (model.rules.statusReadFirst) return readToken(model, state, base, lagging);
  return !lagging && readSecret(state, base, HAS_SECRET);
}

function readToken(model: Model, state: State, base: number, lagging: boolean): boolean {
  const cached = state[TOKEN_BEFORE] ?? 0;
  if (lagging && (cached === 0 || cached === state[TOKEN])) return false;
  state[base + READ_TOKEN] = lagging ? cached : (state[TOKEN] ?? 0);
  state[base + FLAGS] = (state[base + FLAGS] ?? 0) | (lagging ? 0 : FRESH_TOKEN);
  state[base + PC] = state[base + PC] === HAS_SECRET ? READ : HAS_TOKEN;
  if (!lagging || !model.rules.forgetOnLiveReadOnly) forgetUseless(model, state, base);
  return true;
}

/** A value is useless when status does not have it as Next, and the write that would add it can no longer land. */
function forgetUseless(model: Model, state: State, base: number): void {
  const { status } = model.tokenAt(state, base + READ_TOKEN);
  const live = model.tokenAt(state, TOKEN).status;
  for (let i = base + HELD; i < base + HELD + HELD_MAX; i++) {
    const held = state[i] ?? 0;
    const mayLand = model.rules.forgetOnlyDoomed && (held & 1) === 1;
    if (held === 0 || mayLand || isNext(status, held >> 1)) continue;
    if (isNext(live, held >> 1)) model.breaks('I8: an operator forgets the value of a Next');
    state[i] = 0;
  }
  sortHeld(state, base);
}

const isNext = (status: TokenStatus, digest: number) =>
  status.versions.some((v) => v.state === 'Next' && v.digest === DIGESTS[digest]);

function sortHeld(state: State, base: number): void {
  state.subarray(base + HELD, base + HELD + HELD_MAX).sort((a, b) => b - a);
}

function readSecret(state: State, base: number, pc: number): boolean {
  state[base + READ_SECRET] = state[SECRET] ?? 0;
  state[base + FLAGS] = (state[base + FLAGS] ?? 0) | FRESH_SECRET;
  state[base + PC] = pc;
  return true;
}

function think(model: Model, state: State, base: number, listing: Listing): boolean {
  if (listing === 'laggingCache') {
    const cached = state[CONSUMERS_BEFORE] ?? 0;
    if (cached === 0 || cached === state[CONSUMERS]) return false;
  }
  if (listing === 'withoutLatecomers' && !hasLatecomers(model, state)) return false;
  settleAudit(model, state, model.tokenAt(state, base + READ_TOKEN), base);
  const number = planOf(model, state, base, listing);
  const plan = model.plans.get(number);
  if (plan.do === 'mint' && state[FORBIDDEN] === 1) model.breaks('I4: a version is to be minted that a policy forbids');
  if (plan.do === 'rest') {
    model.rested = plan.until;
    startOver(state, base);
    return true;
  }
  state[base + PC] = plan.do === 'look' ? LOOKING : PLANNED;
  state[base + PLAN] = plan.do === 'look' ? 0 : number;
  return true;
}

function hasLatecomers(model: Model, state: State): boolean {
  return model.consumersAt(state, CONSUMERS).length > model.scenario.workloads.length;
}

function carryOut(model: Model, state: State, base: number, move: number): boolean {
  const plan = model.planAt(state, base + PLAN);
  const pc = state[base + PC];
  if (plan.do === 'mint' && pc === PLANNED) return move === GO && mint(model, state, base, plan);
  if (plan.do === 'status' && endsVersions(plan.write) && pc === PLANNED) {
    return move === GO && announceEnd(model, state, base, plan.write.status);
  }
  if (plan.do === 'secret' && plan.what === 'writeSecret' && pc === PLANNED && model.rules.rereadBeforeSecret) {
    return move === GO && readAgain(state, base, PREPARED);
  }
  if (plan.do === 'restart' && pc === PLANNED) return move === GO && readWorkload(model, state, base, plan);
  if (plan.do === 'restart' && pc === PREPARED) {
    return move === GO && (model.rules.rereadBeforeRestart ? readAgain(state, base, CONFIRMED) : confirm(state, base));
  }
  if (move === LAG || move === MISS) return false;
  return move === DELAY ? launch(state, base) : send(model, state, base, plan, move === LOSE_REPLY);
}

function confirm(state: State, base: number): boolean {
  state[base + PC] = CONFIRMED;
  return true;
}

/** The audit log has the intent; the value is in memory only. One that was tried under the same resourceVersion is tried again. */
function mint(model: Model, state: State, base: number, plan: Extract<Plan, { do: 'mint' }>): boolean {
  recordAudit(model, state, plan.write.uid, plan.version, base);
  let pending = 0;
  for (let i = base + HELD; i < base + HELD + HELD_MAX; i++) {
    const held = state[i] ?? 0;
    if ((held & 1) === 1) pending = held >> 1;
  }
  if (pending === 0) {
    const last = base + HELD + HELD_MAX - 1;
    if (state[last] !== 0 || plan.version > model.lastVersion) return false; // the model's own limits
    pending = unusedDigest(state);
    state[last] = (pending << 1) | ((state[base + FLAGS] ?? 0) & FRESH_TOKEN);
    sortHeld(state, base);
  }
  state[base + PENDING] = pending;
  state[base + PC] = PREPARED;
  return true;
}

function announceEnd(model: Model, state: State, base: number, after: TokenStatus): boolean {
  for (const { version } of model.tokenAt(state, base + READ_TOKEN).status.versions) {
    if (!after.versions.some((v) => v.version === version)) recordRetirement(model, state, version);
  }
  state[base + PC] = PREPARED;
  return true;
}

function unusedDigest(state: State): number {
  for (let digest = FIRST_PENDING; digest <= LAST_PENDING; digest++) {
    let isUsed = false;
    for (let p = 0; p < 2; p++) {
      const base = processAt(p);
      for (let i = base + HELD; i < base + HELD + HELD_MAX; i++) isUsed ||= (state[i] ?? 0) >> 1 === digest;
    }
    for (let f = 0; f < FLIGHT_COUNT; f++) isUsed ||= state[flightAt(f) + FLIGHT_PENDING] === digest;
    if (!isUsed) return digest;
  }
  throw new RangeError('more values in flight than the model has names for');
}

function readAgain(state: State, base: number, pc: number): boolean {
  if ((state[base + FLAGS] ?? 0) & FRESH_TOKEN) {
    state[base + PC] = pc;
    state[base + AGE] = 0;
  } else startOver(state, base);
  return true;
}

function readWorkload(model: Model, state: State, base: number, plan: Extract<Plan, { do: 'restart' }>): boolean {
  const workload = model.consumersAt(state, CONSUMERS)[plan.workload];
  if (workload?.rollout === 'none') {
    state[base + FLAGS] = (state[base + FLAGS] ?? 0) | FRESH_WORKLOAD;
    state[base + PC] = PREPARED;
  } else startOver(state, base);
  return true;
}

function launch(state: State, base: number): boolean {
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    const flight = flightAt(f);
    if (state[flight + FLIGHT_PLAN] !== 0) continue;
    state[flight + FLIGHT_PLAN] = state[base + PLAN] ?? 0;
    state[flight + FLIGHT_FIRST] = state[base + PC] === CONFIRMED ? 1 : 0;
    state[flight + FLIGHT_PENDING] = state[base + PENDING] ?? 0;
    state[flight + FLIGHT_FLAGS] = state[base + FLAGS] ?? 0;
    state[flight + FLIGHT_AGE] = state[base + AGE] ?? 0;
    startOver(state, base);
    return true;
  }
  return false;
}

function send(model: Model, state: State, base: number, plan: Plan, replyLost: boolean): boolean {
  const planNumber = state[base + PLAN] ?? 0;
  const flags = state[base + FLAGS] ?? 0;
  if (plan.do === 'restart' && state[base + PC] === CONFIRMED) {
    if (!annotate(model, state, plan, flags) || replyLost) startOver(state, base);
    else state[base + PC] = APPLIED;
    return true;
  }
  if (!model.rules.statusBeforeSecret && plan.do === 'mint' && state[base + PC] === PREPARED) {
    return writeTooEarly(model, state, base, plan);
  }
  const isDone = commit(model, state, planNumber, flags, state[base + PENDING] ?? 0);
  if (!isDone || replyLost) {
    startOver(state, base);
    return isDone || !replyLost;
  }
  goOn(state, base, plan);
  return true;
}

/** The loop goes on with the objects of the replies. */
function goOn(state: State, base: number, plan: Plan): void {
  const isSecret = plan.do === 'secret' || plan.do === 'removeSecret';
  if (isSecret) state[base + READ_SECRET] = state[SECRET] ?? 0;
  else state[base + READ_TOKEN] = state[TOKEN] ?? 0;
  state[base + FLAGS] = ((state[base + FLAGS] ?? 0) & ~FRESH_WORKLOAD) | (isSecret ? FRESH_SECRET : FRESH_TOKEN);
  if (plan.do === 'status' && (plan.write.what === 'report' || plan.write.what === 'revoke')) {
    startOver(state, base);
    return;
  }
  state[base + PC] = READ;
  state[base + PLAN] = 0;
  state[base + PENDING] = 0;
  state[base + AGE] = 0;
}

export function commit(model: Model, state: State, planNumber: number, flags: number, pending: number): boolean {
  const plan = model.plans.get(planNumber);
  if (plan.do === 'secret') return writeSecret(model, state, plan, flags);
  if (plan.do === 'removeSecret') return deleteSecret(model, state, plan.uid, flags);
  return putStatus(model, state, planNumber, flags, pending);
}

/** The mutant that everyone writes first: the value is handed out before status vouches for it. */
function writeTooEarly(model: Model, state: State, base: number, plan: Extract<Plan, { do: 'mint' }>): boolean {
  const { uid } = plan.write;
  const digest = state[base + PENDING] ?? 0;
  const { template } = model.tokenAt(state, base + READ_TOKEN);
  const secret = { owner: uid, digest, version: plan.version, intact: true, template, asDeclared: true, settledFor: 0 };
  const create = state[SECRET] === 0;
  writeSecret(model, state, { do: 'secret', what: 'writeSecret', uid, secret, create }, state[base + FLAGS] ?? 0);
  state[base + PC] = APPLIED;
  return true;
}
