/** Everything that is not the operator: time, users, the garbage collector, workloads, requests still in flight. */
import { currentOf, EMPTY_STATUS } from '../../src/domain/lifecycle/seen.ts';
import {
  AGE,
  AUDIT_INTENT,
  budgetOf,
  CONSUMERS,
  EVER_HARMED,
  EXCUSED,
  type Fault,
  FLIGHT_AGE,
  FLIGHT_COUNT,
  FLIGHT_FIRST,
  FLIGHT_FLAGS,
  FLIGHT_PENDING,
  FLIGHT_PLAN,
  FLIGHT_SIZE,
  FORBIDDEN,
  flightAt,
  HARMED,
  HIGHEST,
  KEY,
  LOG_INTENT,
  NOW,
  ORDER,
  PC,
  PENDING_ORDER,
  PROCESS_COUNT,
  PROCESS_SIZE,
  processAt,
  REPLACED,
  SEALED_ORDER,
  SECRET,
  type State,
  TOKEN,
} from './encode.ts';
import { commit, PLANNED, startOver } from './processes.ts';
import {
  ALTERED,
  digestOf,
  LOST_KEY,
  type Model,
  type Pod,
  REVOCATION,
  type Secret,
  WAITING,
  type Workload,
} from './world.ts';
import { annotate, secretChanged, tokenChanged, workloadChanged } from './writes.ts';

export const WORKLOADS_MAX = 3;

/** Each is free to happen, as often as it can; `tick` up to the scenario's limit. */
export const EVENTS = ['tick', 'collectGarbage', 'deliverFirst', 'deliverSecond', 'sealOrder'] as const;
export const POD_EVENTS = ['createPod', 'startPod', 'startPodFromLaggingKubelet', 'refreshPod'] as const;
/** Bounded by the scenario's budget of the fault of that name. */
export const USER_EVENTS = [
  'deleteSecret',
  'alterToken',
  'alterData',
  'alterMetadata',
  'putOldBack',
  'recreate',
  'request',
  'widen',
  'retemplate',
  'newWorkload',
  'newKey',
  'loseKey',
  'revoke',
  'changePolicy',
] as const satisfies readonly Fault[];
export const WORKLOAD_EVENTS = ['wipe', 'evict'] as const satisfies readonly Fault[];

const USER_BUDGETS = USER_EVENTS.map(budgetOf);
const WORKLOAD_BUDGETS = WORKLOAD_EVENTS.map(budgetOf);

export function passEvent(model: Model, state: State, event: number): boolean {
  switch (EVENTS[event]) {
    case 'tick':
      return (state[NOW] ?? 0) < model.lastTick && tick(model, state);
    case 'collectGarbage':
      return collectGarbage(model, state);
    case 'deliverFirst':
      return deliver(model, state, flightAt(0));
    case 'deliverSecond':
      return deliver(model, state, flightAt(1));
    case 'sealOrder':
      return sealOrder(model, state);
    default:
      return false;
  }
}

/** A request that outlives its deadline is never heard of again. */
export function tick(model: Model, state: State): boolean {
  state[NOW] = (state[NOW] ?? 0) + 1;
  state[REPLACED] = 0;
  const { patience } = model.scenario;
  for (let p = 0; p < PROCESS_COUNT; p++) {
    const base = processAt(p);
    if ((state[base + PC] ?? 0) < PLANNED) continue;
    state[base + AGE] = (state[base + AGE] ?? 0) + 1;
    if ((state[base + AGE] ?? 0) > patience) startOver(state, base);
  }
  for (let f = 0; f < FLIGHT_COUNT; f++) {
    const flight = flightAt(f);
    if (state[flight + FLIGHT_PLAN] === 0) continue;
    state[flight + FLIGHT_AGE] = (state[flight + FLIGHT_AGE] ?? 0) + 1;
    if ((state[flight + FLIGHT_AGE] ?? 0) > patience) state.fill(0, flight, flight + FLIGHT_SIZE);
  }
  // A kubelet renews mounted files within a tick of the model.
  model.consumersAt(state, CONSUMERS).forEach((workload, index) => {
    if (workload.reads === 'refreshing') refresh(model, state, index, workload);
  });
  return true;
}

function collectGarbage(model: Model, state: State): boolean {
  const secret = model.secretAt(state, SECRET);
  if (!secret || secret.owner === model.tokenAt(state, TOKEN).uid) return false;
  secretChanged(model, state, undefined);
  return true;
}

/** Until then a finalizer holds the TokenRevocation. */
function sealOrder(model: Model, state: State): boolean {
  const { handledRevocations } = model.tokenAt(state, TOKEN).status;
  if (state[ORDER] !== PENDING_ORDER || !handledRevocations.includes(REVOCATION.uid)) return false;
  state[ORDER] = SEALED_ORDER;
  return true;
}

function deliver(model: Model, state: State, flight: number): boolean {
  const number = state[flight + FLIGHT_PLAN] ?? 0;
  if (number === 0) return false;
  const plan = model.plans.get(number);
  const flags = state[flight + FLIGHT_FLAGS] ?? 0;
  const pending = state[flight + FLIGHT_PENDING] ?? 0;
  const isFirst = state[flight + FLIGHT_FIRST] === 1;
  state.fill(0, flight, flight + FLIGHT_SIZE);
  if (plan.do === 'restart' && isFirst) annotate(model, state, plan, flags);
  else commit(model, state, number, flags, pending);
  return true;
}

export function userActs(model: Model, state: State, event: number): boolean {
  const budget = USER_BUDGETS[event] ?? 0;
  if ((state[budget] ?? 0) === 0) return false;
  const name = USER_EVENTS[event];
  if (name === undefined || !(actOnSecret(model, state, name) || actOnToken(model, state, name))) return false;
  state[budget] = (state[budget] ?? 0) - 1;
  return true;
}

function actOnSecret(model: Model, state: State, event: Fault): boolean {
  const secret = model.secretAt(state, SECRET);
  if (!secret || secret.owner !== model.tokenAt(state, TOKEN).uid) return false;
  const changed = alteredSecret(secret, event);
  if (changed === secret) return false;
  secretChanged(model, state, changed);
  if (event !== 'alterMetadata') state[EXCUSED] = HARMED | EVER_HARMED;
  return true;
}

function alteredSecret(secret: Secret, event: Fault): Secret | undefined {
  switch (event) {
    case 'deleteSecret':
      return undefined;
    case 'alterToken':
      return { ...secret, digest: ALTERED, version: secret.version };
    case 'alterData':
      return { ...secret, intact: false };
    case 'alterMetadata':
      return { ...secret, asDeclared: false };
    case 'putOldBack': {
      const version = secret.version - 1;
      return version < 1 ? secret : { ...secret, digest: digestOf(secret.owner, version), version, intact: true };
    }
    default:
      return secret;
  }
}

function actOnToken(model: Model, state: State, event: Fault): boolean {
  const token = model.tokenAt(state, TOKEN);
  switch (event) {
    case 'recreate': {
      if (token.uid > 0) return false;
      const fresh = { ...token, uid: 1, generation: token.generation, request: 0, status: EMPTY_STATUS, report: '' };
      state.fill(0, AUDIT_INTENT, HIGHEST + 1);
      for (let p = 0; p < PROCESS_COUNT; p++) state.fill(0, processAt(p) + LOG_INTENT, processAt(p) + PROCESS_SIZE);
      state[EXCUSED] = HARMED | EVER_HARMED;
      tokenChanged(state, model.tokens.of(fresh));
      return true;
    }
    case 'request':
      tokenChanged(state, model.tokens.of({ ...token, request: token.request + 1 }));
      return true;
    case 'widen':
      tokenChanged(state, model.tokens.of({ ...token, generation: token.generation + 1 }));
      return true;
    case 'retemplate': {
      const template = token.template === 0 ? 1 : 0;
      // a Secret written under the old one may land after it, and looks altered
      state[EXCUSED] = (state[EXCUSED] ?? 0) | EVER_HARMED;
      tokenChanged(state, model.tokens.of({ ...token, generation: token.generation + 1, template }));
      return true;
    }
    case 'loseKey':
      if (token.status.versions.length === 0) return false;
      state[EXCUSED] = HARMED | EVER_HARMED;
      tokenChanged(state, model.tokens.of({ ...token, key: LOST_KEY }));
      return true;
    case 'revoke':
      if ((state[ORDER] ?? 0) > 0) return false;
      state[ORDER] = PENDING_ORDER;
      return true;
    case 'changePolicy':
      state[FORBIDDEN] = 1 - (state[FORBIDDEN] ?? 0);
      return true;
    case 'newKey':
      state[KEY] = 1 - (state[KEY] ?? 0);
      return true;
    case 'newWorkload': {
      const all = model.consumersAt(state, CONSUMERS);
      const first = all[0];
      if (all.length >= WORKLOADS_MAX || !first) return false;
      const pod: Pod = { created: state[NOW] ?? 0, started: WAITING, digest: 0, tainted: false };
      const { reads, loose } = first;
      const workload: Workload = {
        reads,
        loose,
        annotated: [0, 0],
        rollout: 'none',
        restartedFor: [0, 0],
        pods: [pod],
      };
      workloadChanged(model, state, all.length, workload);
      return true;
    }
    default:
      return false;
  }
}

export function disturbWorkload(model: Model, state: State, event: number, index: number): boolean {
  const budget = WORKLOAD_BUDGETS[event] ?? 0;
  const workload = model.consumersAt(state, CONSUMERS)[index];
  if (!workload || (state[budget] ?? 0) === 0) return false;
  if (WORKLOAD_EVENTS[event] === 'wipe') {
    if (workload.loose || workload.annotated.every((v) => v === 0)) return false;
    workloadChanged(model, state, index, { ...workload, annotated: [0, 0], restartedFor: [0, 0], rollout: 'due' });
  } else {
    const pod: Pod = { created: state[NOW] ?? 0, started: WAITING, digest: 0, tainted: false };
    if (workload.rollout !== 'none') return false;
    workloadChanged(model, state, index, { ...workload, pods: workload.loose ? [] : [pod] });
  }
  state[budget] = (state[budget] ?? 0) - 1;
  return true;
}

/** Rolling update of one replica: the new pod is made beside the old one, which goes when the new one has started. */
export function podEvent(model: Model, state: State, event: number, index: number): boolean {
  const workload = model.consumersAt(state, CONSUMERS)[index];
  if (!workload) return false;
  switch (POD_EVENTS[event]) {
    case 'createPod': {
      if (workload.rollout !== 'due') return false;
      const pod: Pod = { created: state[NOW] ?? 0, started: WAITING, digest: 0, tainted: false };
      const pods = [...workload.pods.slice(0, 1), pod];
      workloadChanged(model, state, index, { ...workload, rollout: 'underWay', pods });
      return true;
    }
    case 'startPod':
      return startPod(model, state, index, workload, readable(model.secretAt(state, SECRET)));
    case 'startPodFromLaggingKubelet':
      return startPod(model, state, index, workload, state[REPLACED] || undefined);
    case 'refreshPod':
      return workload.reads === 'refreshing' && refresh(model, state, index, workload);
    default:
      return false;
  }
}

/** What a pod makes of it: one altered key spoils the whole. */
function readable(secret: Secret | undefined): number | undefined {
  return secret && (secret.intact ? secret.digest : ALTERED);
}

function startPod(model: Model, state: State, index: number, workload: Workload, digest: number | undefined): boolean {
  const waiting = workload.pods.at(-1);
  if (digest === undefined || waiting?.started !== WAITING) return false;
  const current = currentOf(model.tokenAt(state, TOKEN).status)?.version;
  const tainted =
    ((state[EXCUSED] ?? 0) & HARMED) !== 0 && digest !== digestOf(model.tokenAt(state, TOKEN).uid, current ?? 0);
  const pod: Pod = { ...waiting, started: state[NOW] ?? 0, digest, tainted };
  const rollout = workload.rollout === 'underWay' ? 'none' : workload.rollout;
  const pods = workload.rollout === 'due' ? [...workload.pods.slice(0, -1), pod] : [pod];
  workloadChanged(model, state, index, { ...workload, rollout, pods });
  return true;
}

function refresh(model: Model, state: State, index: number, workload: Workload): boolean {
  const digest = readable(model.secretAt(state, SECRET));
  if (digest === undefined || workload.pods.every((p) => p.started < 0 || p.digest === digest)) return false;
  const pods = workload.pods.map((p) => (p.started < 0 ? p : { ...p, digest }));
  workloadChanged(model, state, index, { ...workload, pods });
  return true;
}
