/** Who has to be restarted for Current, who is under way, and who is done. Pure. */
import type { Consumer, Restarts, Seen, TokenSpec, WorkloadRestart } from './seen.ts';

export interface RestartPlan {
  /** What status should say. */
  restarts: Restarts;
  /** The one workload to restart now. */
  restart?: Consumer;
  /** Restarts held back by the cluster-wide budget or by the clock's whole second. */
  heldBack: boolean;
  /** Workloads that cannot roll now (paused, in mid-roll, broken), or whose rollout is not done. */
  unfinished: readonly Consumer[];
}

/** A rotation reaches pods by restart where they read the Secret once, or where the spec asks for it always. */
export function wantsRestart(spec: Pick<TokenSpec, 'restart'>, consumer: Consumer): boolean {
  return spec.restart === 'Always' || (spec.restart === 'Auto' && consumer.reads === 'fixed');
}

export function planRestarts(seen: Seen, spec: TokenSpec, restarts: Restarts, now: number): RestartPlan {
  const workloads: WorkloadRestart[] = [];
  const unfinished: Consumer[] = [];
  let restart: Consumer | undefined;
  let heldBack = false;
  let pending = 0;
  for (const consumer of seen.consumers.workloads) {
    if (!wantsRestart(spec, consumer)) continue;
    const { kind, name, uid } = consumer;
    const recorded = restarts.workloads.find((w) => w.uid === uid)?.state;
    const asked = recorded !== undefined || (consumer.annotated ?? 0) >= restarts.version;
    if (recorded === 'Done' || consumer.pods?.stale === 0) {
      if (asked) workloads.push({ kind, name, uid, state: 'Done' });
      continue;
    }
    if (asked) {
      workloads.push({ kind, name, uid, state: 'RollingOut' });
      unfinished.push(consumer);
      pending += 1;
      continue;
    }
    // Its pods wait for the Secret and will start with what it holds now.
    if (consumer.pods !== undefined && !consumer.pods.startedBefore) continue;
    pending += 1;
    if (consumer.pods === undefined || !consumer.rolledOut) unfinished.push(consumer);
    // A pod made in the second `since` counts as stale, so none of ours may be made in it.
    else if (now <= restarts.since || !(seen.rolloutSlot || consumer.inert)) heldBack = true;
    else restart ??= consumer;
  }
  const plan: RestartPlan = { restarts: { ...restarts, pending, workloads }, heldBack, unfinished };
  if (restart) plan.restart = restart;
  return plan;
}

export function sameRestarts(a: Restarts, b: Restarts): boolean {
  return (
    a.version === b.version &&
    a.since === b.since &&
    a.pending === b.pending &&
    a.workloads.length === b.workloads.length &&
    a.workloads.every((w, i) => w.uid === b.workloads[i]?.uid && w.state === b.workloads[i]?.state)
  );
}

/** Every pod that reads the Secret, restarted by us or not, was made after the value write; and there is at least one reader. */
export function consumersDone(seen: Seen): boolean {
  const { live, workloads, loosePods } = seen.consumers;
  if (!live || workloads.length + loosePods.total === 0) return false;
  return loosePods.stale === 0 && workloads.every((w) => w.pods?.stale === 0);
}
