/** Small worlds, each with the faults that belong together: one world with all of them would be too large to see much of. */
import type { TokenSpec } from '../../src/domain/lifecycle/seen.ts';
import type { State } from './encode.ts';
import { NOW, TOKEN } from './encode.ts';
import { quiesce } from './quiesce.ts';
import type { Rules } from './rules.ts';
import { Model, type Scenario, WAITING, type Workload } from './world.ts';
import { tokenChanged } from './writes.ts';

const TUNING = { settleAfter: 1, orphanAfter: 2, minHealInterval: 1 };

/** Manual, so that a world comes to rest; scopes grow with the generation. */
export function manual(generation: number): TokenSpec {
  return {
    subject: 'agent:model',
    purpose: 'Check the protocol',
    environment: 'test',
    audiences: ['api'],
    scopes: Array.from({ length: generation }, (_, i) => `scope-${i}`),
    ttl: 10_000,
    mode: 'Manual',
    renewBefore: 3_000,
    overlap: 3,
    secretName: 'token',
    restart: 'Auto',
    suspended: false,
  };
}

export const DEPLOYMENT: Workload = {
  reads: 'fixed',
  loose: false,
  annotated: [0, 0],
  rollout: 'none',
  restartedFor: [0, 0],
  pods: [{ created: 1, started: WAITING, digest: 0, tainted: false }],
};

const MOUNTED: Workload = { ...DEPLOYMENT, reads: 'refreshing' };
const LOOSE: Workload = { ...DEPLOYMENT, loose: true };
const AT_FIVE = { next: (after: number) => (after < 5 ? 5 : undefined) };

const BASE: Omit<Scenario, 'name' | 'reaches'> = {
  operators: 2,
  workloads: [DEPLOYMENT],
  spec: manual,
  tuning: TUNING,
  ticks: 6,
  patience: 1,
  kubeletLags: false,
  ownLogs: false,
  faults: {},
  start: 'requested',
  everywhere: true,
};

/** For scripts: nobody hurries, nothing has happened but the first issue. */
export const STEADY: Scenario = {
  ...BASE,
  name: 'script',
  ticks: 100,
  patience: 100,
  start: 'issued',
  everywhere: false,
  reaches: [],
};

const ROTATION = ['promote', 'restart', 'settle', 'retire'];

export const SCENARIOS: readonly Scenario[] = [
  {
    ...BASE,
    name: 'one operator, crashes and lost replies',
    operators: 1,
    ticks: 8,
    faults: { crash: 2, lostReply: 2 },
    reaches: ['mint Requested', 'mint OrphanedVersion', ...ROTATION],
  },
  {
    ...BASE,
    name: 'first issue',
    start: 'nothing',
    faults: { crash: 1, lostReply: 1, delay: 1, deleteSecret: 1 },
    // how Previous ends is for the scenarios that begin with a rotation
    reaches: ['mint Issued', 'create the Secret', 'mint SecretMissing', 'promote'],
  },
  {
    ...BASE,
    name: 'two operators, a rotation',
    everywhere: false,
    reaches: ['mint Requested', ...ROTATION],
  },
  {
    ...BASE,
    name: 'two operators, a crash and a request in flight',
    faults: { crash: 1, delay: 1 },
    reaches: ['mint Requested', 'mint OrphanedVersion', ...ROTATION],
  },
  {
    ...BASE,
    name: 'rivals who do not wait for each other',
    workloads: [],
    tuning: { ...TUNING, orphanAfter: 0, minHealInterval: 0 },
    ticks: 4,
    lastVersion: 4,
    faults: { request: 1 },
    reaches: ['mint Requested', 'mint OrphanedVersion', 'promote', 'settle', 'retire'],
  },
  {
    ...BASE,
    name: 'rivals by turns',
    everywhere: false,
    workloads: [],
    tuning: { ...TUNING, orphanAfter: 0, minHealInterval: 0 },
    ticks: 3,
    lastVersion: 3,
    faults: { preempt: 2, request: 1 },
    reaches: ['mint Requested', 'mint OrphanedVersion', 'promote', 'settle', 'retire'],
  },
  {
    ...BASE,
    name: 'rivals and a user',
    workloads: [],
    tuning: { ...TUNING, orphanAfter: 0, minHealInterval: 0 },
    ticks: 3,
    lastVersion: 4,
    faults: { alterToken: 1 },
    reaches: ['mint OrphanedVersion', 'mint SecretAltered', 'promote', 'settle', 'retire'],
  },
  {
    ...BASE,
    name: 'a restart in flight while the next rotation starts',
    operators: 1,
    faults: { request: 1, delay: 1 },
    reaches: ['mint Requested', ...ROTATION],
  },
  {
    ...BASE,
    name: 'one operator falls behind',
    everywhere: false,
    ticks: 2,
    lastVersion: 3,
    faults: { preempt: 1, request: 1 },
    reaches: ['mint Requested', ...ROTATION],
  },
  {
    ...BASE,
    name: 'an audit log for each operator',
    workloads: [],
    ownLogs: true,
    ticks: 2,
    lastVersion: 3,
    faults: { preempt: 2, request: 1 },
    reaches: ['mint Requested', 'promote', 'settle', 'retire'],
  },
  {
    ...BASE,
    name: 'the user alters and deletes the Secret',
    faults: { alterToken: 1, deleteSecret: 1, alterMetadata: 1 },
    reaches: ['mint SecretAltered', 'mint SecretMissing', 'repair', ...ROTATION],
  },
  {
    ...BASE,
    name: 'the user puts an old value back',
    faults: { putOldBack: 2, alterData: 1, delay: 1 },
    reaches: ['mint SecretAltered', ...ROTATION],
  },
  {
    ...BASE,
    // Only so may a Secret be worth a write to one operator, and unchanged hold Current to the other.
    name: 'the template is changed, and changed back',
    spec: () => manual(1),
    tuning: { ...TUNING, orphanAfter: 0, minHealInterval: 0 },
    ticks: 1,
    lastVersion: 3,
    faults: { preempt: 2, retemplate: 2 },
    reaches: ['mint SpecChanged', 'mint OrphanedVersion', ...ROTATION],
  },
  {
    ...BASE,
    name: 'the ApiToken is made anew',
    faults: { recreate: 1, crash: 1, delay: 1 },
    reaches: ['mint Issued', 'create the Secret', ...ROTATION],
  },
  {
    ...BASE,
    name: 'annotations are wiped and pods evicted',
    faults: { wipe: 1, evict: 1, crash: 1, lostReply: 1 },
    reaches: ROTATION,
  },
  {
    ...BASE,
    name: 'a lagging cache misses a workload',
    everywhere: false,
    operators: 1,
    ticks: 3,
    faults: { lagging: 1, newWorkload: 1 },
    reaches: ROTATION,
  },
  {
    ...BASE,
    name: 'lagging caches, and workloads that come late',
    faults: { lagging: 3, newWorkload: 1 },
    kubeletLags: true,
    reaches: ROTATION,
  },
  {
    ...BASE,
    name: 'two rotations at once',
    operators: 1,
    faults: { request: 1, crash: 1, delay: 1, widen: 1 },
    reaches: ['mint Requested', 'mint SpecChanged', ...ROTATION],
  },
  {
    ...BASE,
    name: 'loose pods and mounted Secrets',
    workloads: [DEPLOYMENT, MOUNTED, LOOSE],
    faults: { crash: 1, evict: 2 },
    reaches: ROTATION,
  },
  {
    ...BASE,
    name: 'seal keys change and are lost',
    faults: { newKey: 1, loseKey: 1, crash: 1 },
    reaches: ['reseal', 'mint SealInvalid', ...ROTATION],
  },
  {
    ...BASE,
    name: 'a revocation strikes',
    faults: { revoke: 1, crash: 1, delay: 1 },
    reaches: ['revoke', 'mint Revoked', ...ROTATION],
  },
  {
    ...BASE,
    name: 'policies forbid and allow',
    start: 'nothing',
    faults: { changePolicy: 2, crash: 1, delay: 1 },
    reaches: ['mint Issued', 'mint OrphanedVersion', 'promote', 'restart'],
  },
  {
    ...BASE,
    name: 'policies forbid and allow while the Secret is altered',
    faults: { changePolicy: 2, alterToken: 1, deleteSecret: 1 },
    reaches: ['mint Requested', 'mint SecretAltered', 'mint SecretMissing', ...ROTATION],
  },
  {
    ...BASE,
    name: 'the grant ends',
    start: 'nothing',
    spec: (generation) => ({ ...manual(generation), notAfter: 8 }),
    faults: { crash: 1, delay: 1, deleteSecret: 1 },
    reaches: ['mint Issued', 'promote', 'restart', 'removeSecret', 'endGrant'],
  },
  {
    ...BASE,
    name: 'a schedule',
    start: 'nothing',
    spec: (generation) => ({ ...manual(generation), mode: 'Automatic', schedule: AT_FIVE }),
    faults: { crash: 1, lostReply: 1 },
    reaches: ['mint Scheduled', ...ROTATION],
  },
];

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((s) => s.name === name);
  if (!scenario) throw new Error(`there is no scenario "${name}"`);
  return scenario;
}

export interface Prepared {
  model: Model;
  sources: State[];
  /** The steps without faults that led to the sources. Where they break something, the model says what. */
  told: string[];
}

/** The model, and the states from which the search starts. */
export function prepare(scenario: Scenario, rules?: Rules, eager = true): Prepared {
  const model = new Model(scenario, rules, eager);
  let state = model.initial();
  const told: string[] = [];
  if (scenario.start !== 'nothing') state = issued(model, state, told);
  if (scenario.start === 'requested') request(model, state);
  model.lastTick = (state[NOW] ?? 0) + scenario.ticks;
  const sources = [state];
  if (scenario.everywhere) {
    sources.push(...along(model, state, told));
    if (scenario.start === 'nothing') sources.push(...along(model, requestedAfter(model, sources), told));
  }
  return { model, sources: sources.map((source) => model.withFaults(source)), told };
}

/** The first version stands, and everything rests. */
function issued(model: Model, start: State, told: string[]): State {
  const { state, lastChange, told: steps } = quiesce(model, start, true);
  told.push(...steps);
  state[NOW] = lastChange + 1;
  return state;
}

function request(model: Model, state: State): void {
  const token = model.tokenAt(state, TOKEN);
  tokenChanged(state, model.tokens.of({ ...token, request: token.request + 1 }));
}

/** A rotation asked for where the first run ended. */
function requestedAfter(model: Model, sources: readonly State[]): State {
  const state = Int32Array.from(sources.at(-1) ?? model.initial());
  request(model, state);
  return state;
}

/** Every state of the run without faults. */
function along(model: Model, start: State, told: string[]): State[] {
  if (model.violation) return [];
  const { path, lastChange, told: steps } = quiesce(model, start, true);
  told.push(...steps);
  return path.filter((state) => (state[NOW] ?? 0) <= lastChange);
}
