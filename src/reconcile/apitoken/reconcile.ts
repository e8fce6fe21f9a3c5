/** The loop: observe, decide, act, until there is nothing to do before some time. */
import { isDeepStrictEqual } from 'node:util';
import type { ApiToken } from '../../api/apitoken.ts';
import { type Action, decide } from '../../domain/lifecycle/decide.ts';
import { planRestarts } from '../../domain/lifecycle/restarts.ts';
import { clearFailures, recordFailure } from '../../domain/lifecycle/transitions.ts';
import { KubeError } from '../../ports.ts';
import { act, isRefusal, Overtaken } from './act.ts';
import { subjectOf } from './audit-trail.ts';
import type { ApiTokenDeps } from './deps.ts';
import { type Objects, type Observation, observe, readObjects } from './observe.ts';
import { count, draft, keyOf, type StatusWrite, writeStatus } from './write-status.ts';

/** A reconcile that has not come to rest after so many actions lets others go first. */
const MAX_ACTIONS = 40;
/** A timer may wait no longer than this; also the longest time that a missed event goes unnoticed. Milliseconds. */
const LONGEST_WAIT = 3_600_000;
/** After somebody else was faster, so that a cache may catch up. Milliseconds. */
const LOOK_AGAIN = 50;
/** Seconds until a Secret that stands in the way is looked at again. */
const CONFLICT_LOOK = 30;

/** @returns when to look again, in epoch milliseconds */
export async function reconcile(deps: ApiTokenDeps, key: string): Promise<{ requeueAt?: number }> {
  const [namespace = '', name = ''] = key.split('/');
  const objects = await readObjects(deps, { namespace, name });
  await accountForDeparted(deps, key, objects?.token);
  if (!objects) {
    deps.metrics.token(key, undefined);
    deps.policies.forget(key);
    deps.rollouts.observe(key, [], deps.clock.now());
    return {};
  }
  try {
    return await run(deps, key, objects);
  } catch (error) {
    const isStale = error instanceof KubeError && ['Conflict', 'AlreadyExists', 'NotFound'].includes(error.reason);
    if (isStale || error instanceof Overtaken) return { requeueAt: deps.clock.now() + LOOK_AGAIN };
    throw error;
  }
}

async function run(deps: ApiTokenDeps, key: string, start: Objects): Promise<{ requeueAt?: number }> {
  let objects = start;
  let live = false;
  for (let actions = 0; actions < MAX_ACTIONS; actions += 1) {
    const observation = await observe(deps, key, objects, live);
    const now = Math.floor(deps.clock.now() / 1000);
    const { seen } = observation;
    await deps.audit.settle(seen.uid, seen.status, now);
    const rollingOut = seen.status.restarts?.workloads.filter((w) => w.state === 'RollingOut').map((w) => w.uid) ?? [];
    deps.rollouts.observe(key, seen.deleting ? [] : rollingOut, deps.clock.now());
    const action = decide(seen, now, deps.tuning);
    deps.log.debug({ token: key, action: action.do }, 'next action');
    if (action.do === 'wait') return rest(deps, observation, action, now);
    if (action.do === 'look') {
      live = true;
      continue;
    }
    objects = await tryTo(deps, observation, action, now);
    if (action.do === 'revoke') {
      deps.hurry(key, action.orders[0]?.uid ?? '');
      return {};
    }
    live = false;
  }
  return { requeueAt: deps.clock.now() };
}

/** A refusal is written into status, where it holds the next attempt back; all else goes to the queue's back-off. */
async function tryTo(
  deps: ApiTokenDeps,
  observation: Observation,
  action: Exclude<Action, { do: 'wait' | 'look' }>,
  now: number,
): Promise<Objects> {
  try {
    return await act(deps, observation, action, now);
  } catch (error) {
    // what ends access waits for no back-off in status
    if (!isRefusal(error) || action.do === 'revoke') throw error;
    const { seen, token, secret } = observation;
    deps.log.warn({ token: keyOf(token), action: action.do, detail: error.message }, 'write refused');
    const failure = { reason: 'WriteRefused', message: error.message.slice(0, 1024) };
    const status = recordFailure(seen.status, failure, seen.generation, now);
    return { token: await writeStatus(deps, observation, { status }, now), secret };
  }
}

/** Nothing to do: say so in status where it does not say so yet. */
async function rest(
  deps: ApiTokenDeps,
  observation: Observation,
  action: Extract<Action, { do: 'wait' }>,
  now: number,
): Promise<{ requeueAt?: number }> {
  const { seen, token } = observation;
  const write: StatusWrite = { status: overcome(observation, now) };
  if (action.standstill) write.standstill = action.standstill;
  const unfinished = unfinishedOf(deps, observation, now);
  if (unfinished) write.unfinished = unfinished;
  const { description, document } = draft(deps, observation, write, now);
  const isSaid = seen.deleting || isDeepStrictEqual(document, token.status);
  if (isSaid) count(deps, token);
  else await writeStatus(deps, observation, write, now);
  // a Secret that is not ours is not watched
  const again = action.standstill?.why === 'SecretConflict' ? now + CONFLICT_LOOK : undefined;
  const wakes = [action.until, description.wake, again].filter((w) => w !== undefined).map((seconds) => seconds * 1000);
  const wake = Math.min(...wakes, deps.clock.now() + LONGEST_WAIT);
  return { requeueAt: wake };
}

/** A failure of an older generation, or one whose action is no longer called for, is no news. */
function overcome({ seen }: Observation, now: number) {
  const { failures } = seen.status;
  if (!failures) return seen.status;
  const isOver = failures.observedGeneration !== seen.generation || failures.nextAttemptTime <= now;
  return isOver ? clearFailures(seen.status) : seen.status;
}

function unfinishedOf(deps: ApiTokenDeps, { seen, key }: Observation, now: number): string[] | undefined {
  const { restarts } = seen.status;
  if (!seen.spec.ok || !restarts || restarts.pending === 0) return undefined;
  const plan = planRestarts(seen, seen.spec.spec, restarts, now);
  if (plan.heldBack && !seen.rolloutSlot) deps.rollouts.wait(key);
  return plan.unfinished.map((c) => `${c.kind}/${c.name}`);
}

/** An ApiToken of this name that was deleted, or deleted and made anew under another UID. */
async function accountForDeparted(deps: ApiTokenDeps, key: string, token: ApiToken | undefined): Promise<void> {
  const uid = token?.metadata.uid;
  for (const gone of deps.census.departed(key, uid)) {
    deps.values.forget(gone.uid);
    await deps.audit.departed(gone, Math.floor(deps.clock.now() / 1000));
    deps.census.forget(key, gone.uid);
    deps.log.info({ token: key, tokenID: gone.tokenID }, 'token deleted');
  }
  if (token && uid !== undefined && (token.status?.lastVersion ?? 0) > 0)
    deps.census.present(key, uid, () => subjectOf(token));
}
