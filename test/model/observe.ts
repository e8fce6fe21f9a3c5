/** What one look shows, and what `decide` makes of it: the same observations as src/reconcile/apitoken/observe.ts. */
import type { Compliance } from '../../src/domain/lifecycle/compliance.ts';
import type { Action } from '../../src/domain/lifecycle/decide.ts';
import { describe, operationOf } from '../../src/domain/lifecycle/describe.ts';
import { withoutPast } from '../../src/domain/lifecycle/orders.ts';
import {
  type Consumer,
  type ConsumersSeen,
  currentOf,
  type SealState,
  type SecretSeen,
  type Seen,
} from '../../src/domain/lifecycle/seen.ts';
import { endGrant, recordRestart } from '../../src/domain/lifecycle/transitions.ts';
import type { Digest } from '../../src/domain/value.ts';
import {
  CONSUMERS,
  CONSUMERS_BEFORE,
  FORBIDDEN,
  HELD,
  HELD_MAX,
  KEY,
  NOW,
  ORDER,
  PENDING_ORDER,
  READ_SECRET,
  READ_TOKEN,
  SEALED_ORDER,
  type State,
} from './encode.ts';
import {
  type ApiToken,
  DIGESTS,
  digestOf,
  isWhole,
  type Model,
  type Plan,
  REVOCATION,
  type Secret,
  type StatusWrite,
  TOKEN_IDS,
  uidOfDigest,
  versionOfDigest,
  type Workload,
} from './world.ts';

export type Listing = 'cache' | 'laggingCache' | 'withoutLatecomers' | 'live';

/** The number of the plan of the process at `base`, for what it has read. Asked once for each different look. */
export function planOf(model: Model, state: State, base: number, listing: Listing): number {
  const live = listing === 'live' ? 1 : 0;
  const tokenNumber = state[base + READ_TOKEN] ?? 0;
  const secretNumber = state[base + READ_SECRET] ?? 0;
  const listed = state[listing === 'laggingCache' ? CONSUMERS_BEFORE : CONSUMERS] ?? 0;
  const pods = state[CONSUMERS] ?? 0;
  const now = state[NOW] ?? 0;
  const key = state[KEY] ?? 0;
  const { uid } = model.tokens.get(tokenNumber);
  let heldVersions = 0;
  for (let i = HELD; i < HELD + HELD_MAX; i++) {
    const digest = (state[base + i] ?? 0) >> 1;
    if (digest !== 0 && uidOfDigest(digest) === uid) heldVersions |= 1 << versionOfDigest(digest);
  }
  const read = tokenNumber * 65536 + secretNumber;
  const order = state[ORDER] ?? 0;
  const forbidden = state[FORBIDDEN] ?? 0;
  const rest = (((((pods * 65536 + heldVersions) * 64 + now) * 2 + live) * 2 + (key & 1)) * 4 + order) * 2 + forbidden;
  const misses = listing === 'withoutLatecomers' || (live === 1 && !model.rules.listLive);
  const others = listed === pods && !misses ? rest : `${rest}/${listed}/${misses}`;
  let byRest = model.decided.get(read);
  if (!byRest) {
    byRest = new Map();
    model.decided.set(read, byRest);
  }
  const known = byRest.get(others);
  if (known !== undefined) return known;
  const held = new Set<Digest>();
  for (let v = 1; v < 16; v++) if (heldVersions & (1 << v)) held.add(digestOfVersion(uid, v));
  const look: Look = {
    token: model.tokens.get(tokenNumber),
    secret: model.secrets.items[secretNumber],
    consumers: asCached(model, listed, pods).slice(0, misses ? model.scenario.workloads.length : undefined),
    live: live === 1,
    held,
    now,
    key,
    order,
    isForbidden: forbidden === 1,
  };
  const plan = model.plans.of(makePlan(model, look));
  byRest.set(others, plan);
  return plan;
}

interface Look {
  token: ApiToken;
  secret: Secret | undefined;
  consumers: readonly Workload[];
  live: boolean;
  held: ReadonlySet<Digest>;
  now: number;
  key: number;
  order: number;
  isForbidden: boolean;
}

const digestOfVersion = (uid: number, version: number) => DIGESTS[digestOf(uid, version)] as Digest;

/** Workloads as a lagging cache has them; their pods are always listed live. */
function asCached(model: Model, listed: number, pods: number): Workload[] {
  const now = model.consumers.get(pods);
  return model.consumers.get(listed).map((workload, i) => ({ ...workload, pods: now[i]?.pods ?? [] }));
}

const ALLOWS: Compliance = { allows: true, reason: 'PolicySatisfied', message: 'allowed' };
const FORBIDS: Compliance = { allows: false, reason: 'PolicyViolated', message: 'forbidden' };

function seenOf(model: Model, look: Look): Seen {
  const { token, secret } = look;
  const seen: Seen = {
    uid: `uid-${token.uid}`,
    tokenID: token.uid === 0 ? TOKEN_IDS[0] : TOKEN_IDS[1],
    generation: token.generation,
    deleting: false,
    orders: look.order === PENDING_ORDER ? [REVOCATION] : [],
    pastOrders: new Set(look.order === SEALED_ORDER ? [REVOCATION.uid] : []),
    spec: { ok: true, spec: model.specOf(token) },
    compliance: look.isForbidden ? FORBIDS : ALLOWS,
    status: token.status,
    sealState: sealStateOf(look),
    secret: secretSeen(model, token, secret),
    held: look.held,
    consumers: consumersSeen(token, look),
    rolloutSlot: true,
  };
  if (token.request > 0) seen.rotateRequest = `request-${token.request}`;
  return seen;
}

function sealStateOf({ token, key }: Look): SealState {
  if (token.status.versions.length === 0 && token.status.lastVersion === 0) return 'absent';
  if (token.key === key) return 'valid';
  return token.key < 0 ? 'broken' : 'old-key';
}

function secretSeen(model: Model, token: ApiToken, secret: Secret | undefined): SecretSeen {
  if (!secret) return { is: 'absent' };
  if (model.rules.ownedByUID && secret.owner !== token.uid) return { is: 'foreign', owner: `uid-${secret.owner}` };
  const digest = DIGESTS[secret.digest] as Digest;
  const vouchedFor = token.status.versions.some((v) => v.digest === digest);
  const seen: SecretSeen = {
    is: 'ours',
    digest,
    intact: isWhole(secret, token) && vouchedFor,
    asDeclared: secret.asDeclared || !vouchedFor,
    version: secret.version,
  };
  if (secret.settledFor > 0) seen.settledFor = secret.settledFor;
  return seen;
}

function consumersSeen(token: ApiToken, { consumers, live }: Look): ConsumersSeen {
  const { restarts } = token.status;
  const underWay = restarts !== undefined && restarts.version === currentOf(token.status)?.version;
  const since = underWay && (live || restarts.pending > 0) ? restarts.since : undefined;
  const workloads: Consumer[] = [];
  const loosePods = { total: 0, stale: 0 };
  consumers.forEach((workload, i) => {
    const stale = workload.pods.filter((p) => p.created <= (since ?? 0));
    if (workload.loose) {
      loosePods.total += live ? workload.pods.length : 0;
      loosePods.stale += live ? stale.length : 0;
      return;
    }
    const { reads, rollout } = workload;
    const consumer: Consumer = {
      kind: 'Deployment',
      name: `workload-${i}`,
      uid: `workload-${i}`,
      reads,
      rolledOut: rollout === 'none' && workload.pods.every((p) => p.started >= 0),
      inert: false,
    };
    const annotated = workload.annotated[token.uid];
    if (annotated) consumer.annotated = annotated;
    if (since !== undefined) {
      const startedBefore = stale.some((p) => p.started >= 0 && p.started <= since);
      consumer.pods = { stale: stale.length, startedBefore };
    }
    workloads.push(consumer);
  });
  return { live, workloads, loosePods };
}

/** The write that carries the action out, as src/reconcile/apitoken/act.ts prepares it. */
function makePlan(model: Model, look: Look): Plan {
  const seen = seenOf(model, look);
  if (!seen.spec.ok) throw new Error('the model has no spec problems');
  const { spec } = seen.spec;
  const { now, secret, token } = look;
  const { rules } = model;
  const action = rules.decide(seen, now, model.scenario.tuning);
  const { uid } = token;
  const write = (what: string, status: Seen['status'], more: { secret?: SecretSeen; reseal?: boolean } = {}) =>
    statusWrite(seen, look, what, status, more);
  switch (action.do) {
    case 'look':
      return action;
    case 'mint': {
      const version = rules.nextVersion(seen);
      const status = rules.addNext(seen, spec, digestOfVersion(uid, version), now);
      return {
        do: 'mint',
        write: write(operationOf(action.cause, version), status),
        version,
        cause: action.cause,
      };
    }
    case 'writeSecret': {
      const digest = DIGESTS.indexOf(action.digest);
      const value: Secret = {
        owner: secret?.owner ?? uid,
        digest,
        version: action.version,
        intact: true,
        template: token.template,
        asDeclared: true,
        settledFor: 0,
      };
      return { do: 'secret', what: 'writeSecret', uid, secret: value, create: !secret };
    }
    case 'promote':
      return { do: 'status', write: write('promote', rules.promote(seen, spec, action.version, now)) };
    case 'retire':
      return { do: 'status', write: write('retire', rules.retire(seen.status, action.versions)) };
    case 'recordRestarts':
      return { do: 'status', write: write('recordRestarts', { ...seen.status, restarts: action.restarts }) };
    case 'endGrant':
      return { do: 'status', write: write('endGrant', endGrant(seen.status), { secret: { is: 'absent' } }) };
    case 'reseal':
      return { do: 'status', write: write('reseal', seen.status, { reseal: true }) };
    case 'repair':
    case 'settle': {
      if (!secret) throw new Error('only a Secret that is there can be mended');
      const settledFor = action.do === 'settle' ? action.current : secret.settledFor;
      const mended = { ...secret, intact: true, asDeclared: true, settledFor };
      return { do: 'secret', what: action.do, uid, secret: mended, create: false };
    }
    case 'removeSecret':
      return { do: 'removeSecret', uid };
    case 'restart': {
      const workload = Number(action.consumer.uid.slice('workload-'.length));
      const version = currentOf(seen.status)?.version ?? 0;
      const status = recordRestart(seen.status, action.consumer);
      return { do: 'restart', write: write('recordRestart', status), workload, version };
    }
    case 'revoke':
      return { do: 'status', write: write('revoke', rules.revoke(seen, action.orders)) };
    case 'wait':
      return atRest(seen, look, action);
    default:
      return action satisfies never;
  }
}

/** Conditions are written where they do not say so yet; then there is nothing to do. */
function atRest(seen: Seen, look: Look, action: Extract<Action, { do: 'wait' }>): Plan {
  const standstill = action.standstill && { standstill: action.standstill };
  const description = describe(
    {
      uid: seen.uid,
      generation: seen.generation,
      spec: seen.spec,
      compliance: seen.compliance,
      status: seen.status,
      secret: seen.secret,
      ...standstill,
    },
    look.now,
  );
  const report = JSON.stringify(description.conditions);
  const { token } = look;
  if (report !== token.report || seen.status.observedGeneration !== seen.generation) {
    const status = { ...withoutPast(seen.status, seen.pastOrders), observedGeneration: seen.generation };
    return { do: 'status', write: { what: 'report', uid: token.uid, status, key: token.key, report } };
  }
  const wakes = [action.until, description.wake].filter((w) => w !== undefined);
  return { do: 'rest', until: wakes.length > 0 ? Math.min(...wakes) : undefined };
}

function statusWrite(
  seen: Seen,
  { token, key, now }: Look,
  what: string,
  bare: Seen['status'],
  more: { secret?: SecretSeen; reseal?: boolean },
): StatusWrite {
  const status = { ...withoutPast(bare, seen.pastOrders), observedGeneration: seen.generation };
  const { uid, generation, spec, compliance } = seen;
  const described = { uid, generation, spec, compliance, status };
  const report = JSON.stringify(describe({ ...described, secret: more.secret ?? seen.secret }, now).conditions);
  const sealed = (s: Seen['status']) =>
    JSON.stringify([s.lastVersion, s.revokedThroughVersion, s.handledRevocations, s.versions]);
  const isSame = seen.sealState !== 'broken' && sealed(status) === sealed(seen.status);
  return { what, uid: token.uid, status, key: isSame && !more.reseal ? token.key : key, report };
}
